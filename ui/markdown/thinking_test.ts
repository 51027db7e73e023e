import assert from "node:assert/strict";
import { splitThinking } from "./thinking.ts";

Deno.test("splitThinking: an answer without thinking is untouched", () => {
  const text = "Write <think> to think, </think> to stop";
  assert.deepEqual(splitThinking(text), { thinking: undefined, thought: true, answer: text });
});

Deno.test("splitThinking: thinking is told from the answer while it is written", () => {
  assert.deepEqual(splitThinking("<think>\nhm"), { thinking: "hm", thought: false, answer: "" });
  assert.deepEqual(splitThinking("<think>\nhm\n</think>\n\nYes"), {
    thinking: "hm",
    thought: true,
    answer: "Yes",
  });
  assert.deepEqual(splitThinking("<think>\n\n</think>\nYes").thinking, undefined);
});
