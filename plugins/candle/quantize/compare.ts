// How a quantised model differs from its original: outputs on the same inputs, and time in turns.

import { PluginError } from "@bkg/plugin";
import type { RunnableModel, Tensor, TensorInfo } from "../settings.ts";
import { createTensorData } from "../warm_up.ts";

export interface Comparison {
  /** Medians. */
  beforeMs: number;
  afterMs: number;
  errors: {
    output: string;
    /** Mean of the differences over the mean of the original's values, both without sign. */
    meanRelative: number;
    /** The largest difference over the original's largest value. */
    maxRelative: number;
  }[];
}

export async function compareModels(
  before: RunnableModel,
  after: RunnableModel,
  { inputs, rounds, signal }: {
    inputs: Readonly<Record<string, Tensor>>;
    rounds: number;
    signal: AbortSignal;
  },
): Promise<Comparison> {
  const times: { before: number[]; after: number[] } = { before: [], after: [] };
  // What comes first is not timed: engines prepare much on a first run.
  const wanted = await before.run(inputs, { signal });
  const came = await after.run(inputs, { signal });
  for (let round = 0; round < rounds; round++) {
    times.before.push((await before.run(inputs, { signal })).runMs);
    times.after.push((await after.run(inputs, { signal })).runMs);
  }
  const errors = Object.entries(wanted.outputs).flatMap(([output, { type, data }]) => {
    const other = came.outputs[output]?.data;
    if (!(data instanceof Float32Array) || !(other instanceof Float32Array)) return [];
    if (type !== "float32") return [];
    return [{ output, ...measure(data, other) }];
  });
  return { beforeMs: median(times.before), afterMs: median(times.after), errors };
}

/** Numbers between -1 and 1, whole ones 0 and 1; dynamic axes are 4, and where the model does not like that 1. */
export async function inventInputs(
  model: RunnableModel,
  signal: AbortSignal,
): Promise<Record<string, Tensor>> {
  for (const dynamicSize of [4, 1]) {
    const inputs = Object.fromEntries(
      model.inputs.map((info) => [info.name, inventTensor(info, dynamicSize)]),
    );
    try {
      await model.run(inputs, { signal });
      return inputs;
    } catch (error) {
      if (signal.aborted || !(error instanceof PluginError) || error.code !== "INVALID_INPUT") {
        throw error;
      }
    }
  }
  throw new PluginError(
    "INVALID_INPUT",
    "The model does not run on invented inputs: give some to compare it on",
    { details: { field: "inputs" } },
  );
}

function inventTensor({ type, shape }: TensorInfo, dynamicSize: number): Tensor {
  const dims = shape.map((size) => typeof size === "number" ? size : dynamicSize);
  const count = dims.reduce((product, size) => product * size, 1);
  if (count > maxElements) {
    throw new PluginError("INVALID_INPUT", "The model's inputs are too large to be invented", {
      details: { field: "inputs" },
    });
  }
  const data = createTensorData(type, count);
  for (let at = 0; at < count; at++) {
    // The same at every call, so that two reports can be compared.
    const value = Math.sin(at * 12.9898 + 1) * 43758.5453 % 1;
    if (data instanceof Float32Array || data instanceof Float64Array) data[at] = value;
    else if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
      data[at] = BigInt(value > 0);
    } else if (!Array.isArray(data)) data[at] = Number(value > 0);
  }
  return { type, dims, data };
}

function measure(wanted: Float32Array, came: Float32Array) {
  let sum = 0;
  let difference = 0;
  let largest = 0;
  let largestDifference = 0;
  wanted.forEach((value, at) => {
    const off = Math.abs(value - (came[at] ?? 0));
    sum += Math.abs(value);
    difference += off;
    largest = Math.max(largest, Math.abs(value));
    largestDifference = Math.max(largestDifference, off);
  });
  return {
    meanRelative: ratio(difference, sum),
    maxRelative: ratio(largestDifference, largest),
  };
}

/** Of zeros that stayed zeros 0; numbers that are none count as wholly wrong. */
function ratio(difference: number, size: number): number {
  if (difference === 0) return 0;
  const found = difference / size;
  return Number.isFinite(found) ? found : 1;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

const maxElements = 16 * 1024 * 1024;
