// Tensors as clients write and read them: nested lists of numbers, or base64 of little-endian bytes.

import { PluginError, tensorArrays } from "@bkg/plugin";
import type { Tensor, TensorData, TensorInfo, TensorType } from "./settings.ts";

/** `shape` may be left out of nested lists, `type` always: the model says it. */
export interface TensorInput {
  type?: string;
  shape?: number[];
  /** Nested or flat lists; or, with `shape`, base64. */
  data: unknown;
}

export interface TensorOutput {
  type: TensorType;
  shape: number[];
  /** Flat, row-major; what is no number is null. Or base64. */
  data: (number | string | boolean | null)[] | string;
}

/** Reads what a client sent for `info`; INVALID_INPUT names the input and the place. */
export function readTensor(value: unknown, info: TensorInfo): Tensor {
  const given: TensorInput = isTensorInput(value) ? value : { data: value };
  const type = info.type;
  if (given.shape !== undefined && !isShape(given.shape)) {
    throw invalid(info, "has a shape that is no list of sizes");
  }
  if (given.type !== undefined && given.type !== type) {
    throw invalid(info, `must be ${type}, and says that it is ${String(given.type)}`);
  }
  if (typeof given.data === "string" && type !== "string") {
    return readBytes(given.data, { info, shape: given.shape });
  }
  const nested = flatten(given.data, info);
  const shape = given.shape ?? nested.shape;
  if (shape.reduce((product, size) => product * size, 1) !== nested.items.length) {
    throw invalid(info, `has ${nested.items.length} elements, and not the shape [${shape}]`);
  }
  return { type, dims: shape, data: toTyped(nested.items, info) };
}

export function writeTensor(tensor: Tensor, encoding: "json" | "base64"): TensorOutput {
  const { type, dims, data } = tensor;
  const shape = [...dims];
  if (Array.isArray(data)) return { type, shape, data };
  if (encoding === "base64") {
    return {
      type,
      shape,
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).toBase64(),
    };
  }
  return { type, shape, data: Array.from(plainValues(type, data)) };
}

function* plainValues(type: TensorType, data: Exclude<TensorData, string[]>) {
  if (type === "bool") { for (const value of data) yield value !== 0; }
  else if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    // What a JSON number cannot hold goes as text.
    for (const value of data) {
      const number = Number(value);
      yield Number.isSafeInteger(number) ? number : String(value);
    }
  } else {
    const values = type === "float16"
      ? new Float16Array(data.buffer, data.byteOffset, data.length)
      : data;
    for (const value of values) yield Number.isFinite(value) ? value : null;
  }
}

function readBytes(
  text: string,
  { info, shape }: { info: TensorInfo; shape: number[] | undefined },
): Tensor {
  if (shape === undefined) throw invalid(info, "is base64, and needs its shape beside it");
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.fromBase64(text);
  } catch {
    throw invalid(info, "is text that is no base64");
  }
  const kind = tensorArrays[info.type];
  const width = kind?.BYTES_PER_ELEMENT ?? 0;
  if (kind === undefined || bytes.length % width !== 0) {
    throw invalid(info, `has ${bytes.length} bytes, and ${info.type} takes ${width} each`);
  }
  const data = new kind(bytes.buffer, 0, bytes.length / width) as TensorData;
  const odd = info.type.startsWith("float") ? findOdd(info.type, data) : undefined;
  if (odd !== undefined) throw invalid(info, oddProblem(info, odd));
  return { type: info.type, dims: shape, data };
}

/** Rows of nested lists must be equally long. */
function flatten(value: unknown, info: TensorInfo): { items: unknown[]; shape: number[] } {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (shape.length > maxRank) throw invalid(info, `is nested deeper than ${maxRank} lists`);
  }
  const items: unknown[] = [];
  const visit = (level: unknown, axis: number): void => {
    if (axis === shape.length) return void items.push(level);
    if (!Array.isArray(level) || level.length !== shape[axis]) {
      throw invalid(info, `has rows of different lengths at depth ${axis}`);
    }
    for (const item of level) visit(item, axis + 1);
  };
  visit(value, 0);
  return { items, shape };
}

function toTyped(items: readonly unknown[], info: TensorInfo): TensorData {
  const { type } = info;
  if (type === "string") {
    return items.map((item, at) => {
      if (typeof item !== "string") throw invalid(info, `must hold texts, and not so at ${at}`);
      return item;
    });
  }
  if (type === "int64" || type === "uint64") {
    const data = new tensorArrays[type](items.length);
    items.forEach((item, at) => data[at] = toBigInt(item, at, info));
    return data;
  }
  const data = type === "float16"
    ? new Float16Array(items.length)
    : new tensorArrays[type](items.length);
  const [low, high] = bounds[type] ?? [-Infinity, Infinity];
  items.forEach((item, at) => {
    const value = typeof item === "boolean" && type === "bool" ? Number(item) : item;
    if (typeof value !== "number") {
      throw invalid(
        info,
        `must hold numbers, and at ${at} is ${JSON.stringify(item)?.slice(0, 40)}`,
      );
    }
    // What is too large for its type would be infinite in it.
    if (!Number.isFinite(value) || Math.abs(value) > (largest[type] ?? Infinity)) {
      throw invalid(info, oddProblem(info, { at, value }));
    }
    if (value < low || value > high || (low > -Infinity && !Number.isInteger(value))) {
      throw invalid(info, `must hold ${type}, and at ${at} is ${value}`);
    }
    data[at] = value;
  });
  return data instanceof Float16Array ? new Uint16Array(data.buffer) : data;
}

function toBigInt(item: unknown, at: number, info: TensorInfo): bigint {
  const isWhole = Number.isSafeInteger(item) ||
    (typeof item === "string" && /^-?\d{1,20}$/.test(item));
  const value = isWhole ? BigInt(item as number | string) : undefined;
  const limits = info.type === "int64" ? [-(2n ** 63n), 2n ** 63n - 1n] : [0n, 2n ** 64n - 1n];
  if (value !== undefined && value >= limits[0]! && value <= limits[1]!) return value;
  throw invalid(
    info,
    `must hold ${info.type}, and at ${at} is ${JSON.stringify(item)?.slice(0, 40)}`,
  );
}

/** The first that is NaN or infinite. */
function findOdd(type: TensorType, data: TensorData): { at: number; value: number } | undefined {
  const values = type === "float16" && data instanceof Uint16Array
    ? new Float16Array(data.buffer)
    : data as Float32Array;
  const at = values.findIndex((value) => !Number.isFinite(value));
  return at < 0 ? undefined : { at, value: values[at]! };
}

function oddProblem({ type }: TensorInfo, { at, value }: { at: number; value: number }): string {
  return `must hold finite ${type}, and at ${at} is ${value}`;
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= maxRank &&
    value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function isTensorInput(value: unknown): value is TensorInput {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid({ name, type, shape }: TensorInfo, problem: string): PluginError {
  const shown = name.slice(0, 200);
  const expected = `${type}[${shape.join(", ")}]`;
  return new PluginError(
    "INVALID_INPUT",
    `The input "${shown}" ${problem}; the model takes ${expected}`,
    { details: { input: shown, expected } },
  );
}

const maxRank = 8;

/** Of what is no whole number. */
const largest: Partial<Record<TensorType, number>> = {
  float16: 65_504,
  float32: 3.4028234663852886e38,
};

/** Of whole numbers. */
const bounds: Partial<Record<TensorType, [number, number]>> = {
  int8: [-128, 127],
  int16: [-32_768, 32_767],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint8: [0, 255],
  uint16: [0, 65_535],
  uint32: [0, 2 ** 32 - 1],
  bool: [0, 1],
};
