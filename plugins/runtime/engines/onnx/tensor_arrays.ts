// What holds the elements of a tensor in memory, by their type. Callers: the engine, and plugins that make tensors.

import type { TensorType } from "./interface.ts";

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
