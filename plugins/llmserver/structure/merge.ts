// Several schemas that hold at once, as one: what allOf means, and what stands beside $ref or anyOf.
// Only what can be said in one schema is merged; the rest is refused by its keyword.

import { inside, invalid, type Pointer, unsupported } from "./limits.ts";

export type SchemaObject = Record<string, unknown>;

/** Keywords that say nothing of the value. */
export const annotations: ReadonlySet<string> = new Set([
  "$schema",
  "$id",
  "$anchor",
  "$comment",
  "$defs",
  "definitions",
  "title",
  "description",
  "default",
  "deprecated",
  "examples",
  "example",
  "readOnly",
  "writeOnly",
]);

/** Both at once; undefined when no value can be of both. */
export function mergeSchemas(
  first: SchemaObject,
  second: SchemaObject,
  pointer: Pointer,
): SchemaObject | undefined {
  const merged: SchemaObject = { ...first };
  for (const keyword of Object.keys(second)) {
    const [one, other] = [merged[keyword], second[keyword]];
    if (annotations.has(keyword) || JSON.stringify(one) === JSON.stringify(other)) continue;
    if (one === undefined) merged[keyword] = other;
    else if (keyword === "properties" || keyword === "items" || keyword === "prefixItems") continue;
    else if (keyword === "type") {
      const types = bothTypes(one, other);
      if (types.length === 0) return undefined;
      merged[keyword] = types;
    } else if (keyword === "required") {
      merged[keyword] = [...new Set([...list(one), ...list(other)])];
    } else if (keyword === "enum") {
      const known = new Set(list(other).map((value) => JSON.stringify(value)));
      merged[keyword] = list(one).filter((value) => known.has(JSON.stringify(value)));
    } else if (keyword === "const") return undefined;
    else if (upper.has(keyword)) merged[keyword] = Math.min(Number(one), Number(other));
    else if (lower.has(keyword)) merged[keyword] = Math.max(Number(one), Number(other));
    else if (keyword === "additionalProperties" && (one === false || other === false)) {
      merged[keyword] = false;
    } else if (keyword === "additionalProperties" && (one === true || other === true)) {
      merged[keyword] = one === true ? other : one;
    } else if (keyword === "nullable") merged[keyword] = false;
    else {throw unsupported(
        inside(pointer, keyword),
        keyword,
        "twice at once, by allOf or beside a $ref",
      );}
  }
  if (hasItems(first) && hasItems(second)) Object.assign(merged, mergeItems(first, second));
  if (first["properties"] === undefined && second["properties"] === undefined) return merged;
  merged["properties"] = mergeProperties(first, second, pointer);
  return merged;
}

const upper = new Set(["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"]);
const lower = new Set(["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"]);

function mergeProperties(first: SchemaObject, second: SchemaObject, pointer: Pointer) {
  const [one, other] = [
    record(first["properties"], pointer),
    record(second["properties"], pointer),
  ];
  const merged: [string, unknown][] = [];
  for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
    const inFirst = Object.hasOwn(one, key);
    const inSecond = Object.hasOwn(other, key);
    if (inFirst && inSecond) merged.push([key, { allOf: [one[key], other[key]] }]);
    else {
      const rest = (inFirst ? second : first)["additionalProperties"];
      const here = inFirst ? one[key] : other[key];
      if (rest === undefined || rest === true) merged.push([key, here]);
      else merged.push([key, rest === false ? false : { allOf: [here, rest] }]);
    }
  }
  return Object.fromEntries(merged);
}

function hasItems({ items, prefixItems }: SchemaObject): boolean {
  return items !== undefined || prefixItems !== undefined;
}

/** `items` is for what comes after a schema's own prefix: for all, where it has none. */
function mergeItems(first: SchemaObject, second: SchemaObject): SchemaObject {
  const both = [first, second].map(({ prefixItems = [], items }) => ({
    prefix: list(prefixItems),
    items,
  }));
  const length = Math.max(...both.map(({ prefix }) => prefix.length));
  const prefixItems = Array.from(
    { length },
    (_, at) => together(both.map(({ prefix, items }) => at < prefix.length ? prefix[at] : items)),
  );
  const items = together(both.map(({ items }) => items));
  return {
    ...(length === 0 ? {} : { prefixItems }),
    ...(items === undefined ? {} : { items }),
  };
}

/** Undefined where none says anything. */
function together(schemas: readonly unknown[]): unknown {
  const [one, ...others] = schemas.filter((schema) => schema !== undefined);
  const text = JSON.stringify(one);
  return others.every((other) => JSON.stringify(other) === text)
    ? one
    : { allOf: [one, ...others] };
}

function bothTypes(one: unknown, other: unknown): unknown[] {
  const [first, second] = [list(one), list(other)];
  const isIn = (types: unknown[], type: unknown) =>
    types.includes(type) || (type === "integer" && types.includes("number"));
  return [
    ...new Set([
      ...first.filter((type) => isIn(second, type)),
      ...second.filter((type) => isIn(first, type)),
    ]),
  ];
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}

function record(value: unknown, pointer: Pointer): SchemaObject {
  if (value === undefined) return {};
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as SchemaObject;
  }
  throw invalid(pointer, "properties", 'must hold schemas by name in "properties"');
}
