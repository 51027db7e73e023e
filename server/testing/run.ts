// `deno task test`: runs every test, passes arguments on, and ends with "N passed, N failed".
// A run that leaves a cell behind has failed, and so has one that hangs.

import { fetchTestEngines } from "./fetch_engines.ts";
import { orphanedCells } from "./processes.ts";

const maxMinutes = 70;

if (Deno.env.get("BKG_TEST_REQUIRE") === "all") {
  await fetchTestEngines((line) => console.log(line));
}

const before = new Set(orphanedCells());
const args = ["test", "-A", "--no-prompt", "--lock=deno.test.lock", ...Deno.args];
const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
const hung = setTimeout(() => {
  console.log(`the tests were not done within ${maxMinutes} minutes`);
  child.kill("SIGKILL");
}, maxMinutes * 60_000);

const counts = { passed: 0, failed: 0 };
const decoder = new TextDecoder();
let tail = "";
for await (const chunk of child.stdout) {
  await Deno.stdout.write(chunk);
  tail = (tail + decoder.decode(chunk, { stream: true })).slice(-4000);
}
const { success } = await child.status;
clearTimeout(hung);
// deno-lint-ignore no-control-regex
const plain = tail.replaceAll(/\u001b\[[0-9;]*m/g, "");
const summary = [...plain.matchAll(/\| (\d+) passed[^|]*\| (\d+) failed/g)].at(-1);
counts.passed = Number(summary?.[1] ?? 0);
counts.failed = Number(summary?.[2] ?? 0);

const leftBehind = orphanedCells().filter((pid) => !before.has(pid));
if (leftBehind.length > 0) {
  console.log(`cells left behind: ${leftBehind.join(", ")}`);
  counts.failed++;
}
// A run that broke before its summary, in type-checking say, is a failure as well.
if (!success && counts.failed === 0) counts.failed = 1;
console.log(`${counts.passed} passed, ${counts.failed} failed`);
Deno.exit(counts.failed === 0 && success ? 0 : 1);
