// Whether two schemas have no value in common, as far as that is plain: a oneOf needs it.

import { type Pointer, unsupported } from "./limits.ts";
import type { SchemaObject } from "./merge.ts";
import { isOfType, isRecord, type TypeName, typeNames, typesOf } from "./schema_types.ts";

/** A value of two schemas of a oneOf would be of none: no two may have a value in common. */
export function checkApart(
  alternatives: readonly (readonly { schema: SchemaObject }[])[],
  pointer: Pointer,
): void {
  for (const [index, first] of alternatives.entries()) {
    for (const second of alternatives.slice(index + 1)) {
      const areApart = first.every((one) =>
        second.every((other) => isApart(one.schema, other.schema))
      );
      if (!areApart) {
        throw unsupported(pointer, "oneOf", "a value may be of two of its schemas: use anyOf");
      }
    }
  }
}

/** Whether it is plain that no value is of both: by type, by constants, or by a required property. */
function isApart(one: SchemaObject, other: SchemaObject, depth = 0): boolean {
  const [values, others] = [constantsOf(one), constantsOf(other)];
  if (values !== undefined && others !== undefined) {
    const known = new Set(values.map((value) => JSON.stringify(value)));
    return others.every((value) => !known.has(JSON.stringify(value)));
  }
  if (others !== undefined) return isApart(other, one, depth);
  if (isOpen(one) || isOpen(other) || depth > 4) return false;
  if (values !== undefined) {
    return values.every((value) => allowedTypes(other).every((type) => !isOfType(value, type)));
  }
  const shared = [...sharedTypes(one, other), ...sharedTypes(other, one)];
  if (shared.length === 0) return true;
  if (shared.some((type) => type !== "object")) return false;
  return isKeptOut(one, other) || isKeptOut(other, one) ||
    requiredOf(one).some((name) => {
      const [here, there] = [propertyOf(one, name), propertyOf(other, name)];
      return requiredOf(other).includes(name) && here !== undefined && there !== undefined &&
        isApart(here, there, depth + 1);
    });
}

/** Whether `one` requires a property that `other` does not allow. */
function isKeptOut(one: SchemaObject, other: SchemaObject): boolean {
  return other["additionalProperties"] === false &&
    requiredOf(one).some((name) => !Object.hasOwn(other["properties"] ?? {}, name));
}

function constantsOf(schema: SchemaObject): unknown[] | undefined {
  if (schema["const"] !== undefined) return [schema["const"]];
  return Array.isArray(schema["enum"]) ? schema["enum"] : undefined;
}

/** Whether its types are not plain. */
function isOpen(schema: SchemaObject): boolean {
  return schema["$ref"] !== undefined || schema["nullable"] !== undefined;
}

/** Those that are written by the one and allowed by the other: a schema without a type allows all, whatever it shows. */
function sharedTypes(one: SchemaObject, other: SchemaObject): readonly TypeName[] {
  const allowed = allowedTypes(other);
  return (typesOf(one, "#") ?? typeNames).filter((type) =>
    allowed.some((name) => name === type || isNumeric(name) && isNumeric(type))
  );
}

function allowedTypes(schema: SchemaObject): readonly TypeName[] {
  return schema["type"] === undefined ? typeNames : typesOf(schema, "#") ?? typeNames;
}

function isNumeric(type: TypeName): boolean {
  return type === "number" || type === "integer";
}

function requiredOf({ required }: SchemaObject): string[] {
  return Array.isArray(required) ? required.map(String) : [];
}

function propertyOf({ properties }: SchemaObject, name: string): SchemaObject | undefined {
  if (!isRecord(properties) || !Object.hasOwn(properties, name)) return undefined;
  const property = properties[name];
  return isRecord(property) ? property : undefined;
}
