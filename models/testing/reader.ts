// Files in memory for the validators' tests, which count what is read of them.

import type { ByteReader } from "../format/cursor.ts";

export function readerOf(bytes: Uint8Array): ByteReader & { bytesRead: number } {
  return {
    size: bytes.length,
    bytesRead: 0,
    read(offset, length) {
      const found = bytes.subarray(offset, offset + length);
      this.bytesRead += found.length;
      return Promise.resolve(found);
    },
  };
}

export function patch(bytes: Uint8Array, at: number, by: Uint8Array): Uint8Array {
  bytes.set(by, at);
  return bytes;
}
