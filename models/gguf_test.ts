import assert from "node:assert/strict";
import { AppError } from "../plugins/runtime/contract/error.ts";
import { type ByteReader, parseSplitName, readGguf } from "./gguf.ts";
import {
  arrayValue,
  boolValue,
  type EncodedTensor,
  type EncodedValue,
  encodeHeader,
  encodeU32,
  encodeU64,
  f32sValue,
  f32Value,
  type HeaderParts,
  i32sValue,
  joinBytes,
  padding,
  stringsValue,
  stringValue,
  u16Value,
  u32Value,
} from "./gguf/encode.ts";
import { valueType } from "./gguf/metadata.ts";

type Pair = readonly [string | Uint8Array, EncodedValue];

const architecture: Pair = ["general.architecture", stringValue("llama")];
const f32 = 0;
const q8 = 8;
const weights: EncodedTensor = { name: "a.weight", dims: [64, 2], type: q8, offset: 0 };
const u64Value = (value: number | bigint) => ({ type: valueType.u64, bytes: encodeU64(value) });

/** A file: the header of one good model, with `parts` in place of its own, and its data. */
function makeFile(parts: Partial<HeaderParts> = {}, dataBytes = 160): Uint8Array<ArrayBuffer> {
  const header = encodeHeader({ metadata: [architecture], tensors: [weights], ...parts });
  return joinBytes([header, padding(header.length, 32), new Uint8Array(dataBytes)]);
}

function makeModel(pairs: readonly Pair[]): Uint8Array<ArrayBuffer> {
  return makeFile({ metadata: [architecture, ...pairs] });
}

function makeTensors(...tensors: readonly Partial<EncodedTensor>[]): Uint8Array<ArrayBuffer> {
  return makeFile({ tensors: tensors.map((tensor) => ({ ...weights, ...tensor })) });
}

function readerOf(bytes: Uint8Array): ByteReader & { bytesRead: number } {
  return {
    size: bytes.length,
    bytesRead: 0,
    read(offset, length) {
      const found = bytes.subarray(offset, offset + length);
      this.bytesRead += found.length;
      return Promise.resolve(found);
    },
  };
}

function patch(bytes: Uint8Array, at: number, by: Uint8Array): Uint8Array {
  bytes.set(by, at);
  return bytes;
}

const hostile: { [name: string]: { file: Uint8Array; message: RegExp } } = {
  "empty file": { file: new Uint8Array(0), message: /magic at byte 0 is cut off/ },
  "wrong magic": {
    file: patch(makeFile(), 0, encodeU32(0x21)),
    message: /magic at byte 0 is 0x00/,
  },
  "version 1": { file: makeFile({ version: 1 }), message: /version at byte 4 is 1 .*2 or 3/ },
  "version 4": { file: makeFile({ version: 4 }), message: /version at byte 4 is 4/ },
  "big-endian": { file: makeFile({ version: 0x03000000 }), message: /version .* is big-endian/ },
  "tensor count past the cap": {
    file: makeFile({ tensorCount: 2n ** 64n - 1n }),
    message: /tensor count at byte 8 is 18446744073709551615 \(limit: 131072\)/,
  },
  "tensor count past the file": {
    file: makeFile({ tensorCount: 1000n }),
    message: /tensor count at byte 8 is 1000, more than the file can hold/,
  },
  "metadata count past the cap": {
    file: makeFile({ metadataCount: 2n ** 63n }),
    message: /metadata count at byte 16 is 9223372036854775808 \(limit: 10000\)/,
  },
  "metadata count past the file": {
    file: makeFile({ metadataCount: 9999n }),
    message: /metadata count at byte 16 is 9999, more than/,
  },
  "metadata count one too high": {
    file: makeFile({ metadataCount: 2n }),
    message: /name of tensor 0/,
  },
  "key too long": {
    file: makeModel([["k".repeat(1025), boolValue(true)]]),
    message: /length of key 1 at byte \d+ is 1025 \(limit: 1024\)/,
  },
  "key length near 2^64": {
    file: patch(makeFile(), 24, encodeU64(2n ** 64n - 8n)),
    message: /length of key 0 at byte 24 is 18446744073709551608/,
  },
  "empty key": { file: makeModel([["", boolValue(true)]]), message: /key "" .* is empty/ },
  "key not UTF-8": {
    file: makeModel([[new Uint8Array([0x61, 0xff]), boolValue(true)]]),
    message: /key 1 at byte \d+ is not UTF-8/,
  },
  "key twice": { file: makeModel([architecture]), message: /"general.architecture" .* twice/ },
  "unknown value type": {
    file: makeModel([["x", { type: 13, bytes: new Uint8Array(8) }]]),
    message: /key "x" at byte \d+ has the unknown value type 13/,
  },
  "bool 2": {
    file: makeModel([["x", { type: valueType.bool, bytes: new Uint8Array([2]) }]]),
    message: /key "x" .* is the bool 2/,
  },
  "string past the cap": {
    file: makeModel([["x", { type: valueType.string, bytes: encodeU64(2n ** 40n) }]]),
    message: /length of key "x" .* is 1099511627776 \(limit: 16777216\)/,
  },
  "string past the file": {
    file: makeModel([["x", { type: valueType.string, bytes: encodeU64(100_000) }]]),
    message: /key "x" .* is cut off by the end of the file/,
  },
  "name not UTF-8": {
    file: makeModel([["general.name", stringValue(new Uint8Array([0xc3]))]]),
    message: /"general.name" .* is not UTF-8/,
  },
  "name too long": {
    file: makeModel([["general.name", stringValue("n".repeat(65_537))]]),
    message: /"general.name" .* is 65537 \(limit: 65536\)/,
  },
  "name that is a number": {
    file: makeModel([["general.name", u32Value(1)]]),
    message: /"general.name" .* is of kind "integer"/,
  },
  "chat template too large": {
    file: makeModel([["tokenizer.chat_template", stringValue("t".repeat(262_145))]]),
    message: /"tokenizer.chat_template" .* is 262145 \(limit: 262144\)/,
  },
  "further chat template too large": {
    file: makeModel([["tokenizer.chat_template.tool_use", stringValue("t".repeat(262_145))]]),
    message: /"tokenizer.chat_template.tool_use" .* \(limit: 262144\)/,
  },
  "array length past the cap": {
    file: makeModel([["x", arrayValue(valueType.u8, 2n ** 62n, new Uint8Array(0))]]),
    message: /array length of key "x" .* is 4611686018427387904 \(limit: 16777216\)/,
  },
  "array past the file": {
    file: makeModel([["x", arrayValue(valueType.f64, 16_000_000, new Uint8Array(0))]]),
    message: /key "x" .* is cut off/,
  },
  "array of strings past the file": {
    file: makeModel([["x", arrayValue(valueType.string, 16_000_000, new Uint8Array(0))]]),
    message: /key "x" .* is cut off/,
  },
  "array with a string near 2^64": {
    file: makeModel([["x", arrayValue(valueType.string, 1, encodeU64(2n ** 64n - 1n))]]),
    message: /key "x" .* has an item of 18446744073709551615 bytes/,
  },
  "array of an unknown type": {
    file: makeModel([["x", arrayValue(99, 1, new Uint8Array(8))]]),
    message: /unknown value type 99/,
  },
  "arrays in an array": {
    file: makeModel([["x", arrayValue(valueType.array, 1, new Uint8Array(12))]]),
    message: /key "x" .* has arrays in an array \(limit: one level\)/,
  },
  "tokens that are no strings": {
    file: makeModel([["tokenizer.ggml.tokens", i32sValue([1])]]),
    message: /"tokenizer.ggml.tokens" .* wrong type \(limit: array of strings\)/,
  },
  "tokens that are no array": {
    file: makeModel([["tokenizer.ggml.tokens", u32Value(1)]]),
    message: /"tokenizer.ggml.tokens" .* wrong type/,
  },
  "fewer scores than tokens": {
    file: makeModel([
      ["tokenizer.ggml.tokens", stringsValue(["a", "b"])],
      ["tokenizer.ggml.scores", f32sValue([0])],
    ]),
    message: /"tokenizer.ggml.scores" .* has 1 items \(limit: one for each of 2 tokens\)/,
  },
  "token types of a short type": {
    file: makeModel([
      ["tokenizer.ggml.tokens", stringsValue(["a"])],
      ["tokenizer.ggml.token_type", arrayValue(valueType.u8, 1, new Uint8Array(1))],
    ]),
    message: /"tokenizer.ggml.token_type" .* wrong type/,
  },
  "no architecture": {
    file: makeFile({ metadata: [["x", u32Value(1)]] }),
    message: /"general.architecture" .* is missing/,
  },
  "architecture with a newline": {
    file: makeFile({ metadata: [["general.architecture", stringValue("llama\n")]] }),
    message: /no name of an architecture/,
  },
  "context length 0": {
    file: makeModel([["llama.context_length", u32Value(0)]]),
    message: /"llama.context_length" .* is 0 \(limit: 1 to 4294967295\)/,
  },
  "context length past u32": {
    file: makeModel([["llama.context_length", u64Value(2n ** 53n + 1n)]]),
    message: /is 9007199254740993/,
  },
  "alignment 24": {
    file: makeModel([["general.alignment", u32Value(24)]]),
    message: /"general.alignment" .* is 24 \(limit: a power of two\)/,
  },
  "alignment 0": { file: makeModel([["general.alignment", u32Value(0)]]), message: /is 0/ },
  "alignment 2^31": {
    file: makeModel([["general.alignment", u32Value(2 ** 31)]]),
    message: /is 2147483648 \(limit: 8 to 1048576\)/,
  },
  "alignment of another type": {
    file: makeModel([["general.alignment", u64Value(32)]]),
    message: /"general.alignment" .* wrong type \(limit: u32\)/,
  },
  "split part past its count": {
    file: makeModel([["split.count", u16Value(2)], ["split.no", u16Value(2)]]),
    message: /"split.no" .* is 2 \(limit: 0 to 1\)/,
  },
  "split without a number": {
    file: makeModel([["split.count", u16Value(2)]]),
    message: /"split.no" .* is missing/,
  },
  "no tensors": { file: makeFile({ tensors: [] }), message: /tensor count at byte 8 is 0/ },
  "tensor name too long": {
    file: makeTensors({ name: "n".repeat(64) }),
    message: /length of name of tensor 0 .* is 64 \(limit: 63\)/,
  },
  "tensor without a name": { file: makeTensors({ name: "" }), message: /has no name/ },
  "tensor name not UTF-8": {
    file: makeTensors({ name: new Uint8Array([0x80]) }),
    message: /name of tensor 0 .* is not UTF-8/,
  },
  "tensor twice": { file: makeTensors({}, { offset: 160 }), message: /"a.weight" .* twice/ },
  "5 dimensions": {
    file: makeTensors({ dims: [64, 1, 1, 1, 1] }),
    message: /dimension count of tensor "a.weight" .* is 5 \(limit: 1 to 4\)/,
  },
  "2^32 - 1 dimensions": {
    file: patch(makeFile(), findTensor() + 16, encodeU32(2 ** 32 - 1)),
    message: /is 4294967295 \(limit: 1 to 4\)/,
  },
  "no dimensions": { file: makeTensors({ dims: [] }), message: /dimension count .* is 0/ },
  "dimension 0": { file: makeTensors({ dims: [64, 0] }), message: /dimension 1 .* is 0/ },
  "dimension past 2^63": {
    file: makeTensors({ dims: [2n ** 63n] }),
    message: /dimension 0 .* is 9223372036854775808/,
  },
  "elements past 2^63": {
    file: makeTensors({ dims: [2n ** 32n, 2n ** 32n, 1, 1] }),
    message: /has too many elements/,
  },
  "elements that wrap round to few": {
    file: makeTensors({ dims: [2n ** 32n, 2n ** 32n, 2n ** 32n, 2n ** 32n] }),
    message: /has too many elements/,
  },
  "bytes past 2^63": {
    file: makeTensors({ dims: [2n ** 62n], type: f32 }),
    message: /has too many bytes/,
  },
  "removed ggml type": { file: makeTensors({ type: 31 }), message: /unknown ggml type 31/ },
  "unknown ggml type": { file: makeTensors({ type: 2 ** 31 }), message: /type 2147483648/ },
  "rows that are no whole blocks": {
    file: makeTensors({ dims: [16, 4] }),
    message: /rows of 16 elements \(limit: a multiple of 32, the block of Q8_0\)/,
  },
  "offset not aligned": {
    file: makeTensors({ offset: 8 }),
    message: /data offset of tensor "a.weight" .* is 8 \(limit: a multiple of 32\)/,
  },
  "offset past the file": {
    file: makeTensors({ offset: 2n ** 63n }),
    message: /is 9223372036854775808 and leaves a gap/,
  },
  "overlapping tensors": {
    file: makeTensors({}, { name: "b.weight", offset: 128 }),
    message: /is 128 and overlaps the tensor before it \(limit: 160\)/,
  },
  "a gap between tensors": {
    file: makeTensors({}, { name: "b.weight", offset: 192 }),
    message: /is 192 and leaves a gap \(limit: 160\)/,
  },
  "data far past the end": {
    file: makeTensors({ dims: [64, 1_000_000] }),
    message: /puts the data's end at 68000000, past the end/,
  },
  "data one byte short": {
    file: makeFile({}, 135),
    message: /tensor data at byte 128 needs 136 bytes, past the end of the file/,
  },
  "a name that would write to a terminal": {
    file: makeTensors({ name: "\u001b[2J\u202eevil", dims: [] }),
    message: /tensor "\\u\{1b\}\[2J\\u\{202e\}evil"/,
  },
};

for (const [name, { file, message }] of Object.entries(hostile)) {
  Deno.test(`readGguf refuses: ${name}`, async () => {
    await assert.rejects(readGguf(readerOf(file)), (error) => {
      assert.ok(error instanceof AppError, String(error));
      assert.equal(error.code, "INVALID_MODEL");
      assert.match(error.message, message);
      assert.match(error.message, /at byte \d+ .*\(limit: /);
      return true;
    });
  });
}

Deno.test("readGguf refuses a header cut off at any byte", async () => {
  const file = makeFullModel();
  const needed = file.length - 12; // what pads the last tensor may be missing
  await readGguf(readerOf(file.subarray(0, needed)));
  for (let length = 0; length < needed; length += length < needed - 200 ? 3 : 1) {
    await assert.rejects(readGguf(readerOf(file.subarray(0, length))), { code: "INVALID_MODEL" });
  }
});

Deno.test("readGguf refuses a header past its cap", async () => {
  await assert.rejects(
    readGguf(readerOf(makeFullModel()), { limits: { headerBytes: 500 } }),
    /makes the header too large \(limit: 500\)/,
  );
});

Deno.test("readGguf refuses a file that shrank since its size was taken", async () => {
  const file = makeFile();
  const reader = { ...readerOf(file.subarray(0, 40)), size: file.length };
  await assert.rejects(readGguf(reader), { code: "INVALID_MODEL" });
});

Deno.test("readGguf passes a reader's own error and an abort", async () => {
  const failing = { size: 100, read: () => Promise.reject(new Error("disk on fire")) };
  await assert.rejects(readGguf(failing), /disk on fire/);
  const signal = AbortSignal.abort();
  await assert.rejects(readGguf(readerOf(makeFile()), { signal }), { name: "AbortError" });
});

Deno.test("readGguf survives mutated headers: INVALID_MODEL or a header, nothing else", async () => {
  const random = makeRandom(20261121);
  const original = makeFullModel();
  const interesting = [0, 1, 8, 0x7f, 0x80, 0xff];
  let refused = 0;
  const started = performance.now();
  for (let round = 0; round < 4000; round++) {
    let file = original.slice();
    for (let count = random(4) + 1; count > 0; count--) {
      const at = random(file.length);
      switch (random(4)) {
        case 0:
          file[at] = interesting[random(interesting.length)] ?? 0;
          break;
        case 1:
          file[at] = (file[at] ?? 0) ^ (1 << random(8));
          break;
        case 2: // a run of ones, as in a length near 2^64
          file.fill(0xff, at, at + 1 + random(8));
          break;
        default: // bytes move: everything after is read at the wrong place
          file = joinBytes([file.subarray(0, at), file.subarray(at + random(9))]);
      }
    }
    try {
      const header = await readGguf(readerOf(file));
      assert.ok(Number.isSafeInteger(header.parameterCount));
    } catch (error) {
      assert.ok(error instanceof AppError, `round ${round}: ${error}`);
      assert.equal(error.code, "INVALID_MODEL");
      assert.ok(error.message.length < 1000);
      refused++;
    }
  }
  assert.ok(refused > 1000, `only ${refused} refused`);
  assert.ok(performance.now() - started < 20_000, "fuzzing hung");
});

Deno.test("readGguf returns what a full header says", async () => {
  const header = await readGguf(readerOf(makeFullModel()));
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
  const header = await readGguf(readerOf(makeFile({ version: 2, metadata, tensors })));
  assert.deepEqual([header.version, header.alignment, header.quantization], [2, 8, "Q8_0"]);
});

Deno.test("readGguf recognises parts of a split model", async () => {
  const split = (index: number): Pair[] => [
    ["split.no", u16Value(index)],
    ["split.count", u16Value(2)],
    ["split.tensors.count", { type: valueType.i32, bytes: encodeU32(1) }],
  ];
  const first = makeFile({ metadata: [architecture, ...split(0)], tensors: [] });
  const later = makeFile({ metadata: split(1) });
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
  const reader = readerOf(makeModel([["x", numbers]]));
  await readGguf(reader);
  assert.ok(reader.bytesRead < 1_000_000, `${reader.bytesRead} bytes read`);
});

Deno.test("readGguf reads through chunk borders", async () => {
  const texts = Array.from({ length: 5000 }, (_, index) => `token ${index} `.repeat(index % 40));
  const file = makeModel([["x", stringsValue(texts)], ["general.name", stringValue("after")]]);
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

/** A model with each kind of value. */
function makeFullModel(): Uint8Array<ArrayBuffer> {
  return makeFile({
    metadata: [
      architecture,
      ["general.name", stringValue("Tiny\u202e model")],
      ["general.description", stringValue("line one\n\u001bline two")],
      ["general.license", stringValue("mit")],
      ["general.file_type", u32Value(7)],
      ["llama.context_length", u32Value(128)],
      ["llama.embedding_length", u64Value(64)],
      ["llama.block_count", { type: valueType.i32, bytes: encodeU32(2) }],
      ["llama.rope.freq_base", f32Value(10_000)],
      ["llama.unknown", { type: valueType.f64, bytes: new Uint8Array(8) }],
      ["llama.small", { type: valueType.i8, bytes: new Uint8Array([255]) }],
      ["llama.text", stringValue("unread")],
      ["llama.list", i32sValue([1, 2])],
      ["tokenizer.chat_template.tool_use", stringValue("{{ tools }}")],
      ["tokenizer.ggml.model", stringValue("llama")],
      ["tokenizer.ggml.tokens", stringsValue(["<unk>", "a", "\u2581b"])],
      ["tokenizer.ggml.scores", f32sValue([0, -1, -2])],
      ["tokenizer.ggml.token_type", i32sValue([2, 1, 1])],
      ["tokenizer.ggml.add_bos_token", boolValue(true)],
      ["tokenizer.chat_template", stringValue("{{ x }}\n")],
    ],
    tensors: [weights, { name: "b.weight", dims: [5], type: f32, offset: 160 }],
  }, 192);
}

/** Where the description of makeFile()'s tensor starts. */
function findTensor(): number {
  return encodeHeader({ metadata: [architecture], tensors: [] }).length;
}

/** mulberry32: whole numbers below `limit`. */
function makeRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}
