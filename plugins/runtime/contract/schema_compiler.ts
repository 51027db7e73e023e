// Compiles a JSON Schema into closures, once; `schema.ts` is its only caller.
// Unknown keywords are annotations (2020-12); a known keyword of a wrong shape, or from another draft, is refused.

import type { SchemaIssue } from "./schema.ts";
import {
  compileArray,
  compileNumber,
  compileObject,
  type Compiler,
  compileString,
  SchemaError,
  type SchemaObject,
} from "./schema_keywords.ts";
import { type Budget, type Check, Evaluated, maxIssues, Run, TooCostly } from "./schema_run.ts";
import { canonical, isList, isObject, mapKey, quote } from "./schema_value.ts";

export function compileRoot(schema: unknown): Check {
  return new SchemaCompiler(schema).compile(schema, "");
}

/** Why `value` does not match, at most 20 issues; none when it does. What costs too much does not match. */
export function check(root: Check, value: unknown, budget?: Budget): readonly SchemaIssue[] {
  const run = new Run(budget?.steps);
  try {
    const ok = run.enter(root, value);
    if (budget !== undefined) budget.steps = run.left;
    return ok ? none : explain(root, value, run.left);
  } catch (error) {
    if (!(error instanceof TooCostly)) throw error;
    if (budget !== undefined) budget.steps = 0;
    return [{ path: "", message: error.message }];
  }
}

function explain(root: Check, value: unknown, steps: number): SchemaIssue[] {
  const issues: SchemaIssue[] = [];
  const run = new Run(steps, issues);
  try {
    run.enter(root, value);
  } catch (error) {
    if (!(error instanceof TooCostly)) throw error;
  }
  return issues.length > 0 ? issues : [{ path: "", message: "does not match the schema" }];
}

const none: readonly SchemaIssue[] = [];

const draft = "https://json-schema.org/draft/2020-12/schema";
const typeNames = ["null", "boolean", "object", "array", "number", "integer", "string"];

/** Keywords of other drafts that would change what a schema means. */
const refused: Readonly<Record<string, string>> = {
  $recursiveRef: 'use "$ref"',
  $recursiveAnchor: 'use "$ref"',
  dependencies: 'use "dependentRequired" or "dependentSchemas"',
  additionalItems: 'use "prefixItems" and "items"',
};

class SchemaCompiler implements Compiler {
  readonly #root: unknown;
  readonly #done = new Map<object, { check: Check }>();

  constructor(root: unknown) {
    this.#root = root;
  }

  compile(schema: unknown, path: string): Check {
    if (schema === true) return () => true;
    if (schema === false) return (_, run) => run.fail(() => "is not allowed");
    if (!isObject(schema)) throw new SchemaError("a schema must be an object or a boolean", path);
    const known = this.#done.get(schema);
    if (known !== undefined) return (value, run, seen) => known.check(value, run, seen);
    // Registered before its parts are compiled: a recursive $ref finds it here.
    const entry = { check: (() => true) as Check };
    this.#done.set(schema, entry);
    entry.check = this.#compileObject(schema, path);
    return entry.check;
  }

  sub(schema: SchemaObject, keyword: string, path: string): Check | undefined {
    return schema[keyword] === undefined
      ? undefined
      : this.compile(schema[keyword], `${path}/${keyword}`);
  }

  list(schema: SchemaObject, keyword: string, path: string): Check[] | undefined {
    const value = schema[keyword];
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.length === 0) {
      throw new SchemaError(`"${keyword}" must be a list of schemas`, path);
    }
    return value.map((item, index) => this.compile(item, `${path}/${keyword}/${index}`));
  }

  map(schema: SchemaObject, keyword: string, path: string): Map<string, Check> | undefined {
    const value = schema[keyword];
    if (value === undefined) return undefined;
    if (!isObject(value)) throw new SchemaError(`"${keyword}" must hold schemas by name`, path);
    return new Map(
      // Not Object.entries: V8 hashes integer keys unseeded in it, 30,000 chosen ones took 1.5 s.
      Object.keys(value).map((
        key,
      ) => [key, this.compile(value[key], `${path}/${keyword}/${escapePointer(key)}`)]),
    );
  }

  #compileObject(schema: SchemaObject, path: string): Check {
    const $schema = schema["$schema"];
    if ($schema !== undefined && $schema !== draft && $schema !== `${draft}#`) {
      throw new SchemaError(`"$schema" must be "${draft}"`, path);
    }
    if (schema["$id"] !== undefined && path !== "") {
      throw new SchemaError('"$id" may stand at the root alone', path);
    }
    for (const keyword of Object.keys(refused)) {
      if (schema[keyword] !== undefined) {
        throw new SchemaError(`"${keyword}" is not of 2020-12: ${refused[keyword]}`, path);
      }
    }
    // Compiled though they check nothing: a broken definition is said when the plugin is installed.
    this.map(schema, "$defs", path);
    const parts = [
      this.#compileType(schema, path),
      compileValues(schema, path),
      compileString(schema, path),
      compileNumber(schema, path),
      compileArray(schema, path, this),
      compileObject(schema, path, this),
      this.#compileRef(schema, "$ref", path),
      this.#compileRef(schema, "$dynamicRef", path),
      ...this.#compileLogic(schema, path),
    ].filter((part) => part !== undefined);
    const check = every(parts);
    return this.#compileUnevaluated(schema, path, check) ?? check;
  }

  #compileType(schema: SchemaObject, path: string): Check | undefined {
    const { type } = schema;
    if (type === undefined) return undefined;
    const types: unknown[] = Array.isArray(type) ? [...new Set<unknown>(type)] : [type];
    if (types.length === 0 || types.some((name) => !typeNames.includes(name as string))) {
      throw new SchemaError(`"type" must be of ${typeNames.join(", ")}`, path);
    }
    const [only] = types;
    const message = `must be ${types.map((name) => article(String(name))).join(" or ")}`;
    if (types.length === 1) {
      return (value, run) => hasType(value, only) || run.fail(() => message);
    }
    return (value, run) => types.some((name) => hasType(value, name)) || run.fail(() => message);
  }

  #compileRef(schema: SchemaObject, keyword: string, path: string): Check | undefined {
    const ref = schema[keyword];
    if (ref === undefined) return undefined;
    if (typeof ref !== "string" || !ref.startsWith("#")) {
      throw new SchemaError(`"${keyword}" must be local, such as "#/$defs/item"`, path);
    }
    const target = this.#resolve(ref.slice(1));
    if (target === undefined) {
      throw new SchemaError(`"${keyword}" names "${ref.slice(0, 200)}", which is not there`, path);
    }
    const check = this.compile(target, ref.slice(1));
    return (value, run, seen) => run.enter(check, value, seen);
  }

  #resolve(fragment: string): unknown {
    let pointer: string;
    try {
      pointer = decodeURIComponent(fragment);
    } catch {
      return undefined;
    }
    if (pointer === "") return this.#root;
    if (!pointer.startsWith("/")) return findAnchor(this.#root, pointer);
    let found: unknown = this.#root;
    for (const part of pointer.slice(1).split("/")) {
      const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
      if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) {
        return undefined;
      }
      found = (found as Record<string, unknown>)[key];
    }
    return found;
  }

  *#compileLogic(schema: SchemaObject, path: string): Generator<Check | undefined> {
    const all = this.list(schema, "allOf", path);
    if (all !== undefined) {
      yield every(all.map((check): Check => (value, run, seen) => run.enter(check, value, seen)));
    }
    const any = this.list(schema, "anyOf", path);
    if (any !== undefined) yield someOf(any, false);
    const one = this.list(schema, "oneOf", path);
    if (one !== undefined) yield someOf(one, true);
    const not = this.sub(schema, "not", path);
    if (not !== undefined) {
      yield (value, run) =>
        !run.test(not, value) || run.fail(() => "has a form that is not allowed");
    }
    const condition = this.sub(schema, "if", path);
    const then = this.sub(schema, "then", path);
    const otherwise = this.sub(schema, "else", path);
    if (condition === undefined) return;
    yield (value, run, seen) => {
      const inner = seen && startEvaluated(run);
      const holds = run.test(condition, value, inner);
      if (holds && inner !== undefined) seen?.add(inner, run);
      const next = holds ? then : otherwise;
      return next === undefined || run.enter(next, value, seen);
    };
  }

  #compileUnevaluated(schema: SchemaObject, path: string, check: Check): Check | undefined {
    const properties = this.sub(schema, "unevaluatedProperties", path);
    const items = this.sub(schema, "unevaluatedItems", path);
    if (properties === undefined && items === undefined) return undefined;
    return (value, run, outer) => {
      const seen = startEvaluated(run);
      let ok = check(value, run, seen);
      if (!ok && run.issues === undefined) return false;
      if (isList(value)) {
        if (items !== undefined && !seen.all && !everyUnevaluated(value, items, run, seen)) {
          ok = false;
        }
        seen.all ||= items !== undefined;
      } else if (isObject(value) && properties !== undefined) {
        let count = 0;
        for (const key in seen.all ? {} : value) {
          run.spendKey(++count);
          const item = value[key];
          if (item === undefined || seen.keys.has(mapKey(key))) continue;
          if (schema["unevaluatedProperties"] === false) {
            ok = run.fail(() => `has the unknown field ${quote(key)}`);
          } else if (!run.enterChild(key, properties, item)) ok = false;
          if (ok || run.issues !== undefined) continue;
          run.spendKeys(value);
          return false;
        }
        seen.all = true;
      }
      outer?.add(seen, run);
      return ok;
    };
  }
}

function compileValues(schema: SchemaObject, path: string): Check | undefined {
  const constant = Object.hasOwn(schema, "const");
  const allowed = constant ? [schema["const"]] : schema["enum"];
  if (allowed === undefined) return undefined;
  if (!Array.isArray(allowed)) throw new SchemaError('"enum" must be a list', path);
  if (constant && schema["enum"] !== undefined) {
    throw new SchemaError('"const" and "enum" exclude each other', path);
  }
  const others = new Set<unknown>(allowed.filter((item) => item === null || item === !!item));
  // Sorted, not hashed: V8's hash of numbers has no seed, so a schema could choose ones that collide.
  const numbers = Float64Array.from(allowed.filter((item) => typeof item === "number")).sort();
  const texts = new Set(allowed.filter((item) => typeof item === "string").map(mapKey));
  const deep = new Set(
    allowed.filter((item) => typeof item === "object" && item !== null).map((item) =>
      canonical(item)
    ),
  );
  const names = allowed.slice(0, 20).map((item) => JSON.stringify(item).slice(0, 100)).join(", ");
  const message = allowed.length === 1 ? `must be ${names}` : `must be one of ${names}`;
  return (value, run) => {
    if (typeof value === "string") {
      if (value.length > 256) run.spend(value.length >> 7);
      if (texts.has(mapKey(value))) return true;
    } else if (typeof value === "number") {
      run.spend(1);
      if (includesSorted(numbers, value)) return true;
    } else if (typeof value !== "object" || value === null) {
      if (others.has(value)) return true;
    } else if (deep.size > 0 && deep.has(canonical(value, run))) return true;
    return run.fail(() => message);
  };
}

function includesSorted(numbers: Float64Array, wanted: number): boolean {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const number = numbers[middle] ?? NaN;
    if (number === wanted) return true;
    if (number < wanted) low = middle + 1;
    else high = middle;
  }
  return false;
}

function startEvaluated(run: Run): Evaluated {
  run.spend(2);
  return new Evaluated();
}

function everyUnevaluated(
  list: ArrayLike<unknown>,
  check: Check,
  run: Run,
  seen: Evaluated,
): boolean {
  let ok = true;
  for (let index = 0; index < list.length; index++) {
    run.spend(1);
    if (seen.keys.has(index) || run.enterChild(index, check, list[index] ?? null)) continue;
    if (run.issues === undefined) return false;
    ok = false;
  }
  return ok;
}

function every(parts: readonly Check[]): Check {
  const [first, second] = parts;
  if (first === undefined) return () => true;
  if (parts.length === 1) return first;
  if (parts.length === 2 && second !== undefined) {
    return (value, run, seen) => {
      const ok = first(value, run, seen);
      if (!ok && run.issues === undefined) return false;
      return second(value, run, seen) && ok;
    };
  }
  return (value, run, seen) => {
    let ok = true;
    for (const part of parts) {
      if (part(value, run, seen)) continue;
      if (run.issues === undefined) return false;
      ok = false;
    }
    return ok;
  };
}

function someOf(branches: readonly Check[], exactlyOne: boolean): Check {
  return (value, run, seen) => {
    let matches = 0;
    for (const branch of branches) {
      const inner = seen && startEvaluated(run);
      if (!run.test(branch, value, inner)) continue;
      matches++;
      if (inner !== undefined) seen?.add(inner, run);
      else if (!exactlyOne) return true;
    }
    if (matches === 1 || (matches > 1 && !exactlyOne)) return true;
    if (matches > 1) {
      return run.fail(() => `matches ${matches} of the allowed forms, must match one`);
    }
    if (run.issues !== undefined) explainBranches(branches, value, run);
    return false;
  };
}

/** Says what the branch that came closest lacks; without one, what each wants. */
function explainBranches(branches: readonly Check[], value: unknown, run: Run): void {
  const here = run.pointer();
  const wants: string[] = [];
  for (const branch of branches.slice(0, maxIssues)) {
    const issues = run.collect(branch, value);
    if (issues.length > 0 && issues.every((issue) => issue.path.length > here.length)) {
      return run.add(issues);
    }
    const own = issues.find((issue) => issue.path === here);
    if (own !== undefined && !wants.includes(own.message)) wants.push(own.message);
  }
  run.fail(() => wants.slice(0, 5).join(", or ") || "matches none of the allowed forms");
}

function findAnchor(schema: unknown, name: string): unknown {
  if (typeof schema !== "object" || schema === null) return undefined;
  const { $anchor, $dynamicAnchor } = schema as SchemaObject;
  if ($anchor === name || $dynamicAnchor === name) return schema;
  for (const value of Object.values(schema)) {
    const found = findAnchor(value, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function hasType(value: unknown, type: unknown): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "integer":
      return typeof value === "number" && Number.isInteger(value);
    case "number":
      return typeof value === "number" && Number.isFinite(value);
    case "array":
      return isList(value);
    case "object":
      return isObject(value);
    case "string":
      return typeof value === "string";
    default:
      return typeof value === "boolean";
  }
}

function article(type: string): string {
  if (type === "null") return "null";
  if (type === "array") return "a list";
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function escapePointer(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
