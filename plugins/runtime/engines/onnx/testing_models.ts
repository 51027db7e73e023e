// Writes small ONNX models for tests: protobuf by hand, so that no test needs a file that it did not make.

import type { TensorType } from "./interface.ts";

export interface TestTensor {
  name: string;
  type: TensorType;
  shape: readonly (number | string)[];
}

export interface TestNode {
  op: string;
  inputs: readonly string[];
  outputs: readonly string[];
  /** Whole numbers and lists of them are ints, others floats. */
  attributes?: Readonly<Record<string, number | readonly number[] | { float: number }>>;
  domain?: string;
}

export interface TestWeight extends TestTensor {
  shape: readonly number[];
  /** Little-endian. */
  bytes: Uint8Array;
  /** Keeps the bytes in a file beside the model. */
  external?: { path: string; offset: number };
}

export interface TestModel {
  nodes: readonly TestNode[];
  inputs: readonly TestTensor[];
  outputs: readonly TestTensor[];
  weights?: readonly TestWeight[];
  /** Default 17. */
  opset?: number;
}

export function writeOnnx(model: TestModel): Uint8Array<ArrayBuffer> {
  const graph = concat([
    ...model.nodes.map((node) => bytes(1, writeNode(node))),
    text(2, "test"),
    ...(model.weights ?? []).map((weight) => bytes(5, writeWeight(weight))),
    ...model.inputs.map((tensor) => bytes(11, writeValueInfo(tensor))),
    ...model.outputs.map((tensor) => bytes(12, writeValueInfo(tensor))),
  ]);
  return concat([
    integer(1, 8),
    bytes(7, graph),
    bytes(8, concat([text(1, ""), integer(2, model.opset ?? 17)])),
  ]);
}

export function floatWeight(
  name: string,
  shape: readonly number[],
  values: Iterable<number>,
): TestWeight {
  const data = Float32Array.from(values);
  return { name, type: "float32", shape, bytes: new Uint8Array(data.buffer) };
}

export function intWeight(
  name: string,
  shape: readonly number[],
  values: readonly number[],
): TestWeight {
  const data = BigInt64Array.from(values.map(BigInt));
  return { name, type: "int64", shape, bytes: new Uint8Array(data.buffer) };
}

/** Numbers from 0 to `scale` that look random and are the same everywhere (mulberry32). */
export function noise(count: number, { scale, seed }: { scale: number; seed: number }) {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (state + 0x6D2B79F5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296 * scale;
  });
}

function writeNode({ op, inputs, outputs, attributes = {}, domain = "" }: TestNode): Uint8Array {
  return concat([
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(3, `${op} of ${outputs[0]}`),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => bytes(5, writeAttribute(name, value))),
    text(7, domain),
  ]);
}

function writeAttribute(
  name: string,
  value: number | readonly number[] | { float: number },
): Uint8Array {
  if (typeof value === "number") return concat([text(1, name), integer(3, value), integer(20, 2)]);
  if ("float" in value) return concat([text(1, name), float(2, value.float), integer(20, 1)]);
  return concat([text(1, name), ...value.map((item) => integer(8, item)), integer(20, 7)]);
}

function writeWeight({ name, type, shape, bytes: data, external }: TestWeight): Uint8Array {
  const entry = (key: string, value: string) => bytes(13, concat([text(1, key), text(2, value)]));
  return concat([
    ...shape.map((size) => integer(1, size)),
    integer(2, typeNumbers[type]),
    text(8, name),
    ...(external === undefined ? [bytes(9, data)] : [
      entry("location", external.path),
      entry("offset", String(external.offset)),
      entry("length", String(data.length)),
      integer(14, 1),
    ]),
  ]);
}

function writeValueInfo({ name, type, shape }: TestTensor): Uint8Array {
  const sizes = shape.map((size) =>
    bytes(1, typeof size === "number" ? integer(1, size) : size === "?" ? none : text(2, size))
  );
  const tensorType = concat([integer(1, typeNumbers[type]), bytes(2, concat(sizes))]);
  return concat([text(1, name), bytes(2, bytes(1, tensorType))]);
}

const none = new Uint8Array();

function text(field: number, value: string): Uint8Array {
  return bytes(field, new TextEncoder().encode(value));
}

function bytes(field: number, value: Uint8Array): Uint8Array {
  return concat([varint(field * 8 + 2), varint(value.length), value]);
}

function integer(field: number, value: number): Uint8Array {
  return concat([varint(field * 8), varint(value)]);
}

function float(field: number, value: number): Uint8Array {
  const data = new Uint8Array(4);
  new DataView(data.buffer).setFloat32(0, value, true);
  return concat([varint(field * 8 + 5), data]);
}

function varint(value: number): Uint8Array {
  const found: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    found.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(found);
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const typeNumbers: Record<TensorType, number> = {
  ...{ float32: 1, uint8: 2, int8: 3, uint16: 4, int16: 5, int32: 6, int64: 7, string: 8 },
  ...{ bool: 9, float16: 10, float64: 11, uint32: 12, uint64: 13 },
};
