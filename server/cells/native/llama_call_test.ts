import assert from "node:assert/strict";
import { LlamaCall } from "./llama_call.ts";

Deno.test("LlamaCall gives its first text at once, and what comes fast after it together", async () => {
  const call = new LlamaCall({
    prompt: [1],
    principal: "a",
    stop: [],
    maxTokens: 100,
    sampler: { sample: () => Promise.resolve({ token: 97 }), prepare() {}, dispose() {} },
    isEnd: () => false,
    bytesOf: (token) => Uint8Array.of(token),
  });
  const items = call.items();
  const write = (text: string) => {
    for (const character of text) {
      call.accept({ token: character.charCodeAt(0) }, false);
      call.tell();
    }
  };
  const texts: unknown[] = [];
  const reading = (async () => {
    for await (const { text } of items) {
      texts.push(text);
      // It is written on before the reader is back.
      if (text === "a") write("bcd");
    }
  })();
  write("a");
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(texts[0], "a");
  // Nobody tells of it again: another's long prompt is read meanwhile.
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.deepEqual(texts, ["a", "bcd"]);
  write("ef");
  call.finish("length");
  await reading;
  assert.deepEqual(texts, ["a", "bcd", "ef"]);
});
