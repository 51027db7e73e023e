// Linear models as JSON, y = Wx + b: computed here, without an engine.

import { PluginError } from "@bkg/plugin";
import type { RunnableModel, Tensor } from "./settings.ts";

export interface LinearModel {
  input_dim: number;
  output_dim: number;
  /** A row for each output, or all rows one after the other. */
  weights: number[][] | number[];
  /** One for each output; default zeros. */
  bias?: number[];
  metadata?: Record<string, unknown>;
}

/** Takes `input` of float32[batch, input_dim], gives `output` of float32[batch, output_dim]. */
export function createLinearModel(model: LinearModel): RunnableModel {
  const { input_dim: columns, output_dim: rows } = model;
  const weights = readWeights(model);
  const bias = Float32Array.from(readNumbers(model.bias ?? new Array(rows).fill(0), {
    field: "bias",
    count: rows,
  }));
  return {
    kind: "linear",
    backend: "javascript",
    threads: 1,
    bytes: weights.byteLength + bias.byteLength,
    loadMs: 0,
    inputs: [{ name: "input", type: "float32", shape: ["batch", columns] }],
    outputs: [{ name: "output", type: "float32", shape: ["batch", rows] }],
    isBatchable: true,
    isBroken: false,
    run({ input }) {
      const started = performance.now();
      const output = multiply(input!, { weights, bias, rows, columns });
      return Promise.resolve({ outputs: { output }, runMs: performance.now() - started });
    },
    unload: () => Promise.resolve(),
  };
}

function multiply(
  { dims, data }: Tensor,
  { weights, bias, rows, columns }: {
    weights: Float32Array;
    bias: Float32Array;
    rows: number;
    columns: number;
  },
): Tensor {
  const batch = dims[0] ?? 0;
  const input = data as Float32Array;
  const output = new Float32Array(batch * rows);
  for (let item = 0; item < batch; item++) {
    for (let row = 0; row < rows; row++) {
      // Summed in double, and rounded once.
      let sum = bias[row] ?? 0;
      const at = row * columns;
      for (let column = 0; column < columns; column++) {
        sum += (weights[at + column] ?? 0) * (input[item * columns + column] ?? 0);
      }
      output[item * rows + row] = sum;
    }
  }
  return { type: "float32", dims: [batch, rows], data: output };
}

function readWeights({ weights, input_dim, output_dim }: LinearModel): Float32Array {
  if (!Array.isArray(weights[0])) {
    const count = input_dim * output_dim;
    return Float32Array.from(readNumbers(weights as number[], { field: "weights", count }));
  }
  const rows = weights as number[][];
  if (rows.length !== output_dim) {
    throw invalid("weights", `has ${rows.length} rows, and output_dim is ${output_dim}`);
  }
  // All are looked at before there is room for as many as the dimensions promise.
  rows.forEach((row, at) => readNumbers(row, { field: `weights[${at}]`, count: input_dim }));
  const flat = new Float32Array(input_dim * output_dim);
  rows.forEach((row, at) => flat.set(row, at * input_dim));
  return flat;
}

function readNumbers(
  values: unknown,
  { field, count }: { field: string; count: number },
): readonly number[] {
  if (!Array.isArray(values)) throw invalid(field, "is no list of numbers");
  if (values.length !== count) {
    throw invalid(field, `has ${values.length} numbers, and should have ${count}`);
  }
  // What is too large for float32 would be infinite in it.
  const at = values.findIndex((value) =>
    typeof value !== "number" || !Number.isFinite(Math.fround(value))
  );
  if (at >= 0) throw invalid(field, `is no finite float32 at ${at}`);
  return values;
}

function invalid(field: string, problem: string): PluginError {
  return new PluginError("INVALID_INPUT", `The field "linear.${field}" ${problem}`, {
    details: { field: `linear.${field}` },
  });
}
