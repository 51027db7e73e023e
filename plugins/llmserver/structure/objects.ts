// Objects: their properties in the order of the schema, those that may be left out, and further ones.

import {
  charClass,
  comma,
  type Expression,
  gap,
  type GrammarWriter,
  literal,
} from "./grammar_writer.ts";
import { inside, invalid, limits, type Pointer, tooLarge, unsupported } from "./limits.ts";
import type { SchemaObject } from "./merge.ts";
import type { Path, Values } from "./schema_grammar.ts";
import { quoted, readCount } from "./strings.ts";

/** `depth`: levels that a value of any shape may have, this object counted. */
export function writeObject(
  values: Values,
  schema: SchemaObject,
  pointer: Pointer,
  { path, depth }: { path: Path; depth: number },
): Expression | undefined {
  const { writer } = values;
  const properties = readProperties(schema, pointer);
  const required = readRequired(schema, pointer);
  const { additionalProperties } = schema;
  const further = furtherValue(values, schema, pointer, { path, depth });
  const names = new Set(properties.map(([name]) => name));
  const extra = further === undefined
    ? undefined
    : writer.rule([...otherKey(writer, [...names]), ...literal(":"), ...gap, ...further]);
  // Required, and described by nothing but what further ones are.
  for (const name of required) {
    if (names.has(name)) continue;
    if (further === undefined || additionalProperties === undefined) {
      throw invalid(
        pointer,
        "required",
        `requires "${name.slice(0, 100)}", which is no property of it`,
      );
    }
    throw unsupported(
      pointer,
      "required",
      `of "${name.slice(0, 100)}", which "properties" does not describe`,
    );
  }
  checkCounts(schema, { pointer, required: required.size, most: extra ? Infinity : names.size });

  // From the end: what may follow when something stands before, and when nothing does.
  const more = extra && writer.rule([...comma, ...extra]);
  let after: Expression | undefined = more === undefined ? [] : writer.repeat(more, 0, Infinity);
  let first: Expression | undefined = more === undefined || extra === undefined
    ? []
    : writer.optional([...extra, ...writer.repeat(more, 0, Infinity)]);
  let row = 0;
  for (const [name, property] of properties.toReversed()) {
    const value = values.value(property, inside(pointer, "properties", name), path);
    const isOptional = !required.has(name);
    row = isOptional ? row + 1 : 0;
    if (row > limits.optional) {
      const what = "properties in a row that may be left out";
      throw tooLarge(pointer, "required", { what, limit: limits.optional });
    }
    const rest: Expression | undefined = after && writer.rule(after);
    const member = value === undefined || rest === undefined
      ? undefined
      : [...literal(`${JSON.stringify(name)}:`), ...gap, ...writer.rule(value), ...rest];
    const next = member && [...comma, ...member];
    first = writer.choice([member, isOptional ? first && writer.rule(first) : undefined]);
    after = writer.choice([next, isOptional ? rest : undefined]);
  }
  return first === undefined ? undefined : [...literal("{"), ...first, ...literal("}")];
}

function furtherValue(
  values: Values,
  schema: SchemaObject,
  pointer: Pointer,
  { path, depth }: { path: Path; depth: number },
): Expression | undefined {
  const { additionalProperties, properties } = schema;
  // Where properties are described and no word is said of others, none are written.
  if (additionalProperties === false) return undefined;
  if (additionalProperties === undefined && properties !== undefined) return undefined;
  if (additionalProperties === undefined || additionalProperties === true) {
    return values.anyValue(depth - 1);
  }
  return values.value(additionalProperties, inside(pointer, "additionalProperties"), path);
}

function readProperties(schema: SchemaObject, pointer: Pointer): [string, unknown][] {
  const { properties } = schema;
  if (properties === undefined) return [];
  if (typeof properties !== "object" || properties === null || Array.isArray(properties)) {
    throw invalid(pointer, "properties", 'must hold schemas by name in "properties"');
  }
  const entries = Object.entries(properties);
  if (entries.length > limits.properties) {
    const [count, what, limit] = [entries.length, "properties", limits.properties];
    throw tooLarge(pointer, "properties", { count, what, limit });
  }
  for (const [name] of entries) {
    if (!name.isWellFormed()) throw invalid(pointer, "properties", "has a name that is no text");
  }
  return entries;
}

function readRequired({ required }: SchemaObject, pointer: Pointer): Set<string> {
  if (required === undefined) return new Set();
  if (Array.isArray(required) && required.every((name) => typeof name === "string")) {
    return new Set(required);
  }
  throw invalid(pointer, "required", 'must have a list of names as "required"');
}

/** A grammar does not count properties: bounds are refused unless they hold anyway. */
function checkCounts(
  schema: SchemaObject,
  { pointer, required, most }: { pointer: Pointer; required: number; most: number },
): void {
  const min = readCount(schema, "minProperties", pointer) ?? 0;
  const max = readCount(schema, "maxProperties", pointer) ?? Infinity;
  if (min > required) throw unsupported(pointer, "minProperties");
  if (max < most) throw unsupported(pointer, "maxProperties");
}

/** A key of printable ASCII, 40 characters at most, that is none of `names`. */
function otherKey(writer: GrammarWriter, names: readonly string[]): Expression {
  const rest = writer.repeat(charClass(keyRanges), 0, 39);
  const from = (tails: readonly string[], isFirst: boolean): Expression => {
    const children = new Map<string, string[]>();
    for (const tail of tails) {
      const [char] = tail;
      if (char === undefined || !keyPattern.test(char)) continue;
      const known = children.get(char);
      if (known === undefined) children.set(char, [tail.slice(1)]);
      else known.push(tail.slice(1));
    }
    const codes = [...children.keys()].map((char) => char.charCodeAt(0));
    const other = keyRanges.flatMap((range) => exclude(range, codes));
    const isName = tails.includes("");
    return writer.choice([
      other.length === 0 ? undefined : [...charClass(other), ...rest],
      ...[...children].map(([char, inner]) => [...literal(char), ...from(inner, false)]),
      isFirst || isName ? undefined : [],
    ]) ?? rest;
  };
  return quoted(from(names.filter((name) => name.length < 200), true));
}

const keyRanges: readonly (readonly [number, number])[] = [[0x20, 0x21], [0x23, 0x5b], [
  0x5d,
  0x7e,
]];
const keyPattern = /^[ !#-[\]-~]$/;

function exclude([from, to]: readonly [number, number], codes: readonly number[]) {
  const parts: [number, number][] = [];
  let next = from;
  for (const code of codes.toSorted((a, b) => a - b)) {
    if (code < from || code > to) continue;
    if (code > next) parts.push([next, code - 1]);
    next = code + 1;
  }
  if (next <= to) parts.push([next, to]);
  return parts;
}
