// A first run on zeros: engines prepare much when they first see a model's shapes.

import { tensorArrays } from "@bkg/plugin";
import type { RunnableModel, Tensor, TensorData, TensorInfo } from "./settings.ts";

/** Milliseconds; null where zeros are nothing that the model takes. */
export async function warmUp(model: RunnableModel, signal: AbortSignal): Promise<number | null> {
  const inputs: Record<string, Tensor> = {};
  for (const info of model.inputs) {
    const tensor = zeros(info);
    if (tensor === undefined) return null;
    inputs[info.name] = tensor;
  }
  const started = performance.now();
  try {
    await model.run(inputs, { signal });
    return performance.now() - started;
  } catch (error) {
    if (signal.aborted) throw error;
    return null;
  }
}

/** Dynamic axes are 1; undefined when that is more than is worth it. */
function zeros({ type, shape }: TensorInfo): Tensor | undefined {
  const dims = shape.map((size) => typeof size === "number" ? size : 1);
  const count = dims.reduce((product, size) => product * size, 1);
  if (count > maxElements) return undefined;
  return { type, dims, data: createTensorData(type, count) };
}

/** Zeros, or empty texts. */
export function createTensorData(type: TensorInfo["type"], count: number): TensorData {
  const kind = tensorArrays[type];
  return kind === undefined ? new Array<string>(count).fill("") : new kind(count);
}

const maxElements = 64 * 1024 * 1024;
