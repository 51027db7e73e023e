import assert from "node:assert/strict";
import { parseSplitName, readGguf } from "./gguf.ts";
import {
  arrayValue,
  encodeU32,
  stringsValue,
  stringValue,
  u16Value,
  u32Value,
} from "./gguf/encode.ts";
import { valueType } from "./gguf/metadata.ts";
import {
  architecture,
  f32,
  makeFullGguf,
  makeGguf,
  makeGgufWith,
  type Pair,
  weights,
} from "./testing/gguf_file.ts";
import { readerOf } from "./testing/reader.ts";

Deno.test("readGguf passes a reader's own error and an abort", async () => {
  const failing = { size: 100, read: () => Promise.reject(new Error("disk on fire")) };
  await assert.rejects(readGguf(failing), /disk on fire/);
  const signal = AbortSignal.abort();
  await assert.rejects(readGguf(readerOf(makeGguf()), { signal }), { name: "AbortError" });
});

Deno.test("readGguf returns what a full header says", async () => {
  const header = await readGguf(readerOf(makeFullGguf()));
  assert.deepEqual(header, {
    version: 3,
    architecture: "llama",
    name: "Tiny model",
    description: "line one line two",
    license: "mit",
    contextLength: 128,
    embeddingLength: 64,
    blockCount: 2,
    vocabSize: 3,
    tokenizerModel: "llama",
    chatTemplate: "{{ x }}\n",
    quantization: "Q8_0",
    shape: undefined,
    task: "chat",
    parameterCount: 128 + 5,
    tensorCount: 2,
    headerBytes: header.headerBytes,
    alignment: 32,
    split: undefined,
  });
  assert.equal(header.headerBytes % 32, 0);
});

Deno.test("readGguf takes version 2, another alignment and no file type", async () => {
  const metadata = [architecture, ["general.alignment", u32Value(8)] as const];
  const tensors = [weights, { name: "b", dims: [2], type: f32, offset: 136 }];
  const header = await readGguf(readerOf(makeGguf({ version: 2, metadata, tensors })));
  assert.deepEqual([header.version, header.alignment, header.quantization], [2, 8, "Q8_0"]);
});

Deno.test("readGguf recognises parts of a split model", async () => {
  const split = (index: number): Pair[] => [
    ["split.no", u16Value(index)],
    ["split.count", u16Value(2)],
    ["split.tensors.count", { type: valueType.i32, bytes: encodeU32(1) }],
  ];
  const first = makeGguf({ metadata: [architecture, ...split(0)], tensors: [] });
  const later = makeGguf({ metadata: split(1) });
  const expected = { index: 0, count: 2, tensorCount: 1 };
  assert.deepEqual((await readGguf(readerOf(first))).split, expected);
  const header = await readGguf(readerOf(later));
  assert.deepEqual([header.split, header.architecture], [{ ...expected, index: 1 }, undefined]);
});

Deno.test("parseSplitName reads llama.cpp's names of parts only", () => {
  const name = "big.Q8_0-00002-of-00003.gguf";
  assert.deepEqual(parseSplitName(name), { base: "big.Q8_0", number: 2, count: 3 });
  for (const other of ["big.gguf", "-00001-of-00002.gguf", "big-1-of-2.gguf"]) {
    assert.equal(parseSplitName(other), undefined);
  }
});

Deno.test("readGguf passes over large arrays without reading them", async () => {
  const numbers = arrayValue(valueType.f64, 1_000_000, new Uint8Array(8_000_000));
  const reader = readerOf(makeGgufWith([["x", numbers]]));
  await readGguf(reader);
  assert.ok(reader.bytesRead < 1_000_000, `${reader.bytesRead} bytes read`);
});

Deno.test("readGguf reads through chunk borders", async () => {
  const texts = Array.from({ length: 5000 }, (_, index) => `token ${index} `.repeat(index % 40));
  const file = makeGgufWith([["x", stringsValue(texts)], ["general.name", stringValue("after")]]);
  assert.equal((await readGguf(readerOf(file))).name, "after");
});

const realFolder = new URL("../../shared/models/gguf/", import.meta.url);
const hasRealFiles = await exists(realFolder);
if (!hasRealFiles) console.log("skipped: readGguf on real files, shared/models/gguf is absent");

Deno.test({
  name: "readGguf accepts real files with their exact metadata",
  ignore: !hasRealFiles,
  async fn() {
    const common = {
      version: 3,
      architecture: "llama",
      description: undefined,
      license: undefined,
      tokenizerModel: "llama",
      alignment: 32,
      split: undefined,
    };
    assert.deepEqual(await readFile("aidreams260K-f32.gguf"), {
      ...common,
      name: "aidreams260K",
      contextLength: 128,
      embeddingLength: 64,
      blockCount: 4,
      vocabSize: 512,
      chatTemplate: undefined,
      quantization: "F32",
      shape: {
        blockCount: 4,
        embeddingLength: 64,
        headCountKv: 4,
        keyLength: 16,
        valueLength: 16,
        vocabSize: 512,
      },
      task: "chat",
      parameterCount: 230_976,
      tensorCount: 38,
      headerBytes: 13_696,
    });
    const template =
      "{% for m in messages %}{{'<|im_start|>'+m['role']+'\\n'+m['content']+'<|im_end|>\\n'}}" +
      "{% endfor %}{% if add_generation_prompt %}{{'<|im_start|>assistant\\n'}}{% endif %}";
    const random = await readFile("rand-15M-q8_0.gguf");
    assert.deepEqual({ ...random, chatTemplate: undefined }, {
      ...common,
      name: "rand-15M (random weights)",
      contextLength: 2048,
      embeddingLength: 288,
      blockCount: 6,
      vocabSize: 32_000,
      chatTemplate: undefined,
      quantization: "Q8_0",
      shape: {
        blockCount: 6,
        embeddingLength: 288,
        headCountKv: 6,
        keyLength: 48,
        valueLength: 48,
        vocabSize: 32_000,
      },
      task: "chat",
      parameterCount: 15_191_712,
      tensorCount: 56,
      headerBytes: 727_392,
    });
    assert.equal(random.chatTemplate?.replaceAll("\n", "\\n"), template);
  },
});

async function readFile(name: string) {
  return await readGguf(readerOf(await Deno.readFile(new URL(name, realFolder))));
}

async function exists(url: URL): Promise<boolean> {
  return await Deno.stat(url).then(() => true, () => false);
}
