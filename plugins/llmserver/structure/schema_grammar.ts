// From a JSON Schema (2020-12, the part of it that a grammar can hold) to GBNF: every text of the grammar is a JSON
// document that is valid by the schema. What the grammar leaves out is said in the README; what it cannot say is refused.

import { type Expression, GrammarWriter, literal } from "./grammar_writer.ts";
import { inside, invalid, limits, type Pointer, tooLarge, unsupported } from "./limits.ts";
import { checkApart } from "./apart.ts";
import { list, writeArray } from "./arrays.ts";
import { annotations, mergeSchemas, type SchemaObject } from "./merge.ts";
import { writeInteger, writeNumber } from "./numbers.ts";
import { writeObject } from "./objects.ts";
import { isOfType, isRecord, typeKeywords, type TypeName, typesOf } from "./schema_types.ts";
import { writeString } from "./strings.ts";

/** Throws INVALID_INPUT or UNSUPPORTED_FEATURE that names the place in the schema, the keyword, and a limit. */
export function schemaToGrammar(schema: unknown): string {
  checkBounds(schema);
  const writer = new GrammarWriter();
  const root = new Converter(schema, writer).value(schema, "#", []);
  if (root === undefined) throw invalid("#", "schema", "allows no value that ends");
  return writer.finish(root);
}

/** The grammar of any JSON object; always the same. */
export function anyObjectGrammar(): string {
  return anyObject ??= schemaToGrammar({ type: "object" });
}

let anyObject: string | undefined;

/** What a part of the converter needs of it to go deeper. */
export interface Values {
  readonly writer: GrammarWriter;
  /** A value by a schema; undefined when there is none. */
  value(schema: unknown, pointer: Pointer, path: Path): Expression | undefined;
  /** Any JSON value with so many levels below it. */
  anyValue(depth: number): Expression;
}

/** A schema that a value may have, and how it was come by. */
interface Option {
  schema: SchemaObject;
  pointer: Pointer;
  path: Path;
}

/** The $refs that led here, those of schemas that name themselves. */
export type Path = readonly string[];

const refusedKeywords = [
  "not",
  "if",
  "then",
  "else",
  "dependentRequired",
  "dependentSchemas",
  "dependencies",
  "patternProperties",
  "propertyNames",
  "unevaluatedProperties",
  "unevaluatedItems",
  "additionalItems",
  "contains",
  "minContains",
  "maxContains",
  "contentEncoding",
  "contentMediaType",
  "contentSchema",
  "$dynamicRef",
  "$recursiveRef",
];

class Converter implements Values {
  readonly writer: GrammarWriter;
  readonly #root: unknown;
  readonly #recursive = new Map<string, boolean>();
  #schemas = 0;

  constructor(root: unknown, writer: GrammarWriter) {
    this.#root = root;
    this.writer = writer;
  }

  value(schema: unknown, pointer: Pointer, path: Path): Expression | undefined {
    const options = this.#options(schema, pointer, path);
    return this.writer.choice(
      options.map(({ schema, pointer, path }) => this.#plain(schema, pointer, path)),
    );
  }

  anyValue(depth: number): Expression {
    const { writer } = this;
    const scalar = (schema: SchemaObject) => this.#plain(schema, "#", [])!;
    const leaves = ["string", "number", "boolean", "null"].map((type) => scalar({ type }));
    if (depth === 0) return writer.rule(writer.choice(leaves)!);
    const below = this.anyValue(depth - 1);
    const object = writeObject(this, { additionalProperties: true }, "#", { path: [], depth });
    return writer.rule(writer.choice([object, list(writer, below, 0, Infinity), ...leaves])!);
  }

  /** The schemas of which one must hold, with $ref followed and allOf and anyOf resolved. */
  #options(schema: unknown, pointer: Pointer, path: Path): Option[] {
    if (++this.#schemas > limits.schemas) {
      const what = "schemas, those of a $ref counted each time";
      throw tooLarge(pointer, "$ref", { what, limit: limits.schemas });
    }
    if (schema === true) return [{ schema: {}, pointer, path }];
    if (schema === false) return [];
    if (!isRecord(schema)) throw invalid(pointer, "schema", "must be an object or a boolean");
    for (const keyword of refusedKeywords) {
      if (schema[keyword] === undefined) continue;
      // Every name is a string: so zod writes its records.
      const isSaid = keyword === "propertyNames" &&
        JSON.stringify(schema[keyword]) === '{"type":"string"}';
      if (!isSaid) throw unsupported(pointer, keyword);
    }
    const { $ref, allOf, anyOf, oneOf, ...rest } = schema;
    if (anyOf !== undefined && oneOf !== undefined) {
      throw unsupported(pointer, "oneOf", "beside anyOf");
    }
    let options: Option[] = [{ schema: rest, pointer, path }];
    const meet = (others: Option[]) => {
      options = options.flatMap((option) =>
        others.flatMap((other): Option[] => {
          const merged = mergeSchemas(other.schema, option.schema, option.pointer);
          return merged === undefined ? [] : [{
            schema: merged,
            pointer: isBare(option.schema) ? other.pointer : option.pointer,
            path: other.path.length > option.path.length ? other.path : option.path,
          }];
        })
      );
      if (options.length > limits.options) {
        const what = "alternatives";
        throw tooLarge(pointer, "anyOf", { count: options.length, what, limit: limits.options });
      }
    };
    if ($ref !== undefined) meet(this.#follow($ref, pointer, path));
    for (const [index, part] of subschemas(allOf, "allOf", pointer).entries()) {
      meet(this.#options(part, inside(pointer, "allOf", index), path));
    }
    const keyword = anyOf === undefined ? "oneOf" : "anyOf";
    const alternatives = subschemas(anyOf ?? oneOf, keyword, pointer).map((part, index) =>
      this.#options(part, inside(pointer, keyword, index), path)
    );
    if (keyword === "oneOf") checkApart(alternatives, pointer);
    if (alternatives.length > 0) meet(alternatives.flat());
    return options;
  }

  #follow($ref: unknown, pointer: Pointer, path: Path): Option[] {
    const target = this.#resolve($ref, pointer);
    const name = $ref as string;
    if (!this.#isRecursive(name)) return this.#options(target, name, path);
    const times = path.filter((step) => step === name).length;
    // Deep enough: here the value must end in another way.
    return times > limits.recursion ? [] : this.#options(target, name, [...path, name]);
  }

  #resolve($ref: unknown, pointer: Pointer): unknown {
    if (typeof $ref !== "string" || !($ref === "#" || $ref.startsWith("#/"))) {
      throw unsupported(
        pointer,
        "$ref",
        'only what is in the schema itself, such as "#/$defs/item"',
      );
    }
    let found = this.#root;
    for (const step of $ref.split("/").slice(1)) {
      const key = decode(step)?.replaceAll("~1", "/").replaceAll("~0", "~");
      const holder = found as Record<string, unknown> | null;
      if (
        key === undefined || typeof holder !== "object" || holder === null ||
        !Object.hasOwn(holder, key)
      ) {
        throw invalid(pointer, "$ref", `names "${$ref.slice(0, 200)}", which is not there`);
      }
      found = holder[key];
    }
    return found;
  }

  /** Whether following the $ref leads to itself; throws when it does without a value between. */
  #isRecursive(name: string): boolean {
    const known = this.#recursive.get(name);
    if (known !== undefined) return known;
    this.#checkProgress(name);
    const seen = new Set<string>();
    const todo = [name];
    let isRecursive = false;
    for (let next = todo.pop(); next !== undefined && !isRecursive; next = todo.pop()) {
      for (const ref of refsIn(this.#resolve(next, next), "any")) {
        if (ref === name) isRecursive = true;
        if (!seen.has(ref)) todo.push(ref);
        seen.add(ref);
      }
    }
    this.#recursive.set(name, isRecursive);
    return isRecursive;
  }

  #checkProgress(name: string): void {
    const seen = new Set<string>();
    const todo = [name];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      for (const ref of refsIn(this.#resolve(next, next), "same value")) {
        if (ref === name) throw invalid(name, "$ref", "is a circle of $ref without a value");
        if (!seen.has(ref)) todo.push(ref);
        seen.add(ref);
      }
    }
  }

  /** A schema without $ref, allOf, anyOf. */
  #plain(schema: SchemaObject, pointer: Pointer, path: Path): Expression | undefined {
    if (schema["const"] !== undefined || schema["enum"] !== undefined) {
      return this.#constants(schema, pointer);
    }
    const types = typesOf(schema, pointer);
    if (types === undefined) return this.anyValue(limits.anyDepth);
    return this.writer.choice(types.map((type) => this.#typed(type, { schema, pointer, path })));
  }

  #typed(type: TypeName, { schema, pointer, path }: Option): Expression | undefined {
    const { writer } = this;
    switch (type) {
      case "object":
        return writeObject(this, schema, pointer, { path, depth: limits.anyDepth });
      case "array":
        return writeArray(this, schema, pointer, path);
      case "string":
        return writeString(writer, schema, pointer);
      case "integer":
        return writeInteger(writer, { ...schema, type }, pointer);
      case "number":
        return writeNumber(writer, schema, pointer);
      case "boolean":
        return writer.choice([literal("true"), literal("false")]);
      case "null":
        return literal("null");
    }
  }

  #constants(schema: SchemaObject, pointer: Pointer): Expression | undefined {
    const isConst = schema["const"] !== undefined;
    const keyword = isConst ? "const" : "enum";
    let values = isConst ? [schema["const"]] : schema["enum"];
    if (!Array.isArray(values)) throw invalid(pointer, "enum", "must have a list as enum");
    const others = Object.keys(schema).filter((key) =>
      typeKeywords.has(key) || (isConst && key === "enum")
    );
    if (others.length > 0) throw unsupported(pointer, others[0]!, `beside ${keyword}`);
    if (values.length > limits.enumValues) {
      const [count, what, limit] = [values.length, "values in an enum", limits.enumValues];
      throw tooLarge(pointer, "enum", { count, what, limit });
    }
    const types = schema["type"] === undefined ? undefined : typesOf(schema, pointer);
    if (types !== undefined) {
      values = values.filter((value) => types.some((type) => isOfType(value, type)));
    }
    const texts = (values as unknown[]).map((value) => JSON.stringify(value));
    const count = texts.reduce((sum, text) => sum + text.length, 0);
    if (count > limits.enumChars) {
      const what = "characters in an enum";
      throw tooLarge(pointer, keyword, { count, what, limit: limits.enumChars });
    }
    return this.writer.choice(texts.map(literal));
  }
}

/** The $refs that a schema follows: for the same value, or for any value inside it as well. */
function refsIn(schema: unknown, scope: "any" | "same value"): Set<string> {
  const found = new Set<string>();
  const todo = [schema];
  for (let next = todo.pop(); todo.length > 0 || next !== undefined; next = todo.pop()) {
    if (Array.isArray(next)) {
      for (const item of next) todo.push(item);
      continue;
    }
    if (!isRecord(next)) continue;
    for (const key of Object.keys(next)) {
      const inner = next[key];
      if (key === "$ref" && typeof inner === "string") found.add(inner);
      // Names of the schema's author, which may be those of keywords.
      else if (key === "properties" && isRecord(inner)) {
        if (scope === "any") todo.push(...Object.values(inner));
      } else if (annotations.has(key) || key === "enum" || key === "const") continue;
      else if (scope === "any" || ["allOf", "anyOf", "oneOf"].includes(key)) todo.push(inner);
    }
  }
  return found;
}

/** The schemas that a keyword lists; none when it is absent. */
export function subschemas(value: unknown, keyword: string, pointer: Pointer): unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.length > 0 && value.length <= limits.options) return value;
  if (!Array.isArray(value) || value.length === 0) {
    throw invalid(pointer, keyword, `must have a list of schemas as "${keyword}"`);
  }
  const what = `schemas in "${keyword}"`;
  throw tooLarge(pointer, keyword, { count: value.length, what, limit: limits.options });
}

function checkBounds(schema: unknown): void {
  const todo = [{ value: schema, depth: 0 }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (next.depth > limits.schemaDepth) {
      throw tooLarge("#", "schema", { what: "levels", limit: limits.schemaDepth });
    }
    if (typeof next.value !== "object" || next.value === null) continue;
    const holder = next.value as Record<string, unknown>;
    for (const key of Object.keys(holder)) {
      todo.push({ value: holder[key], depth: next.depth + 1 });
    }
  }
  const count = JSON.stringify(schema)?.length ?? 0;
  if (count > limits.schemaChars) {
    const what = "characters of JSON";
    throw tooLarge("#", "schema", { count, what, limit: limits.schemaChars });
  }
}

function isBare(schema: SchemaObject): boolean {
  return Object.keys(schema).every((keyword) => annotations.has(keyword));
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
