// JSON Schema 2020-12 without eval, the same in both homes. Schemas come from plugins, so:
// no remote $ref, patterns run on a linear engine (RE2), the size of schemas and the work of a check are capped.

import type { JsonSchema } from "./capability.ts";
import { AppError } from "./error.ts";
import { check, compileRoot } from "./schema_compiler.ts";
import { SchemaError } from "./schema_keywords.ts";
import { Budget } from "./schema_run.ts";

/** One place where a value does not match its schema. */
export interface SchemaIssue {
  /** JSON pointer of the value, "" for the whole. */
  path: string;
  message: string;
}

/** The issues of a value, at most 20; empty when it matches. Checks that share a budget cost no more than one. */
export type CheckValue = (value: unknown, budget?: Budget) => readonly SchemaIssue[];

/** What one check, or several together, may cost: about 100 ms. */
export { Budget };

/** The most characters of JSON that a schema may have. */
export const maxSchemaChars = 256 * 1024;
/** The deepest nesting that a schema may have. */
export const maxSchemaDepth = 64;

/** Compiles `schema`; throws INVALID_MANIFEST whose message names `name` and the bad keyword. */
export function compileSchema(schema: JsonSchema, name: string): CheckValue {
  try {
    checkBounds(schema);
    const root = compileRoot(schema);
    // Ports that clone carry undefined, a pipe does not: it counts as null in both.
    return (value, budget) => check(root, value === undefined ? null : value, budget);
  } catch (cause) {
    if (!(cause instanceof SchemaError)) throw cause;
    throw new AppError(
      "INVALID_MANIFEST",
      `The schema of "${name}" is not valid: ${cause.message}`,
      {
        details: { schema: name, path: cause.path },
      },
    );
  }
}

/** Throws `code` with `details.issues` unless `value` matches; `what` opens the message, such as `Input of "llm.chat"`. */
export function assertMatches(
  check: CheckValue,
  value: unknown,
  code: "INVALID_INPUT" | "INVALID_OUTPUT",
  what: string,
  budget?: Budget,
): void {
  const issues = check(value, budget);
  const [first] = issues;
  if (first === undefined) return;
  const where = first.path === "" ? "" : ` at "${first.path}"`;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  throw new AppError(code, `${what} does not match its schema${where}: ${first.message}${more}`, {
    details: { issues },
  });
}

/** `value` with the `default` of each absent property of `schema`, nested objects included. */
export function fillDefaults(schema: JsonSchema, value: unknown): unknown {
  return fill(schema, value, 0);
}

function fill(schema: unknown, value: unknown, depth: number): unknown {
  if (!isRecord(schema) || depth > maxSchemaDepth) return value;
  const given = value === undefined ? structuredClone(schema["default"]) : value;
  const properties = schema["properties"];
  if (!isRecord(properties) || (given !== undefined && !isRecord(given))) return given;
  const filled: Record<string, unknown> = { ...given };
  for (const [key, property] of Object.entries(properties)) {
    if (key === "__proto__") continue;
    const present = Object.hasOwn(filled, key) ? filled[key] : undefined;
    const item = fill(property, present, depth + 1);
    if (item !== undefined) filled[key] = item;
  }
  return given === undefined && Object.keys(filled).length === 0 ? undefined : filled;
}

function checkBounds(schema: unknown): void {
  // A stack of its own: what is too deep for us must not be too deep for the engine's stack.
  const stack: { value: unknown; depth: number }[] = [{ value: schema, depth: 0 }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (next.depth > maxSchemaDepth) {
      throw new SchemaError(`it is nested deeper than ${maxSchemaDepth} levels`, "");
    }
    if (typeof next.value !== "object" || next.value === null) continue;
    const record = next.value as Record<string, unknown>;
    for (const key of Object.keys(record)) {
      stack.push({ value: record[key], depth: next.depth + 1 });
    }
  }
  const chars = JSON.stringify(schema)?.length ?? 0;
  if (chars > maxSchemaChars) {
    throw new SchemaError(`it has ${chars} characters, allowed are ${maxSchemaChars}`, "");
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
