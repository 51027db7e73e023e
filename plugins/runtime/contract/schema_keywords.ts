// The keywords of strings, numbers, lists and objects as checks. `schema_compiler.ts` is the only caller.
// A keyword says nothing about a value of another type.

import { RE2JS } from "re2js";
import { formatCheck } from "./schema_format.ts";
import type { Check, Run } from "./schema_run.ts";
import { hasDuplicate, isList, isObject, mapKey, quote } from "./schema_value.ts";

/** What is wrong with a schema, and where (JSON pointer into the schema). */
export class SchemaError extends Error {
  readonly path: string;

  constructor(message: string, path: string) {
    super(path === "" ? message : `${message} at "${path.slice(0, 200)}"`);
    this.path = path;
  }
}

export type SchemaObject = Readonly<Record<string, unknown>>;

export interface Compiler {
  /** Compiles what `schema` holds at `keyword`; undefined when absent. */
  sub(schema: SchemaObject, keyword: string, path: string): Check | undefined;
  list(schema: SchemaObject, keyword: string, path: string): Check[] | undefined;
  map(schema: SchemaObject, keyword: string, path: string): Map<string, Check> | undefined;
}

export function compileString(schema: SchemaObject, path: string): Check | undefined {
  const min = readCount(schema, "minLength", path) ?? 0;
  const max = readCount(schema, "maxLength", path) ?? Infinity;
  const pattern = compilePattern(schema["pattern"], path);
  const format = readString(schema, "format", path);
  const hasFormat = format === undefined ? undefined : formatCheck(format);
  if (min === 0 && max === Infinity && !pattern && !hasFormat) return undefined;
  return (value, run) => {
    if (typeof value !== "string") return true;
    const tooLong = value.length > max && isLonger(value, max, run);
    if (tooLong) return run.fail(() => `must be at most ${plural(max, "character")}`);
    if (min > 0 && (value.length < min || !isLonger(value, min - 1, run))) {
      return run.fail(() => `must be at least ${plural(min, "character")}`);
    }
    if (pattern !== undefined && !pattern(value, run)) {
      return run.fail(() => `must match the pattern ${quote(String(schema["pattern"]))}`);
    }
    return hasFormat === undefined || hasFormat(value, run) ||
      run.fail(() => `must have the format "${format}"`);
  };
}

export function compileNumber(schema: SchemaObject, path: string): Check | undefined {
  const min = readNumber(schema, "minimum", path) ?? -Infinity;
  const max = readNumber(schema, "maximum", path) ?? Infinity;
  const above = readNumber(schema, "exclusiveMinimum", path) ?? -Infinity;
  const below = readNumber(schema, "exclusiveMaximum", path) ?? Infinity;
  const step = readNumber(schema, "multipleOf", path);
  if (step !== undefined && step <= 0) throw new SchemaError('"multipleOf" must be above 0', path);
  const bounded = min > -Infinity || max < Infinity || above > -Infinity || below < Infinity;
  if (!bounded && step === undefined) return undefined;
  return (value, run) => {
    if (typeof value !== "number") return true;
    if (value < min) return run.fail(() => `must be at least ${min}`);
    if (value > max) return run.fail(() => `must be at most ${max}`);
    if (above > -Infinity && value <= above) return run.fail(() => `must be more than ${above}`);
    if (below < Infinity && value >= below) return run.fail(() => `must be less than ${below}`);
    if (step !== undefined && !isMultiple(value, step)) {
      return run.fail(() => `must be a multiple of ${step}`);
    }
    return true;
  };
}

export function compileArray(
  schema: SchemaObject,
  path: string,
  compiler: Compiler,
): Check | undefined {
  if (Array.isArray(schema["items"])) {
    throw new SchemaError('"items" must be one schema: use "prefixItems" for a list of them', path);
  }
  const min = readCount(schema, "minItems", path) ?? 0;
  const max = readCount(schema, "maxItems", path) ?? Infinity;
  const prefix = compiler.list(schema, "prefixItems", path) ?? [];
  const items = compiler.sub(schema, "items", path);
  const contains = compiler.sub(schema, "contains", path);
  const minContains = readCount(schema, "minContains", path) ?? 1;
  const maxContains = readCount(schema, "maxContains", path) ?? Infinity;
  const unique = schema["uniqueItems"] === true;
  if (min === 0 && max === Infinity && prefix.length === 0 && !items && !contains && !unique) {
    return undefined;
  }
  return (value, run, seen) => {
    if (!isList(value)) return true;
    const { length } = value;
    // A list of a wrong length is not looked into: its items could be many.
    if (length > max) return run.fail(() => `must have at most ${plural(max, "item")}`);
    if (length < min) return run.fail(() => `must have at least ${plural(min, "item")}`);
    let ok = true;
    const end = items === undefined ? Math.min(length, prefix.length) : length;
    for (let index = 0; index < end; index++) {
      const check = prefix[index] ?? items;
      if (check === undefined || run.enterChild(index, check, value[index] ?? null)) continue;
      if (run.issues === undefined) return false;
      ok = false;
    }
    if (seen !== undefined) {
      if (items !== undefined) seen.all = true;
      else run.spend(3 * end);
      for (let index = 0; index < (items === undefined ? end : 0); index++) seen.keys.add(index);
    }
    if (unique && hasDuplicate(value, run)) ok = run.fail(() => "must have no item twice");
    if (contains === undefined) return ok;
    let matches = 0;
    for (let index = 0; index < length; index++) {
      if (!run.test(contains, value[index] ?? null)) continue;
      matches++;
      if (seen === undefined || seen.all) continue;
      run.spend(3);
      seen.keys.add(index);
    }
    if (matches < minContains) {
      return run.fail(() => `must have at least ${plural(minContains, "item")} of the wanted form`);
    }
    if (matches > maxContains) {
      return run.fail(() => `must have at most ${plural(maxContains, "item")} of the wanted form`);
    }
    return ok;
  };
}

export function compileObject(
  schema: SchemaObject,
  path: string,
  compiler: Compiler,
): Check | undefined {
  const properties = new Map(
    [...compiler.map(schema, "properties", path) ?? []].map(([key, check]) => [mapKey(key), check]),
  );
  const patterns = [...compiler.map(schema, "patternProperties", path) ?? []].map(
    ([pattern, check]) => ({ test: compilePattern(pattern, path), check }),
  );
  const additional = compiler.sub(schema, "additionalProperties", path);
  const closed = schema["additionalProperties"] === false;
  const names = compiler.sub(schema, "propertyNames", path);
  const required = readNames(schema["required"], "required", path);
  const min = readCount(schema, "minProperties", path) ?? 0;
  const max = readCount(schema, "maxProperties", path) ?? Infinity;
  const dependent = compileDependent(schema, path, compiler);
  const looksInside = properties.size > 0 || patterns.length > 0 || additional !== undefined ||
    names !== undefined;
  if (!looksInside && required.length === 0 && min === 0 && max === Infinity && !dependent) {
    return undefined;
  }
  const counts = min > 0 || max < Infinity;
  return (value, run, seen) => {
    if (!isObject(value)) return true;
    let ok = true;
    if (counts) {
      let size = 0;
      let count = 0;
      for (const key in value) {
        run.spendKey(++count);
        if (value[key] !== undefined) size++;
      }
      if (size > max) return run.fail(() => `must have at most ${plural(max, "field")}`);
      if (size < min) return run.fail(() => `must have at least ${plural(min, "field")}`);
    }
    if (required.length > 4) run.spend(required.length + (required.length >> 1));
    for (const name of required) {
      if (Object.hasOwn(value, name) && value[name] !== undefined) continue;
      ok = run.fail(() => `must have the field ${quote(name)}`);
      if (run.issues === undefined) return false;
    }
    if (looksInside) {
      let count = 0;
      for (const key in value) {
        run.spendKey(++count);
        const item = value[key];
        if (item === undefined) continue;
        if (names !== undefined && !run.enterChild(key, names, key)) ok = false;
        const check = properties.get(mapKey(key));
        let known = check !== undefined;
        if (check !== undefined && !run.enterChild(key, check, item)) ok = false;
        for (const { test, check } of patterns) {
          if (test !== undefined && !test(key, run)) continue;
          known = true;
          if (!run.enterChild(key, check, item)) ok = false;
        }
        if (!known && closed) ok = run.fail(() => `has the unknown field ${quote(key)}`);
        else if (!known && additional !== undefined) {
          if (!run.enterChild(key, additional, item)) ok = false;
          known = true;
        }
        if (known && seen !== undefined) {
          run.spend(3);
          seen.keys.add(mapKey(key));
        }
        if (!ok && run.issues === undefined) {
          run.spendKeys(value);
          return false;
        }
      }
    }
    return (dependent === undefined || dependent(value, run, seen)) && ok;
  };
}

function compileDependent(
  schema: SchemaObject,
  path: string,
  compiler: Compiler,
): Check | undefined {
  const schemas = compiler.map(schema, "dependentSchemas", path);
  const lists = schema["dependentRequired"];
  if (lists !== undefined && !isObject(lists)) {
    throw new SchemaError('"dependentRequired" must hold lists of names', path);
  }
  const required = Object.entries(lists ?? {}).map(([key, list]) => ({
    key,
    wanted: readNames(list, "dependentRequired", path),
  }));
  if (schemas === undefined && required.length === 0) return undefined;
  return (value, run, seen) => {
    const object = value as SchemaObject;
    let ok = true;
    run.spend(required.length);
    for (const { key, wanted } of required) {
      if (!Object.hasOwn(object, key)) continue;
      run.spend(1 + 2 * wanted.length);
      const lacking = wanted.find((name) => !Object.hasOwn(object, name));
      if (lacking === undefined) continue;
      ok = run.fail(() => `must have the field ${quote(lacking)}, as it has ${quote(key)}`);
    }
    for (const [key, check] of schemas ?? []) {
      run.spend(1);
      if (Object.hasOwn(object, key) && !run.enter(check, value, seen)) ok = false;
    }
    return ok;
  };
}

function compilePattern(
  pattern: unknown,
  path: string,
): ((text: string, run: Run) => boolean) | undefined {
  if (pattern === undefined) return undefined;
  if (typeof pattern !== "string") throw new SchemaError('"pattern" must be a string', path);
  if (pattern.length > maxPatternChars) {
    throw new SchemaError(`a pattern has more than ${maxPatternChars} characters`, path);
  }
  // A counted repeat is unrolled, so the work of compiling is about length times count.
  const repeats = [...pattern.matchAll(/(?<!\\[uxpP])\{(?:\d+,)?(\d+)/g)].map((match) =>
    Number(match[1])
  );
  if (pattern.length * Math.max(1, ...repeats) > maxPatternWork) {
    throw new SchemaError(`the pattern ${quote(pattern)} is too large`, path);
  }
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SchemaError(
      `the pattern ${quote(pattern)} is not a linear regular expression (RE2): ${
        why.slice(0, 200)
      }`,
      path,
    );
  }
  const size = compiled.programSize();
  if (size > maxPatternProgram) {
    throw new SchemaError(`the pattern ${quote(pattern)} is too large`, path);
  }
  // Measured: while the engine builds its automaton, 60 ns a character and instruction; 25 ns in large programs.
  const stepsPerChar = 4 + size + 2 * Math.min(size, 50);
  let isFresh = true;
  return (text, run) => {
    // The first text builds the automaton.
    if (isFresh) run.spend(3000);
    isFresh = false;
    run.spend(8 + text.length * stepsPerChar);
    return compiled.test(text);
  };
}

const maxPatternChars = 4096;
const maxPatternWork = 20_000;
const maxPatternProgram = 5000;

/** Whether `text` has more than `count` code points; a code point has one or two code units. */
function isLonger(text: string, count: number, run: Run): boolean {
  if (text.length <= count) return false;
  if (text.length > 2 * count) return true;
  run.spend(text.length >> 3);
  let points = 0;
  for (let index = 0; index < text.length; index++) {
    if ((text.codePointAt(index) ?? 0) > 0xffff) index++;
    if (++points > count) return true;
  }
  return false;
}

/** Tolerates the rounding of decimal fractions: 0.3 is a multiple of 0.1. */
function isMultiple(value: number, step: number): boolean {
  const quotient = value / step;
  const rounded = Math.round(quotient);
  return Number.isFinite(quotient) &&
    Math.abs(quotient - rounded) <= Number.EPSILON * Math.max(1, Math.abs(rounded)) * 2;
}

function readNumber(schema: SchemaObject, keyword: string, path: string): number | undefined {
  const value = schema[keyword];
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw new SchemaError(`"${keyword}" must be a number`, path);
  }
  return value;
}

function readCount(schema: SchemaObject, keyword: string, path: string): number | undefined {
  const value = readNumber(schema, keyword, path);
  if (value !== undefined && (!Number.isInteger(value) || value < 0)) {
    throw new SchemaError(`"${keyword}" must be a whole number from 0`, path);
  }
  return value;
}

function readString(schema: SchemaObject, keyword: string, path: string): string | undefined {
  const value = schema[keyword];
  if (value !== undefined && typeof value !== "string") {
    throw new SchemaError(`"${keyword}" must be a string`, path);
  }
  return value;
}

function readNames(value: unknown, keyword: string, path: string): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.some((name) => typeof name !== "string")) {
    throw new SchemaError(`"${keyword}" must be a list of names`, path);
  }
  return value;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
