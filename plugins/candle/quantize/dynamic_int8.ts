// Rewrites an ONNX model of float32 so that its matrix products run in int8: weights once, for each of their columns, and
// activations as they come (DynamicQuantizeLinear, MatMulInteger). All else of the model stays as it is.

import { PluginError } from "@bkg/plugin";
import {
  float32,
  type Graph,
  int8,
  type Node,
  openModel,
  type Weight,
  writeNode,
  writeWeight,
} from "./graph.ts";
import type { Bytes } from "./protobuf.ts";

export interface Quantized {
  bytes: Bytes;
  /** Names of the nodes that run in int8 now. */
  quantized: string[];
  /** Matrix products that do not, and why. */
  left: { node: string; op: string; why: string }[];
}

/** Throws INVALID_INPUT that says what stands against it. */
export function quantizeDynamically(file: Bytes): Quantized {
  const { graph, write } = openModel(file);
  refuseUnfit(graph);
  const rewriting = new Rewriting(graph);
  const result: Quantized = { bytes: file, quantized: [], left: [] };
  for (const node of graph.nodes) {
    if (node.domain !== "" || (node.op !== "MatMul" && node.op !== "Gemm")) {
      rewriting.keep(node);
      continue;
    }
    const found = findWeights(node, graph);
    const name = (node.name || node.outputs[0] || "").slice(0, 200);
    if (typeof found === "string") {
      rewriting.keep(node);
      result.left.push({ node: name, op: node.op, why: found });
    } else {
      rewriting.replace(node, found);
      result.quantized.push(name);
    }
  }
  if (result.quantized.length === 0) {
    const [first] = result.left;
    throw refusal(
      first === undefined
        ? "it has no MatMul and no Gemm"
        : `none of its ${result.left.length} MatMul and Gemm can be: "${first.node}" ${first.why}`,
    );
  }
  result.bytes = write(rewriting.nodes, rewriting.weights());
  return result;
}

interface Product {
  /** Name of the activations. */
  input: string;
  weight: Weight;
  /** Whether a row of the weights is an output, as Gemm's transB has it. */
  isTransposed: boolean;
  /** Name of what is added. */
  bias: string | undefined;
}

class Rewriting {
  readonly nodes: Bytes[] = [];
  readonly #graph: Graph;
  readonly #made: Bytes[] = [];
  readonly #taken: Set<string>;
  /** By the name of the activations: several products may share them. */
  readonly #activations = new Map<string, { values: string; scale: string; zero: string }>();
  readonly #weights = new Map<string, { values: string; scale: string }>();
  /** Names that nodes of the new graph still use. */
  readonly #used: Set<string>;

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#used = new Set(graph.bound);
    this.#taken = new Set([
      ...graph.bound,
      ...graph.weights.keys(),
      ...graph.nodes.flatMap(({ inputs, outputs, inner }) => [...inputs, ...outputs, ...inner]),
    ]);
  }

  keep({ raw, inputs, inner }: Node): void {
    this.nodes.push(raw);
    for (const name of [...inputs, ...inner]) this.#used.add(name);
  }

  /** y = (x_int8 · w_int8) * (scale of x * scales of w) + bias */
  replace(node: Node, { input, weight, isTransposed, bias }: Product): void {
    const label = weight.name;
    const activations = this.#quantizeActivations(input);
    const weights = this.#quantizeWeights(weight, isTransposed);
    const [output = ""] = node.outputs;
    const whole = this.#name(`${label}_product_int32`);
    const real = this.#name(`${label}_product`);
    const scale = this.#name(`${label}_scale_of_both`);
    const scaled = bias === undefined ? output : this.#name(`${label}_product_scaled`);
    this.#add("MatMulInteger", [activations.values, weights.values, activations.zero], [whole]);
    this.#add("Cast", [whole], [real], float32);
    this.#add("Mul", [activations.scale, weights.scale], [scale]);
    this.#add("Mul", [real, scale], [scaled]);
    if (bias !== undefined) this.#add("Add", [scaled, bias], [output]);
  }

  /** The tensors that the new graph uses. */
  weights(): Bytes[] {
    const kept = [...this.#graph.weights.values()].filter(({ name }) => this.#used.has(name));
    return [...kept.map(({ raw }) => raw), ...this.#made];
  }

  #quantizeActivations(input: string) {
    const known = this.#activations.get(input);
    if (known !== undefined) return known;
    const made = {
      values: this.#name(`${input}_uint8`),
      scale: this.#name(`${input}_scale`),
      zero: this.#name(`${input}_zero`),
    };
    this.#add("DynamicQuantizeLinear", [input], [made.values, made.scale, made.zero]);
    this.#activations.set(input, made);
    return made;
  }

  #quantizeWeights(weight: Weight, isTransposed: boolean) {
    const key = `${isTransposed} ${weight.name}`;
    const known = this.#weights.get(key);
    if (known !== undefined) return known;
    const { rows, columns, values, scales } = quantizeColumns(weight, isTransposed);
    const made = {
      values: this.#name(`${weight.name}_int8`),
      scale: this.#name(`${weight.name}_scales`),
    };
    this.#made.push(
      writeWeight({
        name: made.values,
        type: int8,
        dims: [rows, columns],
        data: new Uint8Array(values.buffer),
      }),
      writeWeight({
        name: made.scale,
        type: float32,
        dims: [columns],
        data: new Uint8Array(scales.buffer),
      }),
    );
    this.#weights.set(key, made);
    return made;
  }

  #add(op: string, inputs: string[], outputs: string[], to?: number): void {
    const name = `${op}_of_${outputs[0]}`;
    this.nodes.push(writeNode({ op, inputs, outputs, name, ...(to === undefined ? {} : { to }) }));
    for (const input of inputs) this.#used.add(input);
  }

  #name(wanted: string): string {
    let name = wanted;
    for (let count = 2; this.#taken.has(name); count++) name = `${wanted}_${count}`;
    this.#taken.add(name);
    return name;
  }
}

/** Symmetric, one scale for each column: zero stays zero, and no column pays for the largest of another. */
function quantizeColumns(weight: Weight, isTransposed: boolean) {
  const source = weight.values();
  const [first = 0, second = 0] = weight.dims;
  const [rows, columns] = isTransposed ? [second, first] : [first, second];
  const at = (row: number, column: number) =>
    isTransposed ? column * rows + row : row * columns + column;
  const values = new Int8Array(rows * columns);
  const scales = new Float32Array(columns);
  for (let column = 0; column < columns; column++) {
    let largest = 0;
    for (let row = 0; row < rows; row++) {
      largest = Math.max(largest, Math.abs(source[at(row, column)] ?? 0));
    }
    const scale = largest === 0 ? 1 : largest / 127;
    scales[column] = scale;
    for (let row = 0; row < rows; row++) {
      values[row * columns + column] = Math.round((source[at(row, column)] ?? 0) / scale);
    }
  }
  return { rows, columns, values, scales };
}

/** The constant weights of a product, or why it must stay as it is. */
function findWeights(node: Node, { weights, bound }: Graph): Product | string {
  const [input = "", right = "", bias] = node.inputs;
  const weight = weights.get(right);
  if (weight === undefined || bound.has(right)) return "has no constant as its second input";
  if (weight.type !== float32) return "has weights that are not float32";
  if (weight.dims.length !== 2) return `has weights of ${weight.dims.length} axes, and not of 2`;
  if (weights.has(input)) return "has a constant as its first input too";
  if (!weight.values().every(Number.isFinite)) return "has weights that are no finite numbers";
  if (node.op === "MatMul") return { input, weight, isTransposed: false, bias: undefined };
  const flag = (name: string) => node.attributes.get(name)?.integer ?? 0;
  const factor = (name: string) => node.attributes.get(name)?.float ?? 1;
  if (flag("transA") !== 0) return "takes its first input transposed (transA)";
  if (factor("alpha") !== 1) return `scales its product (alpha is ${factor("alpha")})`;
  if (factor("beta") !== 1) return `scales what it adds (beta is ${factor("beta")})`;
  return { input, weight, isTransposed: flag("transB") !== 0, bias: bias || undefined };
}

function refuseUnfit({ nodes, weights, opset }: Graph): void {
  if ([...weights.values()].some(({ isExternal }) => isExternal)) {
    throw refusal("it keeps weights in files of their own (external data)");
  }
  const quantized = nodes.find(({ op }) => /Quantize|Integer$|^QLinear|NBits$/.test(op));
  if (quantized !== undefined) {
    throw refusal(`it is quantised already: it has ${quantized.op.slice(0, 100)}`);
  }
  if (opset < 11) throw refusal(`it is of opset ${opset}, and int8 products come with 11`);
}

function refusal(why: string): PluginError {
  return new PluginError("INVALID_INPUT", `The model cannot be quantised: ${why}`, {
    details: { field: "model" },
  });
}
