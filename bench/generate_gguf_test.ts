import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type GgufHeader, readGguf } from "../models/gguf.ts";
import { generateGguf, type GenerateOptions } from "./generate_gguf.ts";
import { makeVocabulary } from "./random_vocabulary.ts";
import { createWeightFiller, toF16Bits } from "./random_weights.ts";

const small = {
  seed: 7,
  dim: 64,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  ffn: 96,
  vocab: 600,
  contextLength: 128,
};

interface Generated {
  header: GgufHeader;
  parameterCount: number;
  size: number;
  sha256: string;
}

async function generate(options: Omit<GenerateOptions, "path">): Promise<Generated> {
  const folder = await Deno.makeTempDir({ prefix: "bkg_generate_" });
  try {
    const made = await generateGguf({ ...options, path: `${folder}/m.gguf` });
    assert.deepEqual((await Array.fromAsync(Deno.readDir(folder))).length, 1, "no .part is left");
    const bytes = await Deno.readFile(made.path);
    assert.equal(bytes.length, made.size);
    const read = (offset: number, length: number) =>
      Promise.resolve(bytes.subarray(offset, offset + length));
    const header = await readGguf({ size: bytes.length, read });
    return { ...made, header, sha256: createHash("sha256").update(bytes).digest("hex") };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("generateGguf refuses shapes that make no model", async () => {
  for (const wrong of [{ dim: 60 }, { heads: 5 }, { ffn: 100 }, { vocab: 100 }, { kvHeads: 3 }]) {
    await assert.rejects(generateGguf({ ...small, ...wrong, path: "/nonexistent/m" }), RangeError);
  }
});

for (const type of ["q8_0", "q4_0", "f16"] as const) {
  Deno.test(`generateGguf writes ${type} that readGguf accepts`, async () => {
    const { header, parameterCount } = await generate({ ...small, type });
    assert.equal(header.parameterCount, parameterCount);
    assert.equal(header.quantization, type.toUpperCase());
    assert.equal(header.tensorCount, 2 + 2 * 9);
    assert.equal(header.vocabSize, 600);
    assert.deepEqual(
      [header.architecture, header.contextLength, header.embeddingLength, header.blockCount],
      ["llama", 128, 64, 2],
    );
    assert.match(header.chatTemplate ?? "", /<\|im_start\|>/);
  });
}

Deno.test("generateGguf gives the same bytes for the same seed only", async () => {
  const [first, again, other] = [
    await generate(small),
    await generate(small),
    await generate({ ...small, seed: 8 }),
  ];
  assert.equal(first.sha256, again.sha256);
  assert.notEqual(first.sha256, other.sha256);
});

Deno.test("makeVocabulary joins each piece from two earlier ones", () => {
  const { tokens, scores, types } = makeVocabulary(3000, 1);
  assert.deepEqual([tokens.length, scores.length, types.length], [3000, 3000, 3000]);
  assert.equal(new Set(tokens).size, 3000);
  const place = new Map(tokens.map((token, index) => [token, index]));
  for (const [index, token] of tokens.entries()) {
    if (types[index] !== 1 || token.length === 1) continue;
    const splits = Array.from({ length: token.length - 1 }, (_, at) => at + 1);
    const isReachable = splits.some((at) =>
      (place.get(token.slice(0, at)) ?? Infinity) < index &&
      (place.get(token.slice(at)) ?? Infinity) < index
    );
    assert.ok(isReachable, token);
  }
});

Deno.test("createWeightFiller gives weights of the asked spread, never -128 in q8_0", () => {
  const scale = toF16Bits(0.5);
  assert.equal(scale, 0x3800);
  const values: number[] = [];
  for (const chunk of createWeightFiller(1).fill(32 * 1000, { std: 1, type: "q8_0" })) {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const f16 = view.getUint16(0, true);
    const unit = 2 ** ((f16 >> 10) - 15) * (1 + (f16 & 0x3ff) / 1024);
    for (let at = 0; at < chunk.length; at += 34) {
      for (let item = 2; item < 34; item++) values.push(view.getInt8(at + item) * unit);
    }
  }
  assert.equal(values.length, 32_000);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
  assert.ok(Math.abs(mean) < 0.05 && Math.abs(std - 1) < 0.05, `mean ${mean}, std ${std}`);
});
