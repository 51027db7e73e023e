// The parts of an ONNX graph that quantising reads and writes: nodes, constant weights, names in use.

import { PluginError } from "@bkg/plugin";
import {
  type Bytes,
  bytes,
  bytesOf,
  type Field,
  integer,
  integersOf,
  readMessage,
  text,
  textsOf,
  writeMessage,
} from "./protobuf.ts";

export interface Graph {
  nodes: Node[];
  weights: ReadonlyMap<string, Weight>;
  /** Names that come from outside, or leave: their tensors stay. */
  bound: ReadonlySet<string>;
  opset: number;
}

export interface Node {
  name: string;
  op: string;
  /** "" is ONNX's own. */
  domain: string;
  inputs: string[];
  outputs: string[];
  attributes: ReadonlyMap<string, Attribute>;
  /** Of the graphs inside of it, all names that they use. */
  inner: ReadonlySet<string>;
  /** As it was read, to be written so again. */
  raw: Bytes;
}

export interface Attribute {
  integer: number;
  float: number;
}

/** A tensor that the graph brings. */
export interface Weight {
  name: string;
  /** ONNX's number of its type; 1 is float32. */
  type: number;
  dims: number[];
  isExternal: boolean;
  /** Its float32 values; throws for another type. */
  values(): Float32Array;
  raw: Bytes;
}

/** Reads a model; `write` gives it back with other nodes and weights, and all else as it was. */
export function openModel(
  file: Bytes,
): { graph: Graph; write(nodes: readonly Bytes[], weights: readonly Bytes[]): Bytes } {
  const model = readMessage(file);
  const [graphBytes, more] = bytesOf(model, modelGraph);
  if (graphBytes === undefined || more !== undefined) {
    throw new PluginError("INVALID_INPUT", "The model's file is no whole ONNX file");
  }
  const fields = readMessage(graphBytes);
  const opsets = bytesOf(model, modelOpset).map(readMessage);
  const own = opsets.find((opset) => isOwnDomain(textsOf(opset, 1)[0] ?? ""));
  const weights = bytesOf(fields, graphWeight).map(readWeight);
  const names = (number: number) =>
    bytesOf(fields, number).flatMap((value) => textsOf(readMessage(value), 1));
  return {
    graph: {
      nodes: bytesOf(fields, graphNode).map((raw) => readNode(raw, 0)),
      weights: new Map(weights.map((weight) => [weight.name, weight])),
      bound: new Set([...names(graphInput), ...names(graphOutput)]),
      opset: own === undefined ? 0 : integersOf(own, 2)[0] ?? 0,
    },
    write(nodes, kept) {
      const rest = fields.filter(({ number }) => number !== graphNode && number !== graphWeight);
      const graph = writeMessage([
        ...nodes.map((node) => bytes(graphNode, node)),
        ...kept.map((weight) => bytes(graphWeight, weight)),
        ...rest,
      ]);
      return writeMessage(
        model.map((field) => field.number === modelGraph ? bytes(modelGraph, graph) : field),
      );
    },
  };
}

export function writeNode(
  { name, op, inputs, outputs, to }: Pick<Node, "name" | "op" | "inputs" | "outputs"> & {
    /** Cast's: ONNX's number of a type. */
    to?: number;
  },
): Bytes {
  const attribute = (value: number) =>
    writeMessage([text(1, "to"), integer(3, value), integer(20, 2)]);
  return writeMessage([
    ...inputs.map((input) => text(1, input)),
    ...outputs.map((output) => text(2, output)),
    text(3, name),
    text(4, op),
    ...(to === undefined ? [] : [bytes(5, attribute(to))]),
  ]);
}

export function writeWeight(
  { name, type, dims, data }: { name: string; type: number; dims: readonly number[]; data: Bytes },
): Bytes {
  const fields: Field[] = dims.map((size) => integer(1, size));
  return writeMessage([...fields, integer(2, type), text(8, name), bytes(9, data)]);
}

export const float32 = 1;
export const int8 = 3;

function readNode(raw: Bytes, depth: number): Node {
  const fields = readMessage(raw);
  const attributes = bytesOf(fields, 5).map(readMessage);
  const inner = new Set<string>();
  for (const attribute of attributes) {
    for (const graph of [...bytesOf(attribute, 6), ...bytesOf(attribute, 11)]) {
      collectNames(graph, { names: inner, depth: depth + 1 });
    }
  }
  const domain = textsOf(fields, 7)[0] ?? "";
  return {
    name: textsOf(fields, 3)[0] ?? "",
    op: textsOf(fields, 4)[0] ?? "",
    domain: isOwnDomain(domain) ? "" : domain,
    inputs: textsOf(fields, 1),
    outputs: textsOf(fields, 2),
    attributes: new Map(
      attributes.map((
        attribute,
      ) => [textsOf(attribute, 1)[0] ?? "", {
        integer: integersOf(attribute, 3)[0] ?? 0,
        float: readFloat(attribute),
      }]),
    ),
    inner,
    raw,
  };
}

function readFloat(attribute: readonly Field[]): number {
  const field = attribute.find(({ number, kind }) => number === 2 && kind === "fixed");
  if (field?.kind !== "fixed" || field.value.length !== 4) return 0;
  return new DataView(field.value.buffer, field.value.byteOffset, 4).getFloat32(0, true);
}

/** What graphs inside of a node (of If, Loop, Scan) take from around them is found by its name alone. */
function collectNames(
  graph: Bytes,
  { names, depth }: { names: Set<string>; depth: number },
): void {
  if (depth > maxDepth) {
    throw new PluginError("INVALID_INPUT", `The model has graphs nested deeper than ${maxDepth}`);
  }
  const fields = readMessage(graph);
  for (const raw of bytesOf(fields, graphNode)) {
    const { inputs, inner } = readNode(raw, depth);
    for (const name of [...inputs, ...inner]) names.add(name);
  }
  for (const output of bytesOf(fields, graphOutput)) {
    for (const name of textsOf(readMessage(output), 1)) names.add(name);
  }
}

function readWeight(raw: Bytes): Weight {
  const fields = readMessage(raw);
  const name = textsOf(fields, 8)[0] ?? "";
  const dims = integersOf(fields, 1);
  const type = integersOf(fields, 2)[0] ?? 0;
  return {
    name,
    type,
    dims,
    isExternal: integersOf(fields, 14)[0] === 1,
    values() {
      const [data] = bytesOf(fields, 9);
      const packed = data ?? joinFloats(fields);
      const count = dims.reduce((product, size) => product * size, 1);
      if (type !== float32 || packed.length !== count * 4) {
        throw new PluginError("INVALID_INPUT", `The model's weights "${name}" are not whole`);
      }
      // A view needs an address that four divides.
      return new Float32Array(packed.slice().buffer);
    },
    raw,
  };
}

/** `float_data`, packed or one by one. */
function joinFloats(fields: readonly Field[]): Bytes {
  const parts = fields.flatMap((field) =>
    field.number === 4 && field.kind !== "varint" ? [field.value] : []
  );
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function isOwnDomain(domain: string): boolean {
  return domain === "" || domain === "ai.onnx";
}

const modelGraph = 7;
const modelOpset = 8;
const graphNode = 1;
const graphWeight = 5;
const graphInput = 11;
const graphOutput = 12;
const maxDepth = 16;
