// The types of JSON: those that a schema allows, and those of a value.

import { invalid, type Pointer } from "./limits.ts";
import type { SchemaObject } from "./merge.ts";

export const typeNames = [
  "object",
  "array",
  "string",
  "integer",
  "number",
  "boolean",
  "null",
] as const;
export type TypeName = typeof typeNames[number];

/** By what a schema without a type shows it; what it names the schema may hold. */
const keywordsOf = {
  object: ["properties", "required", "additionalProperties", "minProperties", "maxProperties"],
  array: ["items", "prefixItems", "minItems", "maxItems", "uniqueItems"],
  string: ["minLength", "maxLength", "pattern", "format"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
} as const;

/** What constrains a value of some type. */
export const typeKeywords: ReadonlySet<string> = new Set(Object.values(keywordsOf).flat());

/** undefined: any. */
export function typesOf(schema: SchemaObject, pointer: Pointer): TypeName[] | undefined {
  const { type, nullable } = schema;
  let types: TypeName[];
  if (type === undefined) {
    const shown = (Object.keys(keywordsOf) as (keyof typeof keywordsOf)[]).filter((name) =>
      keywordsOf[name].some((keyword) => schema[keyword] !== undefined)
    );
    if (shown.length === 0) return undefined;
    types = shown;
  } else {
    const named = Array.isArray(type) ? type : [type];
    if (named.length === 0 || named.some((name) => !typeNames.includes(name))) {
      throw invalid(pointer, "type", `must have a type of ${typeNames.join(", ")}`);
    }
    types = [...new Set(named as TypeName[])];
  }
  if (nullable === true && !types.includes("null")) types = [...types, "null"];
  return types.includes("number") ? types.filter((name) => name !== "integer") : types;
}

export function isOfType(value: unknown, type: TypeName): boolean {
  switch (type) {
    case "object":
      return isRecord(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "null":
      return value === null;
    case "string":
      return typeof value === "string";
    case "number":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
  }
}

export function isRecord(value: unknown): value is SchemaObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
