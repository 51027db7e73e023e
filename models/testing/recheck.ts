// Checks again, in the plainest way and with none of the validators' code, what they accepted: all data is
// in the file, and counts are what the header says. Throws where it is not so.

import assert from "node:assert/strict";
import type { GgufHeader } from "../gguf.ts";
import type { OnnxHeader } from "../onnx.ts";
import type { SafetensorsHeader } from "../safetensors.ts";
import { parseTree, type TreeField } from "./proto_tree.ts";

/** Where a GGUF header's numbers stand: for mutations that hit structure. */
export interface GgufPlace {
  at: number;
  bytes: 4 | 8;
}

/** Elements and bytes of a block by ggml type. */
const blocks: { readonly [type: number]: readonly [number, number] } = {
  0: [1, 4],
  1: [1, 2],
  2: [32, 18],
  3: [32, 20],
  6: [32, 22],
  7: [32, 24],
  8: [32, 34],
  9: [32, 36],
  10: [256, 84],
  11: [256, 110],
  12: [256, 144],
  13: [256, 176],
  14: [256, 210],
  15: [256, 292],
  16: [256, 66],
  17: [256, 74],
  18: [256, 98],
  19: [256, 50],
  20: [32, 18],
  21: [256, 110],
  22: [256, 82],
  23: [256, 136],
  24: [1, 1],
  25: [1, 2],
  26: [1, 4],
  27: [1, 8],
  28: [1, 8],
  29: [256, 56],
  30: [1, 2],
  34: [256, 54],
  35: [256, 66],
  39: [32, 17],
  40: [64, 36],
  41: [128, 18],
  42: [64, 18],
};

/** Reads a GGUF file from front to back. Answers where its numbers are. */
export function recheckGguf(file: Uint8Array, header?: GgufHeader): GgufPlace[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const places: GgufPlace[] = [];
  let at = 0;
  const u32 = () => {
    places.push({ at, bytes: 4 });
    at += 4;
    return view.getUint32(at - 4, true);
  };
  const u64 = () => {
    places.push({ at, bytes: 8 });
    at += 8;
    return view.getBigUint64(at - 8, true);
  };
  const pass = (length: bigint) => {
    assert.ok(BigInt(at) + length <= BigInt(file.length), "past the end");
    at += Number(length);
  };
  const text = () => {
    const length = u64();
    pass(length);
    return new TextDecoder().decode(file.subarray(at - Number(length), at));
  };
  const sizes = [1n, 1n, 2n, 2n, 4n, 4n, 4n, 1n, 0n, 0n, 8n, 8n, 8n];
  let alignment = 32n;
  const value = (type: number, key: string): void => {
    if (type === 8) text();
    else if (type === 9) {
      const item = u32();
      const length = u64();
      assert.notEqual(item, 9);
      if (item === 8) { for (let index = 0n; index < length; index++) text(); }
      else pass(length * (sizes[item] ?? 2n ** 64n));
    } else {
      if (key === "general.alignment") alignment = BigInt(view.getUint32(at, true));
      pass(sizes[type] ?? 2n ** 64n);
    }
  };

  assert.equal(u32(), 0x46554747);
  u32();
  const tensorCount = u64();
  const metadataCount = u64();
  for (let index = 0n; index < metadataCount; index++) {
    const key = text();
    value(u32(), key);
  }
  let parameters = 0n;
  const ends: { start: bigint; end: bigint }[] = [];
  for (let index = 0n; index < tensorCount; index++) {
    text();
    let elements = 1n;
    for (let dims = u32(); dims > 0; dims--) elements *= u64();
    const [blockElements, blockBytes] = blocks[u32()] ?? [0, 0];
    const start = u64();
    assert.equal(elements % BigInt(blockElements), 0n);
    ends.push({ start, end: start + elements / BigInt(blockElements) * BigInt(blockBytes) });
    parameters += elements;
  }
  const data = (BigInt(at) + alignment - 1n) / alignment * alignment;
  for (const { start, end } of ends) {
    assert.ok(start < end && data + end <= BigInt(file.length), "a tensor lies outside the file");
    assert.ok(!ends.some((other) => other.start < start && other.end > start), "tensors overlap");
  }
  if (header !== undefined) {
    assert.equal(BigInt(header.tensorCount), tensorCount);
    assert.equal(BigInt(header.parameterCount), parameters);
    assert.equal(BigInt(header.headerBytes), data);
  }
  return places;
}

/** Bits of an element by ONNX type. */
const bits = [
  0,
  32,
  8,
  8,
  16,
  16,
  32,
  64,
  0,
  8,
  16,
  64,
  32,
  64,
  64,
  128,
  16,
  8,
  8,
  8,
  8,
  4,
  4,
  4,
  8,
  2,
  2,
];

export function recheckOnnx(
  file: Uint8Array,
  header: OnnxHeader,
  files: ReadonlyMap<string, number>,
): void {
  let nodes = 0;
  let parameters = 0n;
  const visit = (fields: readonly TreeField[], kind: string, depth: number): void => {
    assert.ok(depth <= 64, "nested too deep");
    if (kind === "node") nodes++;
    if (kind === "tensor") parameters += recheckTensor(fields, files);
    for (const { number, value } of fields) {
      if (!Array.isArray(value)) continue;
      const inner = innerKinds[kind]?.[number];
      if (inner !== undefined) visit(value, inner, depth + 1);
    }
  };
  const model = parseTree(file);
  visit(model, "model", 1);
  assert.equal(model.filter(({ number }) => number === 7).length, 1);
  assert.equal(header.nodeCount, nodes);
  assert.equal(BigInt(header.parameterCount), parameters);
}

const innerKinds: { readonly [kind: string]: { readonly [number: number]: string } } = {
  model: { 7: "graph", 20: "training", 25: "function" },
  training: { 1: "graph", 2: "graph" },
  function: { 7: "node", 11: "attribute" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  sparse: { 1: "tensor", 2: "tensor" },
};

function recheckTensor(fields: readonly TreeField[], files: ReadonlyMap<string, number>): bigint {
  const all = (number: number) => fields.filter((field) => field.number === number);
  const numbers = (number: number, wire = 0) =>
    all(number).flatMap(({ value }) =>
      typeof value === "bigint"
        ? [value]
        : wire === 0 && value instanceof Uint8Array
        ? readVarints(value)
        : []
    );
  const dims = numbers(1).map((dim) => BigInt.asIntN(64, dim));
  assert.ok(dims.every((dim) => dim >= 0n), "a negative dimension");
  const elements = dims.reduce((product, dim) => product * dim, 1n);
  assert.equal(all(2).length, 1);
  const size = bits[Number(all(2)[0]?.value)];
  assert.ok(size !== undefined && Number(all(2)[0]?.value) > 0, "an unknown type");
  const bytes = (elements * BigInt(size) + 7n) / 8n;
  const raw = all(9)[0]?.value;
  if (all(14)[0]?.value === 1n) {
    const entries = new Map(
      all(13).map(({ value }) => {
        const text = (number: number) => {
          const found = Array.isArray(value)
            ? value.find((field) => field.number === number)
            : undefined;
          return found?.value instanceof Uint8Array ? new TextDecoder().decode(found.value) : "";
        };
        return [text(1), text(2)];
      }),
    );
    const available = files.get(entries.get("location") ?? "");
    assert.ok(available !== undefined, "a file that is not there");
    assert.ok(BigInt(entries.get("offset") ?? "0") + bytes <= BigInt(available), "past its file");
    assert.equal(raw, undefined);
  } else if (raw instanceof Uint8Array) {
    assert.equal(BigInt(raw.length), bytes, "raw data of the wrong size");
  } else {
    const fixed = (number: number, width: number) =>
      all(number).reduce(
        (sum, { value }) => sum + (value instanceof Uint8Array ? value.length / width : 0),
        0,
      );
    const values = fixed(4, 4) + fixed(10, 8) + all(6).length +
      [5, 7, 11].reduce((sum, number) => sum + numbers(number).length, 0);
    const type = Number(all(2)[0]?.value);
    const each = type === 14 || type === 15 ? 2 : size === 4 ? 0.5 : size === 2 ? 0.25 : 1;
    assert.equal(values, Math.ceil(Number(elements) * each), "values that are not there");
  }
  return elements;
}

function readVarints(bytes: Uint8Array): bigint[] {
  const values: bigint[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte >= 0x80) continue;
    values.push(value);
    [value, shift] = [0n, 0n];
  }
  assert.equal(shift, 0n, "a number that does not end");
  return values;
}

export function recheckSafetensors(file: Uint8Array, header: SafetensorsHeader): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const length = Number(view.getBigUint64(0, true));
  const parsed: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> =
    JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  const tensors = Object.entries(parsed).filter(([name]) => name !== "__metadata__");
  const owners = new Uint8Array(file.length - 8 - length);
  let parameters = 0;
  for (const [, { dtype, shape, data_offsets: [start, end] }] of tensors) {
    const elements = shape.reduce((product, size) => product * size, 1);
    const width = /^(?:F8|I8$|U8$|BOOL)/.test(dtype) ? 8 : Number(/\d+/.exec(dtype)?.[0]);
    assert.equal(elements * width, (end - start) * 8);
    for (let at = start; at < end; at++) owners[at] = (owners[at] ?? 0) + 1;
    assert.ok(end <= owners.length);
    parameters += elements;
  }
  assert.ok(owners.every((count) => count === 1), "bytes that belong to two tensors, or to none");
  assert.equal(header.tensorCount, tensors.length);
  assert.equal(header.parameterCount, parameters);
}
