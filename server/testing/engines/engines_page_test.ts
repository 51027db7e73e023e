import assert from "node:assert/strict";
import { readEnginesTable } from "./engines_page.ts";

Deno.test("docs/engines.md prints what the suite holds every home to", async () => {
  const { found, expected } = await readEnginesTable();
  assert.equal(found, expected, "run `deno task engines`");
});
