// Checks tensors against what a model takes, before onnxruntime sees them: its own words name neither side well.

import { AppError } from "../../contract/error.ts";
import { countElements, tensorArrays } from "../../contract/tensor.ts";
import type { Tensor, TensorData, TensorInfo, TensorType } from "./interface.ts";

/** Throws INVALID_INPUT for a missing or unknown input, and for one of another type or shape. */
export function checkInputs(
  given: Readonly<Record<string, Tensor>>,
  wanted: readonly TensorInfo[],
): void {
  const names = wanted.map(({ name }) => name);
  for (const name of Object.keys(given)) {
    if (!names.includes(name)) {
      refuse(name, `is none of the model's inputs: ${list(names)}`, { expected: names });
    }
  }
  const axes = new Map<string, { size: number; input: string }>();
  for (const info of wanted) {
    const tensor = given[info.name];
    if (tensor === undefined) {
      refuse(info.name, `is missing; the model takes ${describe(info)}`, {
        expected: describe(info),
      });
    }
    checkTensor(tensor, info, axes);
  }
}

/** Such as `float32[batch, 3, 320, 320]`. */
export function describe({ type, shape }: Pick<TensorInfo, "type" | "shape">): string {
  return `${type}[${shape.join(", ")}]`;
}

function checkTensor(
  { type, dims, data }: Tensor,
  info: TensorInfo,
  axes: Map<string, { size: number; input: string }>,
): void {
  const { name } = info;
  const expected = describe(info);
  const came = describe({ type, shape: dims });
  const details = { expected, came };
  if (type !== info.type) refuse(name, `must be ${expected}, and is ${came}`, details);
  const count = countElements(dims);
  if (count === undefined) {
    refuse(name, `has the shape [${dims.join(", ")}], which is none: sizes are whole numbers`, {
      ...details,
    });
  }
  if (!fits(data, type)) refuse(name, `must bring its data as ${type}`, details);
  if (dims.length !== info.shape.length) {
    refuse(name, `must be ${expected}, and is ${came}`, details);
  }
  info.shape.forEach((size, axis) => {
    const given = dims[axis] ?? 0;
    if (typeof size === "number") {
      if (size !== given) refuse(name, `must be ${expected}, and is ${came}`, details);
      return;
    }
    if (size === "?") return;
    // One name is one size in all inputs.
    const known = axes.get(size);
    if (known === undefined) axes.set(size, { size: given, input: name });
    else if (known.size !== given) {
      refuse(
        name,
        `must be ${expected}, and is ${came}: "${size}" is ${known.size} in "${known.input}"`,
        details,
      );
    }
  });
  if (data.length !== count) {
    refuse(name, `has ${data.length} elements, and its shape [${dims.join(", ")}] takes ${count}`, {
      ...details,
    });
  }
}

function fits(data: TensorData, type: TensorType): boolean {
  const kind = tensorArrays[type];
  if (kind !== undefined) return data instanceof kind;
  return Array.isArray(data) && data.every((item) => typeof item === "string");
}

function refuse(name: string, problem: string, details: Record<string, unknown>): never {
  const shown = name.length > 200 ? `${name.slice(0, 200)}...` : name;
  throw new AppError("INVALID_INPUT", `The input "${shown}" ${problem}`, {
    details: { input: shown, ...details },
  });
}

function list(names: readonly string[]): string {
  return names.slice(0, 20).map((name) => `"${name}"`).join(", ");
}
