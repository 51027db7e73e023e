import assert from "node:assert/strict";
import { type GgufLimits, readGguf } from "./gguf.ts";
import {
  arrayValue,
  boolValue,
  encodeU32,
  encodeU64,
  f32sValue,
  i32sValue,
  stringsValue,
  stringValue,
  u16Value,
  u32Value,
} from "./gguf/encode.ts";
import { valueType } from "./gguf/metadata.ts";
import {
  architecture,
  f32,
  findGgufTensor,
  makeFullGguf,
  makeGguf,
  makeGgufOf,
  makeGgufWith,
  u64Value,
} from "./testing/gguf_file.ts";
import { patch, readerOf } from "./testing/reader.ts";
import { type HostileFile, testRefusals } from "./testing/refusals.ts";

const hostile: { [name: string]: HostileFile<GgufLimits> } = {
  "empty file": { file: new Uint8Array(0), message: /magic at byte 0 is cut off/ },
  "wrong magic": {
    file: patch(makeGguf(), 0, encodeU32(0x21)),
    message: /magic at byte 0 is 0x00/,
  },
  "version 1": { file: makeGguf({ version: 1 }), message: /version at byte 4 is 1 .*2 or 3/ },
  "version 4": { file: makeGguf({ version: 4 }), message: /version at byte 4 is 4/ },
  "big-endian": { file: makeGguf({ version: 0x03000000 }), message: /version .* is big-endian/ },
  "tensor count past the cap": {
    file: makeGguf({ tensorCount: 2n ** 64n - 1n }),
    message: /tensor count at byte 8 is 18446744073709551615 \(limit: 131072\)/,
  },
  "tensor count past the file": {
    file: makeGguf({ tensorCount: 1000n }),
    message: /tensor count at byte 8 is 1000, more than the file can hold/,
  },
  "metadata count past the cap": {
    file: makeGguf({ metadataCount: 2n ** 63n }),
    message: /metadata count at byte 16 is 9223372036854775808 \(limit: 10000\)/,
  },
  "metadata count past the file": {
    file: makeGguf({ metadataCount: 9999n }),
    message: /metadata count at byte 16 is 9999, more than/,
  },
  "metadata count one too high": {
    file: makeGguf({ metadataCount: 2n }),
    message: /name of tensor 0/,
  },
  "key too long": {
    file: makeGgufWith([["k".repeat(1025), boolValue(true)]]),
    message: /length of key 1 at byte \d+ is 1025 \(limit: 1024\)/,
  },
  "key length near 2^64": {
    file: patch(makeGguf(), 24, encodeU64(2n ** 64n - 8n)),
    message: /length of key 0 at byte 24 is 18446744073709551608/,
  },
  "empty key": { file: makeGgufWith([["", boolValue(true)]]), message: /key "" .* is empty/ },
  "key not UTF-8": {
    file: makeGgufWith([[new Uint8Array([0x61, 0xff]), boolValue(true)]]),
    message: /key 1 at byte \d+ is not UTF-8/,
  },
  "key twice": { file: makeGgufWith([architecture]), message: /"general.architecture" .* twice/ },
  "unknown value type": {
    file: makeGgufWith([["x", { type: 13, bytes: new Uint8Array(8) }]]),
    message: /key "x" at byte \d+ has the unknown value type 13/,
  },
  "bool 2": {
    file: makeGgufWith([["x", { type: valueType.bool, bytes: new Uint8Array([2]) }]]),
    message: /key "x" .* is the bool 2/,
  },
  "string past the cap": {
    file: makeGgufWith([["x", { type: valueType.string, bytes: encodeU64(2n ** 40n) }]]),
    message: /length of key "x" .* is 1099511627776 \(limit: 16777216\)/,
  },
  "string past the file": {
    file: makeGgufWith([["x", { type: valueType.string, bytes: encodeU64(100_000) }]]),
    message: /key "x" .* is cut off by the end of the file/,
  },
  "name not UTF-8": {
    file: makeGgufWith([["general.name", stringValue(new Uint8Array([0xc3]))]]),
    message: /"general.name" .* is not UTF-8/,
  },
  "name too long": {
    file: makeGgufWith([["general.name", stringValue("n".repeat(65_537))]]),
    message: /"general.name" .* is 65537 \(limit: 65536\)/,
  },
  "name that is a number": {
    file: makeGgufWith([["general.name", u32Value(1)]]),
    message: /"general.name" .* is of kind "integer"/,
  },
  "chat template too large": {
    file: makeGgufWith([["tokenizer.chat_template", stringValue("t".repeat(262_145))]]),
    message: /"tokenizer.chat_template" .* is 262145 \(limit: 262144\)/,
  },
  "further chat template too large": {
    file: makeGgufWith([["tokenizer.chat_template.tool_use", stringValue("t".repeat(262_145))]]),
    message: /"tokenizer.chat_template.tool_use" .* \(limit: 262144\)/,
  },
  "array length past the cap": {
    file: makeGgufWith([["x", arrayValue(valueType.u8, 2n ** 62n, new Uint8Array(0))]]),
    message: /array length of key "x" .* is 4611686018427387904 \(limit: 16777216\)/,
  },
  "array past the file": {
    file: makeGgufWith([["x", arrayValue(valueType.f64, 16_000_000, new Uint8Array(0))]]),
    message: /key "x" .* is cut off/,
  },
  "array of strings past the file": {
    file: makeGgufWith([["x", arrayValue(valueType.string, 16_000_000, new Uint8Array(0))]]),
    message: /key "x" .* is cut off/,
  },
  "array with a string near 2^64": {
    file: makeGgufWith([["x", arrayValue(valueType.string, 1, encodeU64(2n ** 64n - 1n))]]),
    message: /key "x" .* has an item of 18446744073709551615 bytes/,
  },
  "array of an unknown type": {
    file: makeGgufWith([["x", arrayValue(99, 1, new Uint8Array(8))]]),
    message: /unknown value type 99/,
  },
  "arrays in an array": {
    file: makeGgufWith([["x", arrayValue(valueType.array, 1, new Uint8Array(12))]]),
    message: /key "x" .* has arrays in an array \(limit: one level\)/,
  },
  "tokens that are no strings": {
    file: makeGgufWith([["tokenizer.ggml.tokens", i32sValue([1])]]),
    message: /"tokenizer.ggml.tokens" .* wrong type \(limit: array of strings\)/,
  },
  "tokens that are no array": {
    file: makeGgufWith([["tokenizer.ggml.tokens", u32Value(1)]]),
    message: /"tokenizer.ggml.tokens" .* wrong type/,
  },
  "fewer scores than tokens": {
    file: makeGgufWith([
      ["tokenizer.ggml.tokens", stringsValue(["a", "b"])],
      ["tokenizer.ggml.scores", f32sValue([0])],
    ]),
    message: /"tokenizer.ggml.scores" .* has 1 items \(limit: one for each of 2 tokens\)/,
  },
  "token types of a short type": {
    file: makeGgufWith([
      ["tokenizer.ggml.tokens", stringsValue(["a"])],
      ["tokenizer.ggml.token_type", arrayValue(valueType.u8, 1, new Uint8Array(1))],
    ]),
    message: /"tokenizer.ggml.token_type" .* wrong type/,
  },
  "no architecture": {
    file: makeGguf({ metadata: [["x", u32Value(1)]] }),
    message: /"general.architecture" .* is missing/,
  },
  "architecture with a newline": {
    file: makeGguf({ metadata: [["general.architecture", stringValue("llama\n")]] }),
    message: /no name of an architecture/,
  },
  "context length 0": {
    file: makeGgufWith([["llama.context_length", u32Value(0)]]),
    message: /"llama.context_length" .* is 0 \(limit: 1 to 4294967295\)/,
  },
  "context length past u32": {
    file: makeGgufWith([["llama.context_length", u64Value(2n ** 53n + 1n)]]),
    message: /is 9007199254740993/,
  },
  "pooling of a type that aborts the engine": {
    file: makeGgufWith([["llama.pooling_type", u32Value(77)]]),
    message: /"llama.pooling_type" .* is 77 \(limit: -1 to 4\)/,
  },
  "more head counts than any model has blocks": {
    file: makeGgufWith([["llama.attention.head_count_kv", i32sValue(Array(4097).fill(1))]]),
    message: /"llama.attention.head_count_kv" .* has 4097 items \(limit: 4096\)/,
  },
  "head count below 0": {
    file: makeGgufWith([["llama.attention.head_count", i32sValue([4, -4])]]),
    message: /"llama.attention.head_count" .* holds -4 \(limit: 0 to 4294967295\)/,
  },
  "head counts that are no integers": {
    file: makeGgufWith([["llama.attention.head_count_kv", f32sValue([4])]]),
    message: /"llama.attention.head_count_kv" .* wrong type/,
  },
  "block count 0": {
    file: makeGgufWith([["llama.block_count", u32Value(0)]]),
    message: /"llama.block_count" .* is 0/,
  },
  "alignment 24": {
    file: makeGgufWith([["general.alignment", u32Value(24)]]),
    message: /"general.alignment" .* is 24 \(limit: a power of two\)/,
  },
  "alignment 0": { file: makeGgufWith([["general.alignment", u32Value(0)]]), message: /is 0/ },
  "alignment 2^31": {
    file: makeGgufWith([["general.alignment", u32Value(2 ** 31)]]),
    message: /is 2147483648 \(limit: 8 to 1048576\)/,
  },
  "alignment of another type": {
    file: makeGgufWith([["general.alignment", u64Value(32)]]),
    message: /"general.alignment" .* wrong type \(limit: u32\)/,
  },
  "split part past its count": {
    file: makeGgufWith([["split.count", u16Value(2)], ["split.no", u16Value(2)]]),
    message: /"split.no" .* is 2 \(limit: 0 to 1\)/,
  },
  "split without a number": {
    file: makeGgufWith([["split.count", u16Value(2)]]),
    message: /"split.no" .* is missing/,
  },
  "no tensors": { file: makeGguf({ tensors: [] }), message: /tensor count at byte 8 is 0/ },
  "tensor name too long": {
    file: makeGgufOf({ name: "n".repeat(64) }),
    message: /length of name of tensor 0 .* is 64 \(limit: 63\)/,
  },
  "tensor without a name": { file: makeGgufOf({ name: "" }), message: /has no name/ },
  "tensor name not UTF-8": {
    file: makeGgufOf({ name: new Uint8Array([0x80]) }),
    message: /name of tensor 0 .* is not UTF-8/,
  },
  "tensor twice": { file: makeGgufOf({}, { offset: 160 }), message: /"a.weight" .* twice/ },
  "5 dimensions": {
    file: makeGgufOf({ dims: [64, 1, 1, 1, 1] }),
    message: /dimension count of tensor "a.weight" .* is 5 \(limit: 1 to 4\)/,
  },
  "2^32 - 1 dimensions": {
    file: patch(makeGguf(), findGgufTensor() + 16, encodeU32(2 ** 32 - 1)),
    message: /is 4294967295 \(limit: 1 to 4\)/,
  },
  "no dimensions": { file: makeGgufOf({ dims: [] }), message: /dimension count .* is 0/ },
  "dimension 0": { file: makeGgufOf({ dims: [64, 0] }), message: /dimension 1 .* is 0/ },
  "dimension past 2^63": {
    file: makeGgufOf({ dims: [2n ** 63n] }),
    message: /dimension 0 .* is 9223372036854775808/,
  },
  "elements past 2^63": {
    file: makeGgufOf({ dims: [2n ** 32n, 2n ** 32n, 1, 1] }),
    message: /has too many elements/,
  },
  "elements that wrap round to few": {
    file: makeGgufOf({ dims: [2n ** 32n, 2n ** 32n, 2n ** 32n, 2n ** 32n] }),
    message: /has too many elements/,
  },
  "bytes past 2^63": {
    file: makeGgufOf({ dims: [2n ** 62n], type: f32 }),
    message: /has too many bytes/,
  },
  "removed ggml type": { file: makeGgufOf({ type: 31 }), message: /unknown ggml type 31/ },
  "unknown ggml type": { file: makeGgufOf({ type: 2 ** 31 }), message: /type 2147483648/ },
  "rows that are no whole blocks": {
    file: makeGgufOf({ dims: [16, 4] }),
    message: /rows of 16 elements \(limit: a multiple of 32, the block of Q8_0\)/,
  },
  "offset not aligned": {
    file: makeGgufOf({ offset: 8 }),
    message: /data offset of tensor "a.weight" .* is 8 \(limit: a multiple of 32\)/,
  },
  "offset past the file": {
    file: makeGgufOf({ offset: 2n ** 63n }),
    message: /is 9223372036854775808 and leaves a gap/,
  },
  "overlapping tensors": {
    file: makeGgufOf({}, { name: "b.weight", offset: 128 }),
    message: /is 128 and overlaps the tensor before it \(limit: 160\)/,
  },
  "a gap between tensors": {
    file: makeGgufOf({}, { name: "b.weight", offset: 192 }),
    message: /is 192 and leaves a gap \(limit: 160\)/,
  },
  "data far past the end": {
    file: makeGgufOf({ dims: [64, 1_000_000] }),
    message: /puts the data's end at 68000000, past the end/,
  },
  "data one byte short": {
    file: makeGguf({}, 135),
    message: /tensor data at byte 128 needs 136 bytes, past the end of the file/,
  },
  "a name that would write to a terminal": {
    file: makeGgufOf({ name: "\u001b[2J\u202eevil", dims: [] }),
    message: /tensor "\\u\{1b\}\[2J\\u\{202e\}evil"/,
  },
};

testRefusals(hostile, { name: "readGguf", format: "GGUF", read: readGguf });

Deno.test("readGguf refuses a header cut off at any byte", async () => {
  const file = makeFullGguf();
  const needed = file.length - 12; // what pads the last tensor may be missing
  await readGguf(readerOf(file.subarray(0, needed)));
  for (let length = 0; length < needed; length += length < needed - 200 ? 3 : 1) {
    await assert.rejects(readGguf(readerOf(file.subarray(0, length))), { code: "INVALID_MODEL" });
  }
});

Deno.test("readGguf refuses a header past its cap", async () => {
  await assert.rejects(
    readGguf(readerOf(makeFullGguf()), { limits: { headerBytes: 500 } }),
    /makes the header too large \(limit: 500\)/,
  );
});

Deno.test("readGguf refuses a file that shrank since its size was taken", async () => {
  const file = makeGguf();
  const reader = { ...readerOf(file.subarray(0, 40)), size: file.length };
  await assert.rejects(readGguf(reader), { code: "INVALID_MODEL" });
});
