import assert from "node:assert/strict";
import { TokenTape } from "./token_tape.ts";

Deno.test("TokenTape gives a token with the first of its characters, and never one that is not shown", () => {
  const tape = new TokenTape<string>();
  tape.add("ab", ["ab"]);
  tape.add("", ["silent"]);
  tape.add("cd", ["cd"]);
  assert.deepEqual(tape.take(0), []);
  assert.deepEqual(tape.take(1), ["ab"]);
  assert.deepEqual(tape.take(1), []);
  assert.deepEqual(tape.take(1), ["cd"]);
  tape.add("e", ["e"]);
  assert.deepEqual(tape.take(1), []);
  assert.deepEqual(tape.take(1), ["e"]);
});
