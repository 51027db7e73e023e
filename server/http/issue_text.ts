// What is wrong with a field that a client sent, in the words that the schemas of capabilities have too.
// Callers: validate, routes that read their query.

import type { z } from "zod";

/** A phrase without its subject, such as "must be a string"; a schema's own message is left as it is. */
export function issueText(issue: z.core.$ZodIssue): string {
  if (!ofZod.test(issue.message)) return issue.message;
  switch (issue.code) {
    case "invalid_type":
      return issue.message.endsWith("received undefined")
        ? `must be there, as ${kinds[issue.expected] ?? issue.expected}`
        : `must be ${kinds[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
    case "too_small":
      return limitText(issue.origin, "least", issue.minimum);
    case "too_big":
      return limitText(issue.origin, "most", issue.maximum);
    case "unrecognized_keys": {
      const names = issue.keys.slice(0, maxNames).map((key) => JSON.stringify(key.slice(0, 100)));
      return `has the unknown field${names.length === 1 ? "" : "s"} ${names.join(", ")}`;
    }
    case "invalid_union": {
      const texts = issue.errors.flatMap(([first]) =>
        first === undefined ? [] : [issueText(first)]
      );
      const [one, ...others] = new Set(texts);
      if (one === undefined) return issue.message;
      return [one, ...others.map((text) => text.replace(/^must be (?:there, as )?/, ""))]
        .join(" or ");
    }
    default:
      return issue.message;
  }
}

/** Of what is wrong with a union: what is wrong with the alternative that was meant, where it is plain which. */
export function meantIssue(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== "invalid_union") return issue;
  const inner = issue.errors.flatMap(([first]) => first === undefined ? [] : [meantIssue(first)])
    .find(({ path, code }) => path.length > 0 || !otherKind.test(code));
  return inner === undefined ? issue : { ...inner, path: [...issue.path, ...inner.path] };
}

function limitText(origin: string, which: "least" | "most", count: number | bigint): string {
  const plural = (unit: string) => `${count} ${unit}${Number(count) === 1 ? "" : "s"}`;
  if (origin === "string") return `must be at ${which} ${plural("character")}`;
  if (origin === "array" || origin === "set") return `must have at ${which} ${plural("item")}`;
  if (origin === "object" || origin === "map") return `must have at ${which} ${plural("field")}`;
  return `must be at ${which} ${count}`;
}

const ofZod = /^(?:Invalid (?:input|option)|Too (?:small|big)|Unrecognized key)/;
/** Of a value that is not what an alternative is for. */
const otherKind = /^invalid_(?:type|value|union)$/;
const maxNames = 10;

const kinds: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  array: "a list",
  null: "null",
};
