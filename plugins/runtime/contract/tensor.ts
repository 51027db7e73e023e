// Tensors as plugins, engines and native code know them: a type, sizes of axes, and elements in row-major order.

/** Numbers in row-major order. `data` of inputs is copied when their run begins: leave it alone until that run is over. */
export interface Tensor {
  type: TensorType;
  dims: readonly number[];
  data: TensorData;
}

export interface TensorInfo {
  name: string;
  type: TensorType;
  /** Sizes of the axes; a dynamic one is its name, or "?" where it has none. */
  shape: readonly (number | string)[];
}

export type TensorType =
  | "float32"
  | "float16"
  | "float64"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "bool"
  | "string";

/** float16 as its bits; bool as 0 and 1. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | string[];

/** The kind of array that holds a type's elements; undefined for strings. */
export const tensorArrays = {
  float32: Float32Array,
  float16: Uint16Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
  string: undefined,
} as const satisfies Record<TensorType, unknown>;

/** The number of elements; undefined when the dims are no sizes of a tensor. */
export function countElements(dims: readonly number[]): number | undefined {
  let count = 1;
  for (const size of dims) {
    if (!Number.isSafeInteger(size) || size < 0) return undefined;
    count *= size;
  }
  return Number.isSafeInteger(count) && dims.length <= maxRank ? count : undefined;
}

const maxRank = 8;
