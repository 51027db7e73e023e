// Small ONNX files for tests: one good model, and the same with any part replaced.

import { joinBytes } from "../gguf/encode.ts";
import { bytesField, floatField, intField, messageField, packedField, type Part } from "./proto.ts";

export const onnxType = {
  f32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  string: 8,
  f16: 10,
  uint4: 21,
};

export interface TensorParts {
  name?: string;
  dims?: readonly (number | bigint)[];
  type?: number;
  /** Bytes of raw data; undefined leaves it out. */
  raw?: number | undefined;
  /** Fields behind those. */
  more?: readonly Part[];
}

/** The fields of a TensorProto: 2 x 4 floats, all zero. */
export function tensorParts(parts: TensorParts = {}): Part[] {
  const { name = "w", dims = [2, 4], type = onnxType.f32, more = [] } = parts;
  const raw = "raw" in parts ? parts.raw : 32;
  return [
    ...dims.map((dim) => intField(1, dim)),
    intField(2, type),
    bytesField(8, name),
    ...(raw === undefined ? [] : [bytesField(9, new Uint8Array(raw))]),
    ...more,
  ];
}

export function initializer(parts: TensorParts = {}): Part {
  return messageField(5, tensorParts(parts));
}

export function entryParts(key: string, value: string): Part[] {
  return [bytesField(1, key), bytesField(2, value)];
}

/** A tensor whose data is where the entries say. */
export function externalTensor(entries: Readonly<Record<string, string>>, more: Part[] = []): Part {
  const external = Object.entries(entries).map(([key, value]) =>
    messageField(13, entryParts(key, value))
  );
  return initializer({ raw: undefined, more: [...external, intField(14, 1), ...more] });
}

export function node(operator: string, more: readonly Part[] = []): Part {
  return messageField(1, [
    bytesField(1, "x"),
    bytesField(1, "w"),
    bytesField(2, "y"),
    bytesField(4, operator),
    ...more,
  ]);
}

/** A value with a tensor type; a text dimension is the name of one. */
export function valueParts(name: string, dims: readonly (number | string)[]): Part[] {
  const shape = dims.map((dim) =>
    messageField(1, [typeof dim === "number" ? intField(1, dim) : bytesField(2, dim)])
  );
  const type = messageField(1, [intField(1, onnxType.f32), messageField(2, shape)]);
  return [bytesField(1, name), messageField(2, [type])];
}

/** A node that holds a graph that holds a node ..., so many graphs deep. */
export function nestedGraphs(depth: number): Part {
  let nested = node("Identity");
  for (let count = 0; count < depth; count++) {
    nested = node("If", [
      messageField(5, [bytesField(1, "then_branch"), messageField(6, [nested])]),
    ]);
  }
  return nested;
}

export interface OnnxParts {
  /** Fields of the graph, in place of two nodes and a weight. */
  graph?: readonly Part[];
  inputs?: readonly Part[];
  outputs?: readonly Part[];
  /** Fields of the model, in place of version, producer, graph and operator set. */
  model?: (graph: Part) => readonly Part[];
  /** Fields behind those. */
  more?: readonly Part[];
}

export function makeOnnx(parts: OnnxParts = {}): Uint8Array<ArrayBuffer> {
  const {
    graph = [node("MatMul"), node("Relu"), initializer()],
    inputs = [
      messageField(11, valueParts("x", ["batch", 2])),
      messageField(11, valueParts("w", [])),
    ],
    outputs = [messageField(12, valueParts("y", [4]))],
    model = (whole) => [
      intField(1, 8),
      bytesField(2, "bkg"),
      whole,
      messageField(8, [bytesField(1, ""), intField(2, 17)]),
    ],
    more = [],
  } = parts;
  const whole = messageField(7, [...graph, bytesField(2, "main"), ...inputs, ...outputs]);
  return joinBytes([...model(whole), ...more]);
}

/** What `makeFullOnnx` needs beside it. */
export const fullOnnxFiles: ReadonlyMap<string, number> = new Map([["data/w.bin", 4096]]);

/** A model with each kind of field. */
export function makeFullOnnx(): Uint8Array<ArrayBuffer> {
  const attribute = (...fields: Part[]) => messageField(5, fields);
  return makeOnnx({
    graph: [
      node("Constant", [
        attribute(bytesField(1, "value"), messageField(5, tensorParts()), intField(20, 4)),
      ]),
      node("Conv", [
        attribute(bytesField(1, "pads"), packedField(8, [1, 2, 3, 300]), intField(20, 7)),
        attribute(bytesField(1, "strides"), intField(8, 1), intField(8, 2), intField(20, 7)),
        attribute(bytesField(1, "alpha"), floatField(2, 0.5), intField(20, 1)),
        attribute(bytesField(1, "axis"), intField(3, -1), intField(20, 2)),
      ]),
      nestedGraphs(3),
      initializer(),
      messageField(5, [
        packedField(1, [3, 1]),
        ...tensorParts({ dims: [], raw: 12, name: "packed" }),
      ]),
      initializer({
        name: "f",
        dims: [2],
        raw: undefined,
        more: [floatField(4, 1), floatField(4, 2)],
      }),
      initializer({
        name: "fs",
        dims: [2],
        raw: undefined,
        more: [bytesField(4, new Uint8Array(8))],
      }),
      initializer({
        name: "i",
        dims: [3],
        type: onnxType.int64,
        raw: undefined,
        more: [packedField(7, [1, -1, 300])],
      }),
      initializer({
        name: "h",
        dims: [2],
        type: onnxType.f16,
        raw: undefined,
        more: [packedField(5, [15_360, 1])],
      }),
      initializer({
        name: "s",
        dims: [2],
        type: onnxType.string,
        raw: undefined,
        more: [bytesField(6, "a"), bytesField(6, "b")],
      }),
      initializer({ name: "n", dims: [5], type: onnxType.uint4, raw: 3 }),
      initializer({ name: "e", dims: [0, 7], raw: 0 }),
      externalTensor({ location: "data/w.bin", offset: "4000", length: "32" }),
      messageField(13, valueParts("y", ["batch", 4])),
    ],
    more: [
      bytesField(6, "Says\nwhat it is"),
      messageField(14, entryParts("license", "Apache-2.0")),
      messageField(14, entryParts("author", "some\u202eone")),
      bytesField(99, "of a later version"),
    ],
  });
}
