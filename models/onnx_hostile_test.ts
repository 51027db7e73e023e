import assert from "node:assert/strict";
import { joinBytes } from "./gguf/encode.ts";
import { type OnnxLimits, readOnnx } from "./onnx.ts";
import {
  entryParts,
  initializer,
  makeOnnx,
  nestedGraphs,
  node,
  type TensorParts,
  tensorParts,
  valueParts,
} from "./testing/onnx_file.ts";
import {
  bytesField,
  encodeTag,
  encodeVarint,
  intField,
  messageField,
  type Part,
} from "./testing/proto.ts";
import { readerOf } from "./testing/reader.ts";
import { type HostileFile, testRefusals } from "./testing/refusals.ts";

const matMul = node("MatMul");
const withGraph = (...graph: Part[]) => makeOnnx({ graph: [matMul, ...graph] });
const withTensor = (parts: TensorParts) => withGraph(initializer(parts));
const withMore = (...more: Part[]) => makeOnnx({ more });
const overlong = new Uint8Array([...Array(10).fill(0xff), 1]);

const hostile: { [name: string]: HostileFile<OnnxLimits> } = {
  "empty file": { file: new Uint8Array(0), message: /graph at byte 0 is missing/ },
  "text": { file: new TextEncoder().encode("#!/bin/sh\nrm -rf /\n"), message: /ONNX/ },
  "zeros": { file: new Uint8Array(64), message: /tag in model at byte 0 is the tag 0/ },
  "no graph": { file: makeOnnx({ model: () => [intField(1, 8)] }), message: /graph .* is missing/ },
  "two graphs": {
    file: withMore(messageField(7, [matMul])),
    message: /graph of model at byte \d+ comes twice/,
  },
  "graph without nodes": { file: makeOnnx({ graph: [] }), message: /graph .* has no nodes/ },
  "graph without outputs": { file: makeOnnx({ outputs: [] }), message: /graph .* has no outputs/ },
  "no version": {
    file: makeOnnx({ model: (graph) => [graph, messageField(8, [intField(2, 17)])] }),
    message: /ir_version .* is missing/,
  },
  "version 2^63": {
    file: makeOnnx({ model: (graph) => [intField(1, 2n ** 63n), graph] }),
    message: /ir_version of model .* is -9223372036854775808 \(limit: 1 to 64\)/,
  },
  "no operator set": {
    file: makeOnnx({ model: (graph) => [intField(1, 8), graph] }),
    message: /opset_import .* is missing/,
  },
  "node without an operator": {
    file: withGraph(messageField(1, [bytesField(1, "x")])),
    message: /graph\.node\[1\] .* has no operator/,
  },

  "length past the file": {
    file: makeOnnx({ model: () => [intField(1, 8), bytesField(7, "", 1000)] }),
    message: /graph of model .* is 1000 bytes long, past the end of its message \(limit: 0\)/,
  },
  "length past its message": {
    file: withGraph(bytesField(5, joinBytes(tensorParts()), 10_000)),
    message: /initializer of graph .* is 10000 bytes long, past the end of its message/,
  },
  "length shorter than its message": {
    file: withGraph(bytesField(5, joinBytes(tensorParts()), 8)),
    message: /at byte \d+/,
  },
  "length 2^31": {
    file: withGraph(bytesField(5, "", 2 ** 31)),
    message: /is 2147483648 bytes long/,
  },
  "length 2^63": {
    file: withGraph(bytesField(5, "", 2n ** 63n)),
    message: /is 9223372036854775808 bytes long/,
  },
  "length 2^64 - 1": {
    file: withGraph(bytesField(5, "", -1)),
    message: /is 18446744073709551615 bytes long/,
  },
  "length of more than 64 bits": {
    file: withMore(joinBytes([encodeTag(6, 2), overlong])),
    message: /doc_string of model .* is no number of 64 bits \(limit: 10 bytes\)/,
  },
  "number of more than 64 bits": {
    file: withMore(joinBytes([encodeTag(5, 0), overlong])),
    message: /model_version of model .* is no number of 64 bits/,
  },
  "number cut off": {
    file: withMore(joinBytes([encodeTag(5, 0), new Uint8Array([0xff])])),
    message: /model_version of model .* is cut off/,
  },
  "tag of more than 64 bits": { file: withMore(overlong), message: /tag in model .* 64 bits/ },
  "field number 2^29": {
    file: withMore(joinBytes([encodeVarint(2n ** 32n), encodeVarint(1)])),
    message: /tag in model .* is the tag 4294967296 \(limit: fields 1 to 536870911\)/,
  },
  "group": {
    file: withMore(encodeTag(77, 3)),
    message: /field 77 of model .* has the wire type 3 \(limit: 0, 1, 2 or 5\)/,
  },
  "end of a group": { file: withMore(encodeTag(77, 4)), message: /has the wire type 4/ },
  "wire type 7": { file: withMore(encodeTag(77, 7)), message: /has the wire type 7/ },
  "graph that is a number": {
    file: makeOnnx({ model: () => [intField(1, 8), intField(7, 1)] }),
    message: /graph of model .* has the wire type 0 \(limit: 2\)/,
  },
  "version that is text": {
    file: makeOnnx({ model: (graph) => [bytesField(1, "8"), graph] }),
    message: /ir_version of model .* has the wire type 2 \(limit: 0\)/,
  },
  "unknown field past the file": {
    file: withMore(bytesField(99, "", 5)),
    message: /field 99 of model .* is 5 bytes long/,
  },
  "fixed number cut off": {
    file: withMore(encodeTag(99, 1)),
    message: /field 99 of model .* is 8 bytes long/,
  },
  "name not UTF-8": {
    file: withGraph(
      initializer({ name: "" }),
      messageField(5, [bytesField(8, new Uint8Array([0xff]))]),
    ),
    message: /name .* is not UTF-8/,
  },
  "name too long": {
    file: withTensor({ name: "n".repeat(4097) }),
    message: /name of graph\.initializer\[0\] .* is 4097 bytes long \(limit: 4096\)/,
  },
  "a name that would write to a terminal": {
    file: withTensor({ name: "\u001b[2J\u202eevil", type: 99 }),
    message: /"\\u\{1b\}\[2J\\u\{202e\}evil"/,
  },

  "graphs nested 30 deep": {
    file: withGraph(nestedGraphs(30)),
    message: /is nested too deep \(limit: 64\)/,
  },
  "graphs nested 2,000 deep": { file: withGraph(nestedGraphs(2000)), message: /too deep/ },
  "types nested 100 deep": {
    file: withGraph(messageField(13, [bytesField(1, "v"), nestTypes(100)])),
    message: /is nested too deep/,
  },
  "too many nodes": {
    file: makeOnnx({ graph: Array(11).fill(matMul) }),
    limits: { nodeCount: 10 },
    message: /graph\.node\[10\] .* one too many in the file \(limit: 10\)/,
  },
  "too many nodes over all graphs": {
    file: withGraph(nestedGraphs(10)),
    limits: { nodeCount: 10 },
    message: /one too many in the file \(limit: 10\)/,
  },
  "too many initializers": {
    file: withGraph(...Array(11).fill(initializer())),
    limits: { tensorCount: 10 },
    message: /graph\.initializer\[10\] .* one too many/,
  },
  "too many attributes": {
    file: makeOnnx({ graph: [node("If", Array(11).fill(messageField(5, [bytesField(1, "a")])))] }),
    limits: { attributeCount: 10 },
    message: /attribute\[10\] .* one too many/,
  },
  "too many fields": {
    file: withMore(...Array(100).fill(intField(99, 0))),
    limits: { fieldCount: 80 },
    message: /one field too many \(limit: 80\)/,
  },
  "too many different operators": {
    file: makeOnnx({ graph: Array.from({ length: 11 }, (_, index) => node(`Op${index}`)) }),
    limits: { operatorCount: 10 },
    message: /has one operator too many/,
  },
  "too many inputs": {
    file: makeOnnx({ inputs: Array(4097).fill(messageField(11, valueParts("x", []))) }),
    message: /input of graph .* has 4097 items \(limit: 4096\)/,
  },
  "too much metadata": {
    file: withMore(...Array(1001).fill(messageField(14, entryParts("a", "b")))),
    message: /metadata_props of model .* has 1001 items \(limit: 1000\)/,
  },
  "too much structure": {
    file: makeOnnx({ graph: Array(5000).fill(matMul) }),
    limits: { structureBytes: 10_000 },
    message: /makes the file's structure too large \(limit: 10000\)/,
  },
  "names that are too long together": {
    file: withGraph(...Array(100).fill(initializer({ name: "n".repeat(1000) }))),
    limits: { textBytes: 50_000 },
    message: /makes the file's texts too long/,
  },
};

testRefusals(hostile, {
  name: "readOnnx",
  format: "ONNX",
  read: readOnnx,
});

Deno.test("readOnnx takes bounded time for a file of nothing but fields", async () => {
  const file = joinBytes([
    makeOnnx(),
    new Uint8Array(8 * 1024 * 1024).map((_, at) => at % 2 ? 0 : 0x78),
  ]);
  const started = performance.now();
  await readOnnx(readerOf(file));
  assert.ok(performance.now() - started < 10_000);
  await assert.rejects(
    readOnnx(readerOf(file), { limits: { fieldCount: 1000 } }),
    /field too many/,
  );
});

function nestTypes(depth: number): Part {
  let nested = messageField(2, [messageField(1, [intField(1, 1)])]);
  for (let count = 0; count < depth; count++) {
    nested = messageField(2, [messageField(4, [nestAs(1, nested)])]);
  }
  return nested;
}

/** The same field content under another number. */
function nestAs(number: number, part: Part): Part {
  return joinBytes([encodeTag(number, 2), part.subarray(1)]);
}
