import assert from "node:assert/strict";
import { titleOf } from "./chat.ts";
import type { ChatMessage } from "./chat.ts";
import { readDelta, readFacts, toChatInput } from "./chat_prompt.ts";

function message(role: ChatMessage["role"], text: string): ChatMessage {
  return { id: text, chatId: "c", order: 0, role, text, createdAtMs: 0, state: "done" };
}

Deno.test("toChatInput: turns alternate, empty and thought parts are left out", () => {
  const input = toChatInput([
    message("user", "a"),
    message("assistant", " "),
    message("user", "b"),
    message("assistant", "<think>hm</think>\nc"),
    message("user", "d"),
  ], { model: "m", sampling: { system: "Be kind", temperature: 0, seed: undefined } });
  assert.deepEqual(input, {
    model: "m",
    temperature: 0,
    messages: [
      { role: "system", content: "Be kind" },
      { role: "user", content: "a\n\nb" },
      { role: "assistant", content: "c" },
      { role: "user", content: "d" },
    ],
  });
});

Deno.test("toChatInput: a blank system prompt is none", () => {
  const input = toChatInput([message("user", "a")], { model: "m", sampling: { system: " \n" } });
  assert.deepEqual(input, { model: "m", messages: [{ role: "user", content: "a" }] });
});

Deno.test("readDelta, readFacts: what is malformed is refused or left out", () => {
  assert.throws(() => readDelta({ delta: 1 }), { code: "INVALID_OUTPUT" });
  assert.throws(() => readDelta(null), { code: "INVALID_OUTPUT" });
  assert.throws(() => readFacts(undefined), { code: "UNAVAILABLE" });
  const odd = readFacts({
    backend: 5,
    threads: "x",
    usage: null,
    timings: { tokensPerSecond: NaN },
  });
  assert.ok(Object.values(odd).every((value) => value === undefined));
});

Deno.test("titleOf: one short line", () => {
  assert.equal(titleOf("  Hello\nworld"), "Hello");
  assert.equal(titleOf(" \n "), "New chat");
  assert.ok(titleOf("word ".repeat(100)).length <= 61);
  assert.ok(titleOf("😀".repeat(100)).isWellFormed());
});
