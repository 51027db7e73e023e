// Reads a regular expression as far as it is one in theory: sets, sequences, alternatives, repetitions, and anchors
// at the ends. What looks around or back is refused. Counts multiply, so they are bounded before anything is made.

import { invalid, limits, type Pointer, tooLarge, unsupported } from "./limits.ts";

export type Pattern =
  | { kind: "set"; ranges: Ranges }
  | { kind: "sequence"; items: Pattern[] }
  | { kind: "choice"; options: Pattern[] }
  | { kind: "repeat"; item: Pattern; min: number; max: number };

type Ranges = readonly (readonly [from: number, to: number])[];

/** What matches the whole string; where the source has no anchor, anything may stand beside. */
export function readPattern(source: string, pointer: Pointer): Pattern {
  if (source.length > limits.patternChars) {
    const [what, limit] = ["characters of a pattern", limits.patternChars];
    throw tooLarge(pointer, "pattern", { count: source.length, what, limit });
  }
  return new Reader(source, pointer).read();
}

/** The pattern with lengths from `min` to `max`; undefined where that cannot be said of it. */
export function withLength(pattern: Pattern, min: number, max: number): Pattern | undefined {
  const [least, most] = lengthOf(pattern);
  if (least >= min && most <= max) return pattern;
  const items = pattern.kind === "sequence" ? [...pattern.items] : [pattern];
  const elastic = items.flatMap((item, index) => {
    if (item.kind !== "repeat") return [];
    const [shortest, longest] = lengthOf(item.item);
    const isBounded = shortest > 0 && longest < Infinity;
    return isBounded ? [{ item, index, shortest, longest }] : [];
  });
  const unbounded = elastic.filter(({ item }) => item.max === Infinity);
  const chosen = unbounded.length > 0 ? unbounded : elastic;
  if (chosen.length === 0) return undefined;
  const others = items.filter((item) => chosen.every((one) => one.item !== item));
  const [othersLeast, othersMost] = lengthOf({ kind: "sequence", items: others });
  // What is left of the most is shared; what lacks to the least, the first one brings.
  const share = Math.floor((max - othersMost) / chosen.length);
  const lacking = min - othersLeast -
    chosen.reduce((sum, { item, shortest }) => sum + item.min * shortest, 0);
  for (const [rank, { item, index, shortest, longest }] of chosen.entries()) {
    const tighter = {
      ...item,
      min: item.min + (rank === 0 ? Math.ceil(Math.max(0, lacking) / shortest) : 0),
      max: Math.min(item.max, Math.floor(share / longest)),
    };
    if (!(tighter.min <= tighter.max)) return undefined;
    items[index] = tighter;
  }
  return { kind: "sequence", items };
}

function lengthOf(pattern: Pattern): [least: number, most: number] {
  switch (pattern.kind) {
    case "set":
      return [1, 1];
    case "sequence":
      return pattern.items.map(lengthOf).reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
    case "choice": {
      const lengths = pattern.options.map(lengthOf);
      return [Math.min(...lengths.map(([a]) => a)), Math.max(...lengths.map(([, b]) => b))];
    }
    case "repeat": {
      const [least, most] = lengthOf(pattern.item);
      return [least * pattern.min, most === 0 || pattern.max === 0 ? 0 : most * pattern.max];
    }
  }
}

const any: Ranges = [[0x20, 0xd7ff], [0xe000, 0xfffd], [0x10000, 0x10ffff]];
const digit: Ranges = [[0x30, 0x39]];
const word: Ranges = [[0x30, 0x39], [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
/** What is white space to all who read patterns, and what it is to some. */
const blank: Ranges = [[0x09, 0x0a], [0x0c, 0x0d], [0x20, 0x20]];
const white: Ranges = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const classes: Record<string, Ranges> = {
  d: digit,
  w: word,
  s: blank,
  D: without(digit),
  W: without(word),
  S: without(white),
};
const negatedClasses: Record<string, Ranges> = { ...classes, s: white, S: without(blank) };
const controls: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };
const anything: Pattern = {
  kind: "repeat",
  item: { kind: "set", ranges: any },
  min: 0,
  max: Infinity,
};

class Reader {
  readonly #chars: readonly string[];
  readonly #pointer: Pointer;
  #at = 0;

  constructor(source: string, pointer: Pointer) {
    this.#chars = Array.from(source);
    this.#pointer = pointer;
  }

  read(): Pattern {
    const options: Pattern[] = [];
    do {
      const isStart = this.#take("^");
      const { items } = this.#sequence(0);
      const isEnd = this.#take("$");
      options.push({
        kind: "sequence",
        items: [...(isStart ? [] : [anything]), ...items, ...(isEnd ? [] : [anything])],
      });
    } while (this.#take("|"));
    if (this.#at < this.#chars.length) {
      const char = this.#chars[this.#at];
      if (char === "^" || char === "$") throw this.#unsupported("an anchor that is not at an end");
      throw this.#wrong();
    }
    const pattern: Pattern = options.length === 1 ? options[0]! : { kind: "choice", options };
    this.#checkRepeats(pattern, 1);
    return pattern;
  }

  #choice(depth: number): Pattern {
    if (depth > limits.patternDepth) {
      const [what, limit] = ["groups inside groups", limits.patternDepth];
      throw tooLarge(this.#pointer, "pattern", { what, limit });
    }
    const options: Pattern[] = [this.#sequence(depth)];
    while (this.#take("|")) options.push(this.#sequence(depth));
    return options.length === 1 ? options[0]! : { kind: "choice", options };
  }

  #sequence(depth: number): { kind: "sequence"; items: Pattern[] } {
    const items: Pattern[] = [];
    while (this.#at < this.#chars.length && !/^[|)^$]$/.test(this.#chars[this.#at]!)) {
      items.push(this.#repeated(this.#item(depth)));
    }
    return { kind: "sequence", items };
  }

  #item(depth: number): Pattern {
    const char = this.#chars[this.#at++]!;
    if (char === "(") {
      if (this.#take("?")) this.#groupKind();
      const inner = this.#choice(depth + 1);
      if (!this.#take(")")) {
        if (/^[$^]$/.test(this.#chars[this.#at] ?? "")) {
          throw this.#unsupported("an anchor inside a group");
        }
        throw this.#wrong();
      }
      return inner;
    }
    if (char === "[") return { kind: "set", ranges: this.#set() };
    if (char === ".") return { kind: "set", ranges: without([[0x2028, 0x2029]]) };
    if (char === "\\") return { kind: "set", ranges: this.#escape(false) };
    if (/^[*+?]$/.test(char)) throw this.#wrong();
    return { kind: "set", ranges: one(char.codePointAt(0)!) };
  }

  #groupKind(): void {
    if (this.#take(":")) return;
    const isNamed = this.#take("<") && !/^[=!]$/.test(this.#chars[this.#at] ?? "=");
    if (!isNamed) throw this.#unsupported("looking around");
    const end = this.#chars.indexOf(">", this.#at);
    if (end < 0) throw this.#wrong();
    this.#at = end + 1;
  }

  #repeated(item: Pattern): Pattern {
    let bounds: [number, number] | undefined;
    if (this.#take("*")) bounds = [0, Infinity];
    else if (this.#take("+")) bounds = [1, Infinity];
    else if (this.#take("?")) bounds = [0, 1];
    else {
      const rest = this.#chars.slice(this.#at, this.#at + 24).join("");
      const found = /^\{(\d{1,9})(?:(,)(\d{0,9}))?\}/.exec(rest);
      if (found === null) return item;
      this.#at += found[0].length;
      const min = Number(found[1]);
      bounds = [min, found[2] === undefined ? min : found[3] ? Number(found[3]) : Infinity];
    }
    // Lazy or not, the same strings match.
    this.#take("?");
    if (/^[*+?]$/.test(this.#chars[this.#at] ?? "")) throw this.#wrong();
    const [min, max] = bounds;
    if (max < min) throw this.#wrong();
    if (max === Infinity && lengthOf(item)[0] === 0) {
      throw this.#unsupported("repeating without end what may be empty");
    }
    return { kind: "repeat", item, min, max };
  }

  #set(): Ranges {
    const isNegated = this.#take("^");
    const ranges: (readonly [number, number])[] = [];
    while (!this.#take("]")) {
      const from = this.#member(isNegated);
      const isRange = this.#chars[this.#at] === "-" && this.#chars[this.#at + 1] !== "]" &&
        this.#at + 1 < this.#chars.length && isOne(from);
      if (!isRange) {
        ranges.push(...from);
        continue;
      }
      this.#at++;
      const to = this.#member(isNegated);
      if (!isOne(to) || to[0]![0] < from[0]![0]) throw this.#wrong();
      ranges.push([from[0]![0], to[0]![0]]);
    }
    return isNegated ? without(ranges) : ranges;
  }

  #member(isNegated: boolean): Ranges {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw this.#wrong();
    if (char !== "\\") return one(char.codePointAt(0)!);
    return this.#escape(true, isNegated ? negatedClasses : classes);
  }

  #escape(isInSet: boolean, known = classes): Ranges {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw this.#wrong();
    const named = known[char];
    if (named !== undefined) return named;
    const control = controls[char];
    if (control !== undefined) return one(control);
    if (char === "x") return one(this.#hex(2));
    if (char === "u") return one(this.#take("{") ? this.#braced() : this.#hex(4));
    if (char === "b" && isInSet) return one(8);
    if (/^[a-zA-Z1-9]$/.test(char)) throw this.#unsupported(`"\\${char}"`);
    return one(char.codePointAt(0)!);
  }

  #hex(length: number): number {
    const digits = this.#chars.slice(this.#at, this.#at + length).join("");
    if (digits.length !== length || !/^[0-9a-fA-F]+$/.test(digits)) throw this.#wrong();
    this.#at += length;
    return parseInt(digits, 16);
  }

  #braced(): number {
    const end = this.#chars.indexOf("}", this.#at);
    if (end < 0 || end - this.#at > 6) throw this.#wrong();
    const code = this.#hex(end - this.#at);
    this.#at++;
    return code;
  }

  #take(char: string): boolean {
    const isHere = this.#chars[this.#at] === char;
    if (isHere) this.#at++;
    return isHere;
  }

  /** Counts inside counts multiply, in what llama.cpp makes of them and in how many places a text may be. */
  #checkRepeats(pattern: Pattern, outer: number): void {
    if (pattern.kind === "set") return;
    if (pattern.kind === "sequence") {
      for (const item of pattern.items) this.#checkRepeats(item, outer);
    } else if (pattern.kind === "choice") {
      for (const option of pattern.options) this.#checkRepeats(option, outer);
    } else {
      const count = outer * Math.max(1, pattern.max === Infinity ? pattern.min : pattern.max);
      if (count > limits.patternRepeats) {
        const [what, limit] = ["repetitions inside one another", limits.patternRepeats];
        throw tooLarge(this.#pointer, "pattern", { count, what, limit });
      }
      this.#checkRepeats(pattern.item, count);
    }
  }

  #unsupported(what: string) {
    return unsupported(this.#pointer, "pattern", `${what}, at character ${this.#at}`);
  }

  #wrong() {
    return invalid(this.#pointer, "pattern", `is no regular expression, at character ${this.#at}`);
  }
}

function one(code: number): Ranges {
  return [[code, code]];
}

function isOne(ranges: Ranges): boolean {
  return ranges.length === 1 && ranges[0]![0] === ranges[0]![1];
}

/** All characters of a text but these. */
function without(ranges: Ranges): Ranges {
  let left: (readonly [number, number])[] = [...any];
  for (const [from, to] of ranges) {
    left = left.flatMap(([low, high]): (readonly [number, number])[] => {
      if (to < low || from > high) return [[low, high]];
      const parts: (readonly [number, number])[] = [];
      if (low < from) parts.push([low, from - 1]);
      if (to < high) parts.push([to + 1, high]);
      return parts;
    });
  }
  return left;
}
