import assert from "node:assert/strict";
import { compareSpeed } from "./tensor_words.ts";

Deno.test("compareSpeed: slower is said as such, and nothing of what was not measured", () => {
  assert.equal(compareSpeed({ beforeMs: 1, afterMs: 3 }), "3 times slower");
  assert.equal(compareSpeed({ beforeMs: 1, afterMs: 1.02 }), "The same");
  assert.equal(compareSpeed({ beforeMs: 3.6, afterMs: 2 }), "1.8 times faster");
  assert.equal(compareSpeed({ beforeMs: 3.6 }), "–");
  assert.equal(compareSpeed({ beforeMs: 0, afterMs: 0 }), "–");
});
