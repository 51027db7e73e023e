// How JSON Schema sees values: lists, objects, equality, and words of a caller inside messages.

import { maxDepth, type Run, TooCostly } from "./schema_run.ts";

/** An object that is no list; typed arrays are lists, as a tensor is. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !isList(value);
}

export function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/** Text that is equal for equal JSON values. */
export function canonical(value: unknown, run?: Run): string {
  // Joined once: text that each level joined anew would be copied as often as it is deep.
  const parts: string[] = [];
  writeCanonical(value, parts, run, 0);
  run?.spend(16);
  return parts.join("");
}

/** `text` as a key of a Map or Set: V8 hashes texts of digits without a seed, and chosen ones would collide. */
export function mapKey(text: string): string {
  const { length } = text;
  return length > 5 && length < 9 && text.charCodeAt(0) < 58 ? `"${text}` : text;
}

/** Whether two items are equal; takes strings, numbers, objects and lists in about linear time. */
export function hasDuplicate(list: ArrayLike<unknown>, run: Run): boolean {
  const numbers: number[] = [];
  const others = new Set<unknown>();
  for (let index = 0; index < list.length; index++) {
    const item = list[index] ?? null;
    run.spend(6);
    if (typeof item === "number") {
      numbers.push(item);
      continue;
    }
    if (typeof item === "string") run.spend(item.length >> 5);
    const key = typeof item === "string"
      ? mapKey(item)
      : typeof item === "object" && item !== null
      ? deepKey + canonical(item, run)
      : item;
    if (others.size === others.add(key).size) return true;
  }
  // Sorted, not hashed: V8's hash of numbers has no seed, 30,000 chosen ones took 0.5 s.
  const sorted = Float64Array.from(numbers).sort();
  return sorted.some((number, index) => index > 0 && number === sorted[index - 1]);
}

/** Keeps the texts of objects apart from strings; no JSON text starts so. */
const deepKey = "\u0000";

function writeCanonical(
  value: unknown,
  parts: string[],
  run: Run | undefined,
  depth: number,
): void {
  if (depth > maxDepth) throw new TooCostly("is nested too deeply");
  if (typeof value !== "object" || value === null) {
    if (typeof value === "string") run?.spend(value.length >> 2);
    const text = JSON.stringify(value) ?? "null";
    run?.spend(6 + (text.length >> 3));
    parts.push(text);
    return;
  }
  run?.spend(14);
  if (isList(value)) {
    for (let index = 0; index < value.length; index++) {
      parts.push(index === 0 ? "[" : ",");
      writeCanonical(value[index], parts, run, depth + 1);
    }
    parts.push(value.length === 0 ? "[]" : "]");
    return;
  }
  const object = value as Record<string, unknown>;
  const keys = Object.keys(object);
  run?.spend(keys.length * (8 + 32 - Math.clz32(keys.length)));
  if (keys.length > 1) keys.sort();
  parts.push("{");
  for (const [index, key] of keys.entries()) {
    if (index > 0) parts.push(",");
    run?.spend(key.length >> 2);
    parts.push(JSON.stringify(key), ":");
    writeCanonical(object[key], parts, run, depth + 1);
  }
  parts.push("}");
}

/** A caller's word inside a message: quoted and cut. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
