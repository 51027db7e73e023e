// Writes protocol buffers by hand, wrong ones too: for tests of the ONNX validator.

import { joinBytes } from "../gguf/encode.ts";

/** A field as it stands in the file. */
export type Part = Uint8Array;

export function encodeVarint(value: number | bigint): Uint8Array {
  let left = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  do {
    const low = Number(left & 0x7fn);
    left >>= 7n;
    bytes.push(left > 0n ? low | 0x80 : low);
  } while (left > 0n);
  return new Uint8Array(bytes);
}

export function encodeTag(number: number, wireType: number): Uint8Array {
  return encodeVarint(BigInt(number) * 8n + BigInt(wireType));
}

export function intField(number: number, value: number | bigint): Part {
  return joinBytes([encodeTag(number, 0), encodeVarint(value)]);
}

/** With the length that `claimed` says, when it lies. */
export function bytesField(
  number: number,
  value: Uint8Array | string,
  claimed?: number | bigint,
): Part {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return joinBytes([encodeTag(number, 2), encodeVarint(claimed ?? bytes.length), bytes]);
}

export function messageField(number: number, parts: readonly Part[]): Part {
  return bytesField(number, joinBytes(parts));
}

export function packedField(number: number, values: readonly (number | bigint)[]): Part {
  return bytesField(number, joinBytes(values.map(encodeVarint)));
}

export function floatField(number: number, value: number): Part {
  return joinBytes([encodeTag(number, 5), new Uint8Array(new Float32Array([value]).buffer)]);
}
