import assert from "node:assert/strict";
import { readContextLength } from "./gguf_header.ts";

function file(...parts: (string | number[])[]) {
  const bytes = new Uint8Array(
    parts.flatMap((part) => typeof part === "string" ? [...new TextEncoder().encode(part)] : part),
  );
  return {
    name: "x.gguf",
    size: bytes.length,
    slice: (start: number, end: number) => ({
      size: end - start,
      arrayBuffer: () => Promise.resolve(bytes.slice(start, end).buffer),
    }),
  };
}

const u32 = [4, 0, 0, 0];

Deno.test("readContextLength finds the number", async () => {
  const header = file("GGUF..., llama.context_length", u32, [0, 8, 0, 0], "llama.embedding_length");
  assert.equal(await readContextLength(header), 2048);
});

Deno.test("readContextLength says nothing of what is absent, cut off or no u32", async () => {
  assert.equal(await readContextLength(file("GGUF and more")), undefined);
  assert.equal(await readContextLength(file("llama.context_length", u32, [0, 8])), undefined);
  const text = file("llama.context_length", [8, 0, 0, 0], [0, 8, 0, 0]);
  assert.equal(await readContextLength(text), undefined);
  assert.equal(await readContextLength(file("llama.context_length", u32, [0, 0, 0, 0])), undefined);
});
