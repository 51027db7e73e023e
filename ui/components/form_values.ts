// The JSON value behind a form: read and changed by path, never in place. What the form does not show stays as it is.
// Callers: bkg-schema-form and the pages' parts that use it.

import type { SchemaIssue } from "../../plugins/runtime/contract/schema.ts";
import { canonical } from "../../plugins/runtime/contract/schema_value.ts";
import type { FormField } from "./schema_form_model.ts";

export type FieldPath = readonly (string | number)[];

/** JSON pointer (RFC 6901). */
export function pointerOf(path: FieldPath): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`)
    .join("");
}

export function valueAt(value: unknown, path: FieldPath): unknown {
  let current = value;
  for (const part of path) {
    if (typeof current !== "object" || current === null) return undefined;
    if (!Object.hasOwn(current, part)) return undefined;
    current = (current as Record<string | number, unknown>)[part];
  }
  return current;
}

/** A copy with `next` at `path`; undefined removes the property or the item. Absent objects on the way are made. */
export function withValue(value: unknown, path: FieldPath, next: unknown): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return next;
  if (typeof part === "number") {
    const list: unknown[] = Array.isArray(value) ? [...value] : [];
    const item = withValue(list[part], rest, next);
    if (item === undefined) list.splice(part, 1);
    else list[part] = item;
    return list;
  }
  const old = isRecord(value) ? value : {};
  const item = withValue(Object.hasOwn(old, part) ? old[part] : undefined, rest, next);
  // Entries, so that a property named "__proto__" stays one.
  const entries = Object.entries(old).filter(([name]) => name !== part);
  if (item === undefined) return Object.fromEntries(entries);
  if (!Object.hasOwn(old, part)) return Object.fromEntries([...entries, [part, item]]);
  return Object.fromEntries(
    Object.entries(old).map(([name, kept]) => [name, name === part ? item : kept]),
  );
}

/** What a form starts with: required fields alone, so that the plugin's own defaults stay in force. */
export function initialValue(field: FormField): unknown {
  if (field.defaultValue !== undefined) return structuredClone(field.defaultValue);
  switch (field.kind) {
    case "text":
      return typeof field.example === "string" ? field.example : "";
    case "number":
      return typeof field.example === "number" ? field.example : field.min ?? 0;
    case "flag":
      return false;
    case "choice":
      return field.options[0]?.value;
    case "list":
      if (Array.isArray(field.example)) return structuredClone(field.example);
      return Array.from({ length: Math.min(field.minItems, 1) }, () => initialValue(field.item));
    case "group":
      return Object.fromEntries(
        field.fields.filter(({ required }) => required)
          .map((inner) => [inner.name, initialValue(inner)]),
      );
    case "json":
      return field.example === undefined ? {} : structuredClone(field.example);
  }
}

/** Whether the field can show `value`; absent ones it can. */
export function fits(field: FormField, value: unknown): boolean {
  if (value === undefined) return true;
  switch (field.kind) {
    case "text":
      return typeof value === "string";
    case "number":
      return typeof value === "number";
    case "flag":
      return typeof value === "boolean";
    case "choice":
      return field.options.some((option) => sameJson(option.value, value));
    case "list":
      return Array.isArray(value) && value.length <= field.maxItems;
    case "group":
      return isRecord(value);
    case "json":
      return true;
  }
}

/** Equal as JSON, whatever the order of properties. */
export function sameJson(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (one === undefined || other === undefined) return false;
  try {
    return canonical(one) === canonical(other);
  } catch {
    // Nested deeper than any value that passes a check.
    return false;
  }
}

/** The number that was typed; undefined for none, NaN for what is no number. */
export function parseNumber(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : NaN;
}

/** The value of JSON text, or why it is none. */
export function parseJsonText(text: string): { value: unknown } | { issue: string } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    const where = error instanceof Error ? error.message.slice(0, 200) : "";
    return { issue: `is not JSON: ${where}` };
  }
}

/** Issues by the pointer of the field that they are shown at: a missing field's own, not its parent's. */
export function placeIssues(issues: readonly SchemaIssue[]): Map<string, string> {
  const placed = new Map<string, string>();
  for (const { path, message } of issues) {
    const missing = missingField.exec(message);
    const name = missing === null ? undefined : nameIn(missing[1] ?? "");
    const pointer = name === undefined ? path : path + pointerOf([name]);
    const text = name === undefined ? message : "is required";
    const known = placed.get(pointer);
    placed.set(pointer, known === undefined ? text : `${known}; ${text}`);
  }
  return placed;
}

const missingField = /^must have the field ("(?:[^"\\]|\\.)*")$/;

function nameIn(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
