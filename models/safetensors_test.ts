import assert from "node:assert/strict";
import { readSafetensors, type SafetensorsLimits } from "./safetensors.ts";
import { readerOf } from "./testing/reader.ts";
import { goodHeader, makeSafetensors } from "./testing/safetensors_file.ts";
import { type HostileFile, testRefusals } from "./testing/refusals.ts";

const a = `"a":{"dtype":"F32","shape":[2,5],"data_offsets":[0,40]}`;
const withA = (description: string) => makeSafetensors(`{"a":${description}}`, { dataBytes: 40 });
const withAll = (...members: string[]) => makeSafetensors(`{${members.join()}}`, { dataBytes: 40 });

const hostile: { [name: string]: HostileFile<SafetensorsLimits> } = {
  "empty file": { file: new Uint8Array(0), message: /header length at byte 0 is cut off/ },
  "header past the file": {
    file: makeSafetensors(goodHeader, { claimed: 10_000 }),
    message: /header at byte 8 is cut off by the end of the file/,
  },
  "header of more than 100 MB": {
    file: makeSafetensors(goodHeader, { claimed: 100_000_001 }),
    message: /header length at byte 0 is 100000001 \(limit: 100000000\)/,
  },
  "header of 2^64 - 1 bytes": {
    file: makeSafetensors(goodHeader, { claimed: 2n ** 64n - 1n }),
    message: /is 18446744073709551615/,
  },
  "header of 0 bytes": { file: makeSafetensors(""), message: /header at byte 8 does not start/ },
  "header a byte short": {
    file: makeSafetensors(goodHeader.trim(), { claimed: goodHeader.trim().length - 1 }),
    message: /header at byte \d+ is cut off by the end of the header/,
  },
  "header that starts with a space": { file: makeSafetensors(` ${goodHeader}`), message: /"{"/ },
  "header that is an array": { file: makeSafetensors("[]"), message: /does not start with it/ },
  "no tensors": { file: makeSafetensors("{}", { dataBytes: 0 }), message: /has no tensors/ },
  "more behind the header's end": {
    file: makeSafetensors(`{${a}} {}`, { dataBytes: 40 }),
    message: /header at byte 66 has the byte 0x7b \(limit: white space\)/,
  },
  "comma behind the last tensor": { file: withAll(a, ""), message: /limit: a string/ },
  "tensor twice": { file: withAll(a, a), message: /tensor "a" at byte \d+ comes twice/ },
  "tensor twice by an escape": {
    file: withAll(a, a.replace('"a"', '"\\u0061"')),
    message: /tensor "a" .* comes twice/,
  },
  "key of a tensor twice": {
    file: withA(`{"dtype":"F32","dtype":"F32","shape":[10],"data_offsets":[0,40]}`),
    message: /"dtype" of tensor "a" .* unknown or comes twice/,
  },
  "unknown key": {
    file: withA(`{"dtype":"F32","shape":[10],"data_offsets":[0,40],"x":1}`),
    message: /"x" of tensor "a" .* unknown/,
  },
  "missing key": {
    file: withA(`{"dtype":"F32","data_offsets":[0,40]}`),
    message: /tensor "a" .* is incomplete/,
  },
  "tensor without a key": { file: withA("{}"), message: /limit: a string/ },
  "tensor that is text": { file: withA(`"F32"`), message: /has the byte 0x22/ },
  "tensor nested 100,000 deep": { file: withA("[".repeat(100_000)), message: /has the byte 0x5b/ },
  "shape nested": {
    file: withA(`{"dtype":"F32","shape":[[10]],"data_offsets":[0,40]}`),
    message: /"shape" of tensor "a" .* has the byte 0x5b \(limit: digits\)/,
  },
  "unknown type": {
    file: withA(`{"dtype":"F31","shape":[10],"data_offsets":[0,40]}`),
    message: /has the unknown type "F31"/,
  },
  "type by a name of every object": {
    file: withA(`{"dtype":"constructor","shape":[10],"data_offsets":[0,40]}`),
    message: /unknown type "constructor"/,
  },
  "too many dimensions": {
    file: withA(`{"dtype":"F32","shape":[${Array(65).fill(1)}],"data_offsets":[0,40]}`),
    message: /"shape" of .* has too many items \(limit: 64\)/,
  },
  "negative dimension": {
    file: withA(`{"dtype":"F32","shape":[-10],"data_offsets":[0,40]}`),
    message: /has the byte 0x2d/,
  },
  "dimension with a fraction": {
    file: withA(`{"dtype":"F32","shape":[10.0],"data_offsets":[0,40]}`),
    message: /has the byte 0x2e/,
  },
  "dimension with an exponent": {
    file: withA(`{"dtype":"F32","shape":[1e1],"data_offsets":[0,40]}`),
    message: /has the byte 0x65/,
  },
  "dimension with a zero before": {
    file: withA(`{"dtype":"F32","shape":[010],"data_offsets":[0,40]}`),
    message: /is no number that counts something/,
  },
  "dimension past 2^53": {
    file: withA(`{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,40]}`),
    message: /is no number that counts something \(limit: 9007199254740991\)/,
  },
  "elements past 2^63": {
    file: withA(`{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,40]}`),
    message: /has too many elements/,
  },
  "data that does not fit its shape": {
    file: withA(`{"dtype":"F32","shape":[9],"data_offsets":[0,40]}`),
    message: /tensor "a" .* has 40 bytes \(limit: 288 bits/,
  },
  "data of half a byte": {
    file: withA(`{"dtype":"F4","shape":[79],"data_offsets":[0,40]}`),
    message: /has 40 bytes \(limit: 316 bits/,
  },
  "data past the file": {
    file: withA(`{"dtype":"F32","shape":[11],"data_offsets":[0,44]}`),
    message: /is at 0 to 44 \(limit: 0 to 40\)/,
  },
  "data that ends before it starts": {
    file: withA(`{"dtype":"F32","shape":[0],"data_offsets":[40,0]}`),
    message: /is at 40 to 0/,
  },
  "three offsets": {
    file: withA(`{"dtype":"F32","shape":[10],"data_offsets":[0,40,40]}`),
    message: /"data_offsets" of .* has too many items/,
  },
  "one offset": {
    file: withA(`{"dtype":"F32","shape":[10],"data_offsets":[0]}`),
    message: /is incomplete/,
  },
  "overlapping tensors": {
    file: withAll(a, `"b":{"dtype":"I8","shape":[4],"data_offsets":[36,40]}`),
    message: /tensor "b" .* starts at 36 and overlaps the tensor before it \(limit: 40\)/,
  },
  "two tensors at one place": { file: withAll(a, a.replace("a", "b")), message: /overlaps/ },
  "a gap between tensors": {
    file: withAll(
      `"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}`,
      `"b":{"dtype":"I8","shape":[30],"data_offsets":[10,40]}`,
    ),
    message: /tensor "b" .* starts at 10 and leaves a gap \(limit: 4\)/,
  },
  "bytes behind the last tensor": {
    file: makeSafetensors(`{${a}}`, { dataBytes: 41 }),
    message: /tensor data .* has 41 bytes \(limit: 40/,
  },
  "too many tensors": {
    file: makeSafetensors(),
    limits: { tensorCount: 1 },
    message: /is one tensor too many \(limit: 1\)/,
  },
  "name too long": {
    file: withAll(a.replace("a", "a".repeat(1025))),
    message: /name of tensor 0 .* bytes long \(limit: 1024\)/,
  },
  "name not UTF-8": {
    file: makeSafetensors(new Uint8Array([0x7b, 0x22, 0xff, 0x22])),
    message: /name of tensor 0 .* is not UTF-8/,
  },
  "name with a control character": { file: withAll(a.replace("a", "\u0001")), message: /0x01/ },
  "name with half a character": {
    file: withAll(a.replace("a", "\\ud800")),
    message: /has an unknown escape/,
  },
  "name with an unknown escape": { file: withAll(a.replace("a", "\\x41")), message: /escape/ },
  "name without an end": { file: makeSafetensors(`{"aaaa`), message: /cut off/ },
  "name that ends within an escape": { file: makeSafetensors(`{"a\\`), message: /cut off/ },
  "a name that would write to a terminal": {
    file: withAll(a.replace("a", "\\u001b[2J\\u202eevil").replace("F32", "F99")),
    message: /tensor "\\u\{1b\}\[2J\\u\{202e\}evil"/,
  },
  "metadata that is no text": {
    file: withAll(`"__metadata__":{"x":1}`, a),
    message: /"x" of __metadata__ .* has the byte 0x31 \(limit: a string\)/,
  },
  "metadata nested": { file: withAll(`"__metadata__":{"x":{}}`, a), message: /byte 0x7b/ },
  "metadata twice": {
    file: withAll(`"__metadata__":{}`, `"__metadata__":{}`, a),
    message: /tensor "__metadata__" .* comes twice/,
  },
  "metadata key twice": {
    file: withAll(`"__metadata__":{"x":"1","x":"2"}`, a),
    message: /"x" of __metadata__ .* comes twice/,
  },
  "too much metadata": {
    file: withAll(`"__metadata__":{"x":"1","y":"2"}`, a),
    limits: { metadataCount: 1 },
    message: /is one key too many/,
  },
};

testRefusals(hostile, { name: "readSafetensors", format: "Safetensors", read: readSafetensors });

Deno.test("readSafetensors refuses a file cut off at any byte", async () => {
  const file = makeSafetensors();
  for (let length = 0; length < file.length; length++) {
    const cut = readSafetensors(readerOf(file.subarray(0, length)));
    await assert.rejects(cut, { code: "INVALID_MODEL" });
  }
});

Deno.test("readSafetensors passes a reader's own error and an abort", async () => {
  const failing = { size: 100, read: () => Promise.reject(new Error("disk on fire")) };
  await assert.rejects(readSafetensors(failing), /disk on fire/);
  const signal = AbortSignal.abort();
  await assert.rejects(readSafetensors(readerOf(makeSafetensors()), { signal }), {
    name: "AbortError",
  });
});

Deno.test("readSafetensors returns what a header says", async () => {
  assert.deepEqual(await readSafetensors(readerOf(makeSafetensors())), {
    parameterCount: 14,
    tensorCount: 2,
    quantization: "F32",
    headerBytes: 8 + goodHeader.length,
    metadata: new Map([["format", "pt"], ["license", "mit"]]),
  });
});

Deno.test("readSafetensors takes scalars, empty tensors and white space", async () => {
  const header = `{\n\t"s" : { "shape" : [ ] , "dtype" : "F64" , "data_offsets" : [ 0 , 8 ] } ,` +
    ` "e": {"dtype":"F32","shape":[0,3],"data_offsets":[8,8]} }\r\n `;
  const { parameterCount, tensorCount } = await readSafetensors(
    readerOf(makeSafetensors(header, { dataBytes: 8 })),
  );
  assert.deepEqual([parameterCount, tensorCount], [1, 2]);
});

Deno.test("readSafetensors leaves out metadata that is too long to show", async () => {
  const header = `{"__metadata__":{"x":"${"x".repeat(100_000)}","y":"short"},${a}}`;
  const { metadata } = await readSafetensors(readerOf(makeSafetensors(header, { dataBytes: 40 })));
  assert.deepEqual(metadata, new Map([["y", "short"]]));
});

Deno.test("readSafetensors reads the header alone, and 100,000 tensors in no time", async () => {
  const count = 100_000;
  const tensors = Array.from(
    { length: count },
    (_, index) =>
      `"model.layers.${index}.w":{"dtype":"I8","shape":[1,64],"data_offsets":[${index * 64},${
        index * 64 + 64
      }]}`,
  );
  const reader = readerOf(makeSafetensors(`{${tensors.join()}}`, { dataBytes: 64 * count }));
  const started = performance.now();
  const header = await readSafetensors(reader);
  assert.ok(performance.now() - started < 5000);
  assert.equal(header.parameterCount, 64 * count);
  assert.ok(reader.bytesRead < header.headerBytes + 300_000, `${reader.bytesRead} bytes read`);
});
