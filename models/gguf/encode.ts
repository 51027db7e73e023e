// Writes GGUF headers: for the benchmark's model generator, and for tests, which also write hostile ones.
// It checks nothing: what is valid is for readGguf to say.

import { valueType } from "./metadata.ts";

/** A typed value as it stands in the file. */
export interface EncodedValue {
  type: number;
  bytes: Uint8Array;
}

export interface EncodedTensor {
  name: string | Uint8Array;
  dims: readonly (number | bigint)[];
  /** The ggml type id. */
  type: number;
  /** Bytes from the start of the tensor data. */
  offset: number | bigint;
}

export interface HeaderParts {
  version?: number;
  metadata: readonly (readonly [key: string | Uint8Array, value: EncodedValue])[];
  tensors: readonly EncodedTensor[];
  /** What the header claims, when it lies. */
  metadataCount?: bigint;
  tensorCount?: bigint;
}

/** The header without the padding before the tensor data. */
export function encodeHeader(parts: HeaderParts): Uint8Array {
  return joinBytes([
    new TextEncoder().encode("GGUF"),
    encodeU32(parts.version ?? 3),
    encodeU64(parts.tensorCount ?? parts.tensors.length),
    encodeU64(parts.metadataCount ?? parts.metadata.length),
    ...parts.metadata.flatMap((
      [key, { type, bytes }],
    ) => [encodeText(key), encodeU32(type), bytes]),
    ...parts.tensors.flatMap((tensor) => [
      encodeText(tensor.name),
      encodeU32(tensor.dims.length),
      ...tensor.dims.map(encodeU64),
      encodeU32(tensor.type),
      encodeU64(tensor.offset),
    ]),
  ]);
}

/** Zeros after `length` bytes, up to the next multiple of `alignment`. */
export function padding(length: number, alignment: number): Uint8Array {
  return new Uint8Array((alignment - length % alignment) % alignment);
}

export function stringValue(text: string | Uint8Array): EncodedValue {
  return { type: valueType.string, bytes: encodeText(text) };
}

export function u32Value(value: number): EncodedValue {
  return { type: valueType.u32, bytes: encodeU32(value) };
}

export function u16Value(value: number): EncodedValue {
  return { type: valueType.u16, bytes: new Uint8Array([value & 255, value >> 8]) };
}

export function f32Value(value: number): EncodedValue {
  return { type: valueType.f32, bytes: new Uint8Array(new Float32Array([value]).buffer) };
}

export function boolValue(value: boolean): EncodedValue {
  return { type: valueType.bool, bytes: new Uint8Array([value ? 1 : 0]) };
}

export function stringsValue(texts: readonly string[]): EncodedValue {
  return arrayValue(valueType.string, texts.length, joinBytes(texts.map(encodeText)));
}

export function f32sValue(values: readonly number[]): EncodedValue {
  const bytes = new Uint8Array(new Float32Array(values).buffer);
  return arrayValue(valueType.f32, values.length, bytes);
}

export function i32sValue(values: readonly number[]): EncodedValue {
  const bytes = new Uint8Array(new Int32Array(values).buffer);
  return arrayValue(valueType.i32, values.length, bytes);
}

/** An array of `length` items that `items` holds, or claims to hold. */
export function arrayValue(
  itemType: number,
  length: number | bigint,
  items: Uint8Array,
): EncodedValue {
  const bytes = joinBytes([encodeU32(itemType), encodeU64(length), items]);
  return { type: valueType.array, bytes };
}

export function encodeText(text: string | Uint8Array): Uint8Array {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  return joinBytes([encodeU64(bytes.length), bytes]);
}

export function encodeU32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function encodeU64(value: number | bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
