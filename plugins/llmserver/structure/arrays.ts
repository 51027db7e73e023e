// Arrays: a prefix of items with schemas of their own, then items of one.

import { comma, type Expression, type GrammarWriter, literal } from "./grammar_writer.ts";
import { inside, invalid, limits, type Pointer, unsupported } from "./limits.ts";
import type { SchemaObject } from "./merge.ts";
import { type Path, subschemas, type Values } from "./schema_grammar.ts";
import { readCount } from "./strings.ts";

export function writeArray(
  values: Values,
  schema: SchemaObject,
  pointer: Pointer,
  path: Path,
): Expression | undefined {
  const { writer } = values;
  if (schema["uniqueItems"] === true) throw unsupported(pointer, "uniqueItems");
  const max = readCount(schema, "maxItems", pointer) ?? Infinity;
  // All of a prefix, unless less is asked for.
  const prefix = Array.isArray(schema["prefixItems"]) ? schema["prefixItems"].length : 0;
  const min = readCount(schema, "minItems", pointer) ?? Math.min(prefix, max);
  if (min > max) throw invalid(pointer, "minItems", "asks for more items than it allows");
  const { prefixItems, items } = schema;
  if (Array.isArray(items)) throw unsupported(pointer, "items", 'as a list: use "prefixItems"');
  const first = subschemas(prefixItems, "prefixItems", pointer).map((part, index) =>
    values.value(part, inside(pointer, "prefixItems", index), path)
  );
  // Beside a prefix, more items come only when they are described.
  const isOpen = items !== undefined || first.length === 0;
  const item = !isOpen
    ? undefined
    : items === undefined
    ? values.anyValue(limits.anyDepth - 1)
    : values.value(items, inside(pointer, "items"), path);
  if (first.length === 0) {
    if (item !== undefined) return list(writer, item, min, max);
    return min === 0 ? literal("[]") : undefined;
  }
  return tuple(writer, first, { item, min, max });
}

/** Items of one kind. */
export function list(
  writer: GrammarWriter,
  item: Expression,
  min: number,
  max: number,
): Expression {
  if (max === 0) return literal("[]");
  const one = writer.rule(item);
  const more = writer.rule([...comma, ...one]);
  const some = [...one, ...writer.repeat(more, Math.max(0, min - 1), max - 1)];
  return [...literal("["), ...(min === 0 ? writer.optional(some) : some), ...literal("]")];
}

/** The items of a prefix one after the other; all that `min` does not ask for may be left out, from the end. */
function tuple(
  writer: GrammarWriter,
  first: readonly (Expression | undefined)[],
  { item, min, max }: { item: Expression | undefined; min: number; max: number },
): Expression | undefined {
  let rest: Expression | undefined = [];
  if (item !== undefined && max > first.length) {
    const more = writer.rule([...comma, ...writer.rule(item)]);
    rest = writer.repeat(more, Math.max(0, min - first.length), max - first.length);
  } else if (min > first.length) rest = undefined;
  for (let index = Math.min(first.length, max) - 1; index >= 0; index--) {
    const value: Expression | undefined = first[index];
    const here: Expression | undefined = value === undefined || rest === undefined
      ? undefined
      : [...(index === 0 ? [] : comma), ...value, ...rest];
    rest = writer.choice([here, index >= min ? [] : undefined]);
  }
  return rest === undefined ? undefined : [...literal("["), ...rest, ...literal("]")];
}
