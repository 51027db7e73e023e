// Strings of JSON: their characters, lengths, formats, and patterns.

import { charClass, type Expression, type GrammarWriter, literal } from "./grammar_writer.ts";
import { inside, invalid, limits, type Pointer, tooLarge, unsupported } from "./limits.ts";
import { type Pattern, readPattern, withLength } from "./pattern.ts";

type Schema = Record<string, unknown>;

export function writeString(
  writer: GrammarWriter,
  schema: Schema,
  pointer: Pointer,
): Expression {
  const min = readCount(schema, "minLength", pointer) ?? 0;
  const max = readCount(schema, "maxLength", pointer) ?? Infinity;
  if (min > max) throw invalid(pointer, "minLength", "asks for more characters than it allows");
  const pattern = choosePattern(schema, pointer);
  if (pattern === undefined) {
    return quoted(writer.repeat(writer.rule(anyCharacter(writer)), min, max));
  }
  const { keyword } = pattern;
  const fitting = withLength(pattern.pattern, min, max);
  if (fitting === undefined) {
    throw unsupported(
      pointer,
      keyword,
      "its length cannot be brought together with minLength and maxLength",
    );
  }
  const body = writePattern(writer, fitting);
  if (body === undefined) throw invalid(pointer, keyword, "has a pattern that nothing matches");
  return quoted(body);
}

export function quoted(body: Expression): Expression {
  return [...literal('"'), ...body, ...literal('"')];
}

/** What may stand in a string as it is: printable, and of Unicode's characters. */
export const plainRanges: readonly (readonly [number, number])[] = [
  [0x20, 0x21],
  [0x23, 0x5b],
  [0x5d, 0x7e],
  [0xa0, 0xd7ff],
  [0xe000, 0xfffd],
  [0x10000, 0x10ffff],
];

function anyCharacter(writer: GrammarWriter): Expression {
  const short: Expression = [{ rule: "[\\x22\\x5C\\x2Fbfnrt]" }];
  // Not half of a surrogate pair, which alone is no character.
  const code: Expression = [
    ...literal("u"),
    ...writer.choice([
      [{ rule: "[0-9a-cefA-CEF]" }, { rule: "[0-9a-fA-F]" }],
      [{ rule: "[dD]" }, { rule: "[0-7]" }],
    ])!,
    { rule: "[0-9a-fA-F]{2}" },
  ];
  return writer.choice([
    charClass(plainRanges),
    [...literal("\\"), ...writer.choice([short, code])!],
  ])!;
}

function choosePattern(schema: Schema, pointer: Pointer) {
  const { pattern, format } = schema;
  // Beside a pattern a format is a remark: those who write both derive the one from the other.
  if (pattern !== undefined && !(format === "email" && pattern === zodEmail)) {
    if (typeof pattern !== "string") {
      throw invalid(pointer, "pattern", "must have a text as pattern");
    }
    const here = inside(pointer, "pattern");
    return { keyword: "pattern", pattern: readPattern(pattern, here) };
  }
  if (format === undefined) return undefined;
  const known = typeof format === "string" && Object.hasOwn(formats, format)
    ? formats[format]
    : undefined;
  if (known === undefined) {
    throw unsupported(pointer, "format", `known are ${Object.keys(formats).join(", ")}`);
  }
  return { keyword: "format", pattern: readPattern(known, inside(pointer, "format")) };
}

function writePattern(writer: GrammarWriter, pattern: Pattern): Expression | undefined {
  switch (pattern.kind) {
    case "set":
      return writeSet(writer, pattern.ranges);
    case "sequence": {
      const parts = pattern.items.map((item) => writePattern(writer, item));
      if (parts.some((part) => part === undefined)) return undefined;
      return parts.flatMap((part) => part!);
    }
    case "choice":
      return writer.choice(pattern.options.map((option) => writePattern(writer, option)));
    case "repeat": {
      const item = writePattern(writer, pattern.item);
      if (item !== undefined) return writer.repeat(item, pattern.min, pattern.max);
      return pattern.min === 0 ? [] : undefined;
    }
  }
}

/** A set of characters as they are written in JSON: some need a backslash. */
function writeSet(
  writer: GrammarWriter,
  ranges: readonly (readonly [number, number])[],
): Expression | undefined {
  const plain: [number, number][] = [];
  for (const [from, to] of ranges) {
    for (const [low, high] of plainRanges) {
      const overlap: [number, number] = [Math.max(from, low), Math.min(to, high)];
      if (overlap[0] <= overlap[1]) plain.push(overlap);
    }
  }
  const escaped = escapedCodes.filter((code) =>
    ranges.some(([from, to]) => from <= code && code <= to)
  );
  return writer.choice([
    plain.length === 0 ? undefined : charClass(plain),
    ...escaped.map((code) => literal(JSON.stringify(String.fromCharCode(code)).slice(1, -1))),
  ]);
}

const escapedCodes = [...Array(0x20).keys(), 0x22, 0x5c];

const octet = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const date =
  "\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))";
const time =
  "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)";
const label = "[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?";
const host = `${label}(?:\\.${label}){0,3}\\.[a-z]{2,10}`;

/** Narrower than the formats are: no 29 February, no quoted mailbox, no shortened IPv6, web addresses alone. */
const formats: Record<string, string> = {
  "date": `^${date}$`,
  "time": `^${time}$`,
  "date-time": `^${date}T${time}$`,
  "uuid": "^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
  "email": `^[a-z0-9_+-]{1,15}(?:\\.[a-z0-9_+-]{1,15}){0,3}@${host}$`,
  "hostname": `^${host}$`,
  "ipv4": `^${octet}(?:\\.${octet}){3}$`,
  "ipv6": "^[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}$",
  "uri": `^https?://[a-z0-9]{1,20}(?:\\.[a-z]{2,10}){1,3}(?:/[a-zA-Z0-9_-]{1,30}){0,8}$`,
};

/** What zod writes beside the format; it looks ahead, and every email that is written here matches it. */
const zodEmail =
  "^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$";

export function readCount(schema: Schema, keyword: string, pointer: Pointer): number | undefined {
  const value = schema[keyword];
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw invalid(pointer, keyword, `must have a whole number as "${keyword}"`);
  }
  const isChars = keyword.endsWith("Length");
  const limit = isChars ? limits.stringChars : limits.items;
  if (value > limit) {
    const what = `as "${keyword}"`;
    throw tooLarge(inside(pointer, keyword), keyword, { count: value, what, limit });
  }
  return value;
}
