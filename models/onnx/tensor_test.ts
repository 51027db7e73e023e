import assert from "node:assert/strict";
import { type OnnxLimits, readOnnx } from "../onnx.ts";
import {
  entryParts,
  externalTensor,
  initializer,
  makeOnnx,
  node,
  onnxType,
  type TensorParts,
  tensorParts,
} from "../testing/onnx_file.ts";
import { bytesField, intField, messageField, packedField, type Part } from "../testing/proto.ts";
import { readerOf } from "../testing/reader.ts";
import { type HostileFile, testRefusals } from "../testing/refusals.ts";

const files = new Map([["w.bin", 64], ["sub/w.bin", 64]]);
const matMul = node("MatMul");
const withGraph = (...graph: Part[]) => makeOnnx({ graph: [matMul, ...graph] });
const withTensor = (parts: TensorParts) => withGraph(initializer(parts));
const withMore = (...more: Part[]) => makeOnnx({ more });
const withExternal = (entries: Readonly<Record<string, string>>, more: Part[] = []) =>
  withGraph(externalTensor(entries, more));
const withLocation = (location: string) => withExternal({ location });
const overlong = new Uint8Array([...Array(10).fill(0xff), 1]);

const hostile: { [name: string]: HostileFile<OnnxLimits> } = {
  "negative dimension": {
    file: withTensor({ dims: [-2, -4] }),
    message: /dims of graph\.initializer\[0\] "w" at byte \d+ hold -2 \(limit: 0 at least\)/,
  },
  "dimensions past 2^63": {
    file: withTensor({ dims: [2n ** 32n, 2n ** 32n], raw: 0 }),
    message: /dims of .* make too many elements/,
  },
  "dimensions that wrap round to few": {
    file: withTensor({ dims: [2n ** 33n, 2n ** 33n, 2] }),
    message: /make too many elements/,
  },
  "a dimension of 0 among vast ones": {
    file: withTensor({ dims: [2n ** 62n, 2n ** 62n, 0], raw: 0 }),
    message: /make too many elements/,
  },
  "too many dimensions": {
    file: withTensor({ dims: Array(65).fill(1), raw: 4 }),
    message: /dims of .* has 65 items \(limit: 64\)/,
  },
  "too many packed dimensions": {
    file: withGraph(messageField(5, [packedField(1, Array(65).fill(1)), intField(2, 1)])),
    message: /dims of .* has 65 items/,
  },
  "packed dimensions cut off": {
    file: withGraph(messageField(5, [bytesField(1, new Uint8Array([1, 0x80])), intField(2, 1)])),
    message: /dims of .* is cut off/,
  },
  "raw data a byte short": {
    file: withTensor({ raw: 31 }),
    message: /data of graph\.initializer\[0\] "w" at byte \d+ has 31 bytes \(limit: 32, as/,
  },
  "raw data a byte long": { file: withTensor({ raw: 33 }), message: /has 33 bytes \(limit: 32/ },
  "raw data for a far larger tensor": {
    file: withTensor({ dims: [1_000_000, 1_000_000] }),
    message: /has 32 bytes \(limit: 4000000000000/,
  },
  "4-bit data too long": {
    file: withTensor({ dims: [5], type: onnxType.uint4, raw: 5 }),
    message: /has 5 bytes \(limit: 3/,
  },
  "no data": { file: withTensor({ raw: undefined }), message: /has 0 values \(limit: 8/ },
  "raw data twice": {
    file: withTensor({ more: [bytesField(9, new Uint8Array(32))] }),
    message: /raw_data of .* comes twice/,
  },
  "data in two fields": {
    file: withTensor({ more: [bytesField(4, new Uint8Array(32))] }),
    message: /is in raw_data and float_data \(limit: one place\)/,
  },
  "floats that are no whole floats": {
    file: withTensor({ raw: undefined, more: [bytesField(4, new Uint8Array(31))] }),
    message: /float_data of .* is 31 bytes long \(limit: a multiple of 4\)/,
  },
  "too few floats": {
    file: withTensor({ raw: undefined, more: [bytesField(4, new Uint8Array(28))] }),
    message: /has 7 values \(limit: 8/,
  },
  "too many integers": {
    file: withTensor({
      type: onnxType.int64,
      raw: undefined,
      more: [packedField(7, Array(9).fill(300))],
    }),
    message: /has 9 values \(limit: 8/,
  },
  "integers that end within one": {
    file: withTensor({
      type: onnxType.int64,
      raw: undefined,
      more: [bytesField(7, new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 0x80]))],
    }),
    message: /int64_data .* ends within a number/,
  },
  "integers of more than 64 bits": {
    file: withTensor({ type: onnxType.int64, raw: undefined, more: [bytesField(7, overlong)] }),
    message: /int64_data .* holds no number of 64 bits/,
  },
  "integers in the field of another type": {
    file: withTensor({ raw: undefined, more: [packedField(7, Array(8).fill(1))] }),
    message: /is in int64_data \(limit: where the type F32 goes\)/,
  },
  "text in raw data": {
    file: withTensor({ type: onnxType.string }),
    message: /is in raw_data \(limit: where the type string goes\)/,
  },
  "unknown type": {
    file: withTensor({ type: 27 }),
    message: /data_type .* is 27 \(limit: 1 to 26\)/,
  },
  "type 0": { file: withTensor({ type: 0 }), message: /data_type .* is 0/ },
  "type that wraps round to a known one": {
    file: withTensor({ type: 2 ** 32 + 1 }),
    message: /data_type .* is 4294967297/,
  },
  "no type": {
    file: withGraph(messageField(5, [intField(1, 1)])),
    message: /data_type of .* is missing/,
  },
  "type twice": { file: withTensor({ more: [intField(2, 1)] }), message: /data_type .* twice/ },
  "segment": {
    file: withTensor({ more: [messageField(3, [intField(1, 0), intField(2, 8)])] }),
    message: /segment of .* is there/,
  },
  "bad tensor in an attribute of a nested graph": {
    file: withGraph(node("If", [
      messageField(5, [
        bytesField(1, "then_branch"),
        messageField(6, [
          node("Constant", [messageField(5, [messageField(5, tensorParts({ raw: 1 }))])]),
        ]),
      ]),
    ])),
    message: /graph\.node\[1\]\.attribute\[0\]\.g\.node\[0\]\.attribute\[0\]\.t "w" .* has 1 bytes/,
  },
  "bad tensor in a function": {
    file: withMore(messageField(25, [
      messageField(7, [
        bytesField(4, "Constant"),
        messageField(5, [messageField(5, tensorParts({ raw: 1 }))]),
      ]),
    ])),
    message: /functions\[0\]\.node\[0\]\.attribute\[0\]\.t "w" .* has 1 bytes/,
  },
  "bad tensor in training information": {
    file: withMore(messageField(20, [messageField(1, [initializer({ raw: 1 })])])),
    message: /training_info\[0\]\.initialization\.initializer\[0\] "w" .* has 1 bytes/,
  },
  "unknown attribute type": {
    file: withGraph(node("If", [messageField(5, [intField(20, 15)])])),
    message: /type of .* is 15 \(limit: 0 to 14\)/,
  },
  "sparse tensor that is vast when dense": {
    file: withGraph(sparse([2 ** 20, 2 ** 20])),
    message: /sparse_initializer\[0\] .* has 1099511627776 elements \(limit: 268435456\)/,
  },
  "sparse tensor without indices": {
    file: withGraph(messageField(15, [messageField(1, tensorParts()), intField(3, 8)])),
    message: /indices of .* are missing/,
  },

  "external data that is not there": {
    file: withLocation("other.bin"),
    message: /external location of .* is "other.bin", which is not there \(limit: a file beside/,
  },
  "external data without a location": {
    file: withExternal({ offset: "0" }),
    message: /is missing/,
  },
  "external data at an absolute path": {
    file: withLocation("/etc/passwd"),
    message: /is "\/etc\/passwd" and is absolute/,
  },
  "external data above the folder": {
    file: withLocation("../w.bin"),
    message: /leads out of the model's folder/,
  },
  "external data above the folder in the middle": {
    file: withLocation("sub/../../w.bin"),
    message: /leads out of/,
  },
  "external data with dots": { file: withLocation("./w.bin"), message: /or around in it/ },
  "external data in an empty folder": { file: withLocation("sub//w.bin"), message: /around in it/ },
  "external data that is a folder": { file: withLocation("sub/"), message: /around in it/ },
  "external data with a dot behind": { file: withLocation("w.bin."), message: /around in it/ },
  "external data behind a backslash": {
    file: withLocation("..\\w.bin"),
    message: /holds characters that no file's name should/,
  },
  "external data on a drive": { file: withLocation("C:w.bin"), message: /holds characters/ },
  "external data at a URL": { file: withLocation("https://x.invalid/w"), message: /holds char/ },
  "external data with a NUL": { file: withLocation("w.bin\0.txt"), message: /holds characters/ },
  "external data with a bidi mark": { file: withLocation("\u202ew.bin"), message: /holds char/ },
  "external data in the engine's memory": {
    file: withLocation("*/_ORT_MEM_ADDR_/*"),
    message: /holds characters/,
  },
  "external data without a name": { file: withLocation(""), message: /is "" and is empty/ },
  "external data with a name of 2,000 letters": {
    file: withLocation("w".repeat(2000)),
    message: /is too long/,
  },
  "external data with a name that is passed over": {
    file: withLocation("w".repeat(20_000)),
    message: /says no location/,
  },
  "external data past the end of its file": {
    file: withExternal({ location: "w.bin", offset: "33" }),
    message: /puts the data's end at 65, past the end of "w.bin" \(limit: 64\)/,
  },
  "external data at a negative offset": {
    file: withExternal({ location: "w.bin", offset: "-32" }),
    message: /external offset of .* is "-32" \(limit: a whole number/,
  },
  "external data at an offset that overflows": {
    file: withExternal({ location: "w.bin", offset: "18446744073709551615" }),
    message: /is "18446744073709551615"/,
  },
  "external data at an offset that is no number": {
    file: withExternal({ location: "w.bin", offset: "0x10" }),
    message: /is "0x10"/,
  },
  "external data at an offset near 2^63": {
    file: withExternal({ location: "w.bin", offset: "9223372036854775807" }),
    message: /puts the data's end at 9223372036854775839/,
  },
  "external data of another length": {
    file: withExternal({ location: "w.bin", length: "31" }),
    message: /external length of .* is 31 \(limit: 32 bytes/,
  },
  "external data in a folder of its own choice": {
    file: withExternal({ location: "w.bin", basepath: "/etc" }),
    message: /has the key "basepath" \(limit: location, offset, length, checksum\)/,
  },
  "external data in two places": {
    file: withExternal({ location: "w.bin" }, [messageField(13, entryParts("location", "/etc/x"))]),
    message: /says its location twice/,
  },
  "external data and raw data": {
    file: withExternal({ location: "w.bin" }, [bytesField(9, new Uint8Array(32))]),
    message: /is in raw_data and data_location/,
  },
  "external data that does not say that it is": {
    file: withTensor({ more: [messageField(13, entryParts("location", "/etc/passwd"))] }),
    message: /has a place outside, and does not say/,
  },
  "external data of text": {
    file: withGraph(messageField(5, [
      intField(2, onnxType.string),
      messageField(13, entryParts("location", "w.bin")),
      intField(14, 1),
    ])),
    message: /is in data_location \(limit: where the type string goes\)/,
  },
  "data at an unknown location": {
    file: withTensor({ more: [intField(14, 2)] }),
    message: /data_location .* is 2 \(limit: 0 to 1\)/,
  },
};

testRefusals(hostile, {
  name: "readOnnx",
  format: "ONNX",
  read: (reader, options) => readOnnx(reader, { ...options, externalFiles: files }),
});

Deno.test("readOnnx takes external data in the files that there are, and names them", async () => {
  const file = withGraph(
    externalTensor({ location: "sub/w.bin", offset: "32", length: "32", checksum: "ab" }),
    externalTensor({ location: "w.bin" }),
  );
  const { externalFiles } = await readOnnx(readerOf(file), { externalFiles: files });
  assert.deepEqual(externalFiles, ["sub/w.bin", "w.bin"]);
  await assert.rejects(readOnnx(readerOf(file)), /which is not there/);
});

function sparse(dims: readonly number[]): Part {
  return messageField(15, [
    messageField(1, tensorParts({ dims: [1], raw: 4 })),
    messageField(2, tensorParts({ dims: [1], type: onnxType.int64, raw: 8 })),
    ...dims.map((dim) => intField(3, dim)),
  ]);
}
