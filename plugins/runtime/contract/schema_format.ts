// The `format`s that are checked; the others are annotations, as JSON Schema 2020-12 has it.
// Strings are plugin- or caller-authored: each check is linear and sees at most 2,048 characters.

import type { Run } from "./schema_run.ts";

const maxChars = 2048;

/** Checks a string against a format; undefined for a format that is not checked. */
export function formatCheck(format: string): ((text: string, run: Run) => boolean) | undefined {
  const found = formats.get(format);
  if (found === undefined) return undefined;
  const [check, stepsPerText, stepsPerChar] = found;
  return (text, run) => {
    if (text.length > maxChars) return false;
    run.spend(stepsPerText + Math.ceil(text.length * stepsPerChar));
    return check(text);
  };
}

const datePattern = /^(\d{4})-(\d\d)-(\d\d)$/;
const timePattern =
  /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(?:\.\d{1,12})?(?:[zZ]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;
const labelPattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;
const octetPattern = /^(?:0|[1-9]\d{0,2})$/;
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const localPattern = /^[^\s@"(),:;<>[\\\]]{1,64}$/;
const schemePattern = /^[a-z][a-z0-9+.-]*:/i;

/** Each with its measured cost: steps a text, steps a character. */
const formats: ReadonlyMap<string, readonly [(text: string) => boolean, number, number]> = new Map([
  ["date", [isDate, 18, 0]],
  ["time", [(text) => timePattern.test(text), 5, 0.01]],
  ["date-time", [isDateTime, 29, 0.01]],
  ["hostname", [isHostname, 5, 1]],
  ["email", [isEmail, 5, 1]],
  ["ipv4", [isIpv4, 5, 0.5]],
  ["ipv6", [isIpv6, 45, 0.1]],
  ["uri", [(text) => schemePattern.test(text) && !/\s/.test(text) && URL.canParse(text), 6, 2]],
  [
    "uri-reference",
    [(text) => !/\s/.test(text) && URL.canParse(text, "http://localhost"), 6, 2],
  ],
  ["uuid", [(text) => uuidPattern.test(text), 7, 0]],
]);

function isDate(text: string): boolean {
  const [, year, month, day] = datePattern.exec(text) ?? [];
  if (year === undefined || month === undefined || day === undefined) return false;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}

function isDateTime(text: string): boolean {
  return /[tT ]/.test(text.charAt(10)) && isDate(text.slice(0, 10)) &&
    timePattern.test(text.slice(11));
}

function isHostname(text: string): boolean {
  return text.length <= 253 && text.split(".").every((label) => labelPattern.test(label));
}

function isEmail(text: string): boolean {
  const at = text.lastIndexOf("@");
  return at > 0 && localPattern.test(text.slice(0, at)) && isHostname(text.slice(at + 1));
}

function isIpv4(text: string): boolean {
  if (text.length > 15) return false;
  const octets = text.split(".");
  return octets.length === 4 &&
    octets.every((octet) => octetPattern.test(octet) && Number(octet) <= 255);
}

function isIpv6(text: string): boolean {
  return text.length <= 45 && /^[0-9a-f:.]+$/i.test(text) && text.includes(":") &&
    URL.canParse(`http://[${text}]`);
}
