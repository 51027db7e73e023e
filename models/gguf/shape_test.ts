import assert from "node:assert/strict";
import { readGguf } from "../gguf.ts";
import { makeGguf, type Pair } from "../testing/gguf_file.ts";
import { readerOf } from "../testing/reader.ts";
import { i32sValue, stringsValue, stringValue, u32Value } from "./encode.ts";

function readHeader(name: string, pairs: readonly Pair[]) {
  const metadata: Pair[] = [["general.architecture", stringValue(name)], ...pairs];
  return readGguf(readerOf(makeGguf({ metadata })));
}

const base: readonly Pair[] = [
  ["x.block_count", u32Value(24)],
  ["x.embedding_length", u32Value(896)],
  ["x.attention.head_count", u32Value(14)],
  ["tokenizer.ggml.tokens", stringsValue(["a", "b", "c"])],
];

Deno.test("findShape leaves out what a header does not say enough for", async () => {
  for (const missing of base) {
    const { shape } = await readHeader("x", base.filter((pair) => pair !== missing));
    assert.equal(shape, undefined, String(missing[0]));
  }
  const headless = base.map((pair): Pair =>
    pair[0] === "x.attention.head_count" ? [pair[0], u32Value(0)] : pair
  );
  assert.equal((await readHeader("x", headless)).shape, undefined);
});

Deno.test("findShape takes the engine's defaults", async () => {
  assert.deepEqual((await readHeader("x", base)).shape, {
    blockCount: 24,
    embeddingLength: 896,
    headCountKv: 14,
    keyLength: 64,
    valueLength: 64,
    vocabSize: 3,
  });
});

Deno.test("findShape takes what the header says over the defaults", async () => {
  const { shape } = await readHeader("x", [
    ...base,
    ["x.attention.head_count_kv", u32Value(2)],
    ["x.attention.key_length", u32Value(128)],
    ["x.attention.value_length", u32Value(96)],
  ]);
  assert.deepEqual([shape?.headCountKv, shape?.keyLength, shape?.valueLength], [2, 128, 96]);
});

Deno.test("findShape takes the mean of head counts that differ by block", async () => {
  const { shape } = await readHeader("x", [
    ...base,
    ["x.attention.head_count_kv", i32sValue([4, 0, 8, 0])],
  ]);
  assert.equal(shape?.headCountKv, 3);
});

Deno.test("findTask knows what a model is for by architecture, pooling and template", async () => {
  const tokens: Pair = ["tokenizer.ggml.model", stringValue("gpt2")];
  const cases: [string, Pair[], string | undefined][] = [
    ["llama", [tokens], "chat"],
    ["llama", [["tokenizer.chat_template", stringValue("{{ x }}")]], "chat"],
    ["pangu-embedded", [tokens], "chat"],
    ["llama", [], undefined],
    ["bert", [tokens], "embedding"],
    ["nomic-bert-moe", [tokens], "embedding"],
    ["jina-bert-v2", [tokens], "embedding"],
    ["gemma-embedding", [tokens], "embedding"],
    ["t5encoder", [tokens], "embedding"],
    ["qwen3", [tokens, ["qwen3.pooling_type", u32Value(3)]], "embedding"],
    ["qwen3", [tokens, ["qwen3.pooling_type", u32Value(0)]], "chat"],
    ["bert", [tokens, ["bert.pooling_type", u32Value(4)]], "rerank"],
    ["clip", [tokens], undefined],
    ["llama", [tokens, ["general.type", stringValue("adapter")]], undefined],
    ["llama", [tokens, ["general.type", stringValue("model")]], "chat"],
  ];
  for (const [name, pairs, task] of cases) {
    assert.equal(
      (await readHeader(name, pairs)).task,
      task,
      `${name} ${pairs.map(([key]) => key)}`,
    );
  }
});
