// Numbers within bounds, exactly, digit by digit. Whole numbers have 15 digits at most, so that none is rounded;
// others besides at most 6 behind the point, and no exponent.

import { charClass, type Expression, type GrammarWriter, literal } from "./grammar_writer.ts";
import { inside, invalid, limits, type Pointer, tooLarge, unsupported } from "./limits.ts";

type Schema = Record<string, unknown>;

export function writeInteger(writer: GrammarWriter, schema: Schema, pointer: Pointer) {
  const { lower, upper } = readBounds(schema, pointer);
  if (lower === undefined && upper === undefined) {
    return writer.choice([literal("0"), [...sign, ...naturals(limits.digits)]]);
  }
  return required(writer, pointer, signed(scaled(lower, 0, 1n), scaled(upper, 0, -1n), 0));
}

export function writeNumber(writer: GrammarWriter, schema: Schema, pointer: Pointer) {
  const { lower, upper } = readBounds(schema, pointer);
  if (lower === undefined && upper === undefined) {
    const whole = writer.choice([literal("0"), naturals(limits.digits)])!;
    const fraction = [...literal("."), { rule: `[0-9]{1,${limits.fraction}}` }];
    return [...sign, ...writer.rule(whole), ...writer.optional(fraction)];
  }
  const finest = Math.max(lower?.places ?? 0, upper?.places ?? 0, 2);
  const places = Math.min(finest, limits.fraction);
  const options = Array.from(
    { length: places + 1 },
    (_, digits) => signed(scaled(lower, digits, 1n), scaled(upper, digits, -1n), digits),
  );
  return required(writer, pointer, options.flat());
}

const sign: Expression = [{ rule: '"-"?' }];

function naturals(digits: number): Expression {
  return [{ rule: "[1-9]" }, { rule: `[0-9]{0,${digits - 1}}` }];
}

function required(writer: GrammarWriter, pointer: Pointer, options: Expression[]): Expression {
  const choice = writer.choice(options);
  if (choice === undefined) {
    throw invalid(pointer, "minimum", "leaves no number between its bounds");
  }
  return choice;
}

/** A bound as a decimal: `digits` divided by 10^`places`. */
interface Bound {
  digits: bigint;
  places: number;
  isExclusive: boolean;
}

function readBounds(schema: Schema, pointer: Pointer) {
  const multiple = schema["multipleOf"];
  if (multiple !== undefined && !(multiple === 1 && schema["type"] === "integer")) {
    throw unsupported(pointer, "multipleOf");
  }
  const read = (keyword: string, isExclusive: boolean) =>
    readBound(schema[keyword], inside(pointer, keyword), { keyword, isExclusive });
  const stricter = (sign: bigint, [first, second]: (Bound | undefined)[]) => {
    if (first === undefined || second === undefined) return first ?? second;
    const places = Math.max(first.places, second.places);
    const difference = (rescale(first, places) - rescale(second, places)) * sign;
    return difference > 0n || (difference === 0n && first.isExclusive) ? first : second;
  };
  return {
    lower: stricter(1n, [read("minimum", false), read("exclusiveMinimum", true)]),
    upper: stricter(-1n, [read("maximum", false), read("exclusiveMaximum", true)]),
  };
}

function readBound(
  value: unknown,
  pointer: Pointer,
  { keyword, isExclusive }: { keyword: string; isExclusive: boolean },
): Bound | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw invalid(pointer, keyword, "must be a number");
  }
  // A bound past the numbers that are written is none, or leaves none.
  if (Math.abs(value) > Number(largest)) {
    return { digits: value > 0 ? largest + 1n : -largest - 1n, places: 0, isExclusive };
  }
  const [, whole, fraction = "", exponent = "0"] =
    /^(-?\d+)(?:\.(\d+))?(?:e-(\d+))?$/.exec(String(value)) ?? [];
  const places = fraction.length + Number(exponent);
  if (whole === undefined || places > limits.boundPlaces) {
    const what = "digits behind the point";
    throw tooLarge(pointer, keyword, { what, limit: limits.boundPlaces });
  }
  return { digits: BigInt(whole + fraction), places, isExclusive };
}

function rescale({ digits, places }: Bound, wanted: number): bigint {
  return digits * 10n ** BigInt(wanted - places);
}

const largest = 10n ** BigInt(limits.digits) - 1n;

/** The last number inside a bound, in units of 10^-`places`; `inward` is 1 for a lower bound, -1 for an upper. */
function scaled(bound: Bound | undefined, places: number, inward: bigint): bigint {
  const end = -inward * largest * 10n ** BigInt(places);
  if (bound === undefined) return end;
  const finer = Math.max(places, bound.places);
  const step = 10n ** BigInt(finer - places);
  const exact = rescale(bound, finer);
  const isWhole = exact % step === 0n;
  // Division cuts towards zero; wanted is the neighbour on the inner side.
  let value = exact / step;
  if (!isWhole && (exact > 0n) === (inward > 0n)) value += inward;
  if (isWhole && bound.isExclusive) value += inward;
  const isPastEnd = inward > 0n ? value < end : value > end;
  return isPastEnd ? end : value;
}

/** The numbers from `low` to `high`, in units of 10^-`places`, as they are written. */
function signed(low: bigint, high: bigint, places: number): Expression[] {
  const options: Expression[] = [];
  if (low < 0n) {
    const from = high < 0n ? -high : 1n;
    for (const digits of magnitudes(from, -low, places)) {
      options.push([...literal("-"), ...digits]);
    }
  }
  if (high >= 0n) options.push(...magnitudes(low > 0n ? low : 0n, high, places));
  return options;
}

function magnitudes(low: bigint, high: bigint, places: number): Expression[] {
  const options: Expression[] = [];
  for (let width = places + 1; width <= limits.digits + places; width++) {
    const least = width === places + 1 ? 0n : 10n ** BigInt(width - 1);
    const most = 10n ** BigInt(width) - 1n;
    const from = low > least ? low : least;
    const to = high < most ? high : most;
    if (from > to) continue;
    const digits = (value: bigint) => Array.from(String(value).padStart(width, "0"), Number);
    for (const ranges of spans(digits(from), digits(to))) {
      const point = ranges.length - places;
      options.push([
        ...ranges.slice(0, point).flatMap(digitClass),
        ...(places === 0 ? [] : literal(".")),
        ...ranges.slice(point).flatMap(digitClass),
      ]);
    }
  }
  return options;
}

type Span = readonly [from: number, to: number];

/** Rows of digit ranges that together are the numbers from `low` to `high`, both of one length. */
function spans(low: readonly number[], high: readonly number[]): Span[][] {
  const [first, ...lowRest] = low;
  const [last, ...highRest] = high;
  if (first === undefined || last === undefined) return [[]];
  const all = lowRest.map((): Span => [0, 9]);
  if (lowRest.every((digit) => digit === 0) && highRest.every((digit) => digit === 9)) {
    return [[[first, last], ...all]];
  }
  if (first === last) {
    return spans(lowRest, highRest).map((row): Span[] => [[first, first], ...row]);
  }
  const rows = spans(lowRest, lowRest.map(() => 9)).map((row): Span[] => [[first, first], ...row]);
  if (last - first > 1) rows.push([[first + 1, last - 1], ...all]);
  rows.push(
    ...spans(highRest.map(() => 0), highRest).map((row): Span[] => [[last, last], ...row]),
  );
  return rows;
}

function digitClass([from, to]: Span): Expression {
  return charClass([[0x30 + from, 0x30 + to]]);
}
