// How JSON Schema sees values: lists, objects, equality, and words of a caller inside messages.

import type { Run } from "./schema_run.ts";

/** An object that is no list; typed arrays are lists, as a tensor is. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !isList(value);
}

export function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/** Text that is equal for equal JSON values. */
export function canonical(value: unknown, run?: Run): string {
  if (typeof value !== "object" || value === null) {
    const text = JSON.stringify(value) ?? "null";
    run?.spend(1 + (text.length >> 5));
    return text;
  }
  run?.spend(1);
  if (isList(value)) {
    return `[${Array.from(value, (item) => canonical(item, run)).join(",")}]`;
  }
  const object = value as Record<string, unknown>;
  const parts = Object.keys(object).sort().map((key) =>
    `${JSON.stringify(key)}:${canonical(object[key], run)}`
  );
  return `{${parts.join(",")}}`;
}

/** A caller's word inside a message: quoted and cut. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
