// A value as JSON text. What a plugin returned may hold typed arrays, which JSON.stringify would write as
// objects with numbers for keys; a client gets lists.

import { holdsBuffer } from "../../plugins/runtime/channel/frame.ts";

/** `undefined` is `null`. */
export function toJsonText(value: unknown): string {
  return (holdsBuffer(value) ? JSON.stringify(value, asList) : JSON.stringify(value)) ?? "null";
}

function asList(_key: string, value: unknown): unknown {
  if (!ArrayBuffer.isView(value) || value instanceof DataView) return value;
  // 64-bit integers have no JSON number of their own.
  return Array.from(value as Uint8Array, (item) => typeof item === "bigint" ? String(item) : item);
}
