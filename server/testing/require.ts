// Tests that need a part of the system say in one line why they are skipped where it is absent;
// with BKG_TEST_REQUIRE=all they fail instead.

/** Whether the test must be ignored; prints the reason once. `problem` is undefined when all is there. */
export function skipUnless(test: string, problem: string | undefined): boolean {
  if (problem === undefined) return false;
  if (Deno.env.get("BKG_TEST_REQUIRE") === "all") {
    throw new Error(`"${test}" cannot run: ${problem}`);
  }
  console.log(`skipped "${test}": ${problem}`);
  return true;
}
