// What a schema may have, and the words in which one is refused; all of structure/ uses them.

import { PluginError } from "@bkg/plugin";

export const limits = {
  /** Characters of a schema's JSON. */
  schemaChars: 65_536,
  schemaDepth: 32,
  /** Schemas inside a schema, each $ref counted as often as it is followed. */
  schemas: 2000,
  /** How deep a value may lie in another by a schema that names itself. */
  recursion: 6,
  /** How deep a value of any shape may be. */
  anyDepth: 5,
  /** Properties of one object, those in a row that may be left out, and values of one enum. */
  properties: 500,
  optional: 150,
  enumValues: 1000,
  enumChars: 50_000,
  options: 100,
  /** Items and characters that a schema may count. */
  items: 1000,
  stringChars: 10_000,
  patternChars: 1000,
  patternDepth: 16,
  /** Of counted repetitions, those inside others multiplied. */
  patternRepeats: 1000,
  /** Characters of the grammar. */
  grammarChars: 200_000,
  /** Digits of a number, before the point and after. */
  digits: 15,
  fraction: 6,
  /** Digits behind the point of a bound. */
  boundPlaces: 30,
} as const;

/** Where a schema is wrong: a JSON pointer as in `$ref`, "#" for the whole. */
export type Pointer = string;

export function unsupported(pointer: Pointer, keyword: string, instead?: string): PluginError {
  const hint = instead === undefined ? "" : `: ${instead}`;
  return new PluginError(
    "UNSUPPORTED_FEATURE",
    `The schema at "${pointer}" asks by "${keyword}" for what no grammar is made of here${hint}`,
    { details: { field: schemaField, pointer, keyword } },
  );
}

export function invalid(pointer: Pointer, keyword: string, problem: string): PluginError {
  return new PluginError("INVALID_INPUT", `The schema at "${pointer}" ${problem}`, {
    details: { field: schemaField, pointer, keyword },
  });
}

export function tooLarge(
  pointer: Pointer,
  keyword: string,
  { count, what, limit }: { count?: number; what: string; limit: number },
): PluginError {
  const has = count === undefined ? "more" : String(count);
  return new PluginError(
    "INVALID_INPUT",
    `The schema at "${pointer}" has ${has} ${what}${
      count === undefined ? " than allowed:" : ", allowed are"
    } ${limit}`,
    { details: { field: schemaField, pointer, keyword, limit } },
  );
}

/** A step further into a schema. */
export function inside(pointer: Pointer, ...steps: (string | number)[]): Pointer {
  const escaped = steps.map((step) =>
    String(step).slice(0, 100).replaceAll("~", "~0").replaceAll("/", "~1")
  );
  return [pointer, ...escaped].join("/");
}

const schemaField = "responseFormat.schema";
