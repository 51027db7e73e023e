// A first run on zeros: engines prepare much when they first see a model's shapes.

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
  switch (type) {
    case "float32":
      return new Float32Array(count);
    case "float64":
      return new Float64Array(count);
    case "int8":
      return new Int8Array(count);
    case "int16":
      return new Int16Array(count);
    case "int32":
      return new Int32Array(count);
    case "int64":
      return new BigInt64Array(count);
    case "uint64":
      return new BigUint64Array(count);
    case "uint32":
      return new Uint32Array(count);
    case "float16":
    case "uint16":
      return new Uint16Array(count);
    case "bool":
    case "uint8":
      return new Uint8Array(count);
    case "string":
      return new Array<string>(count).fill("");
  }
}

const maxElements = 64 * 1024 * 1024;
