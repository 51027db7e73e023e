// Reads GBNF, the grammars of llama.cpp, and refuses what it cannot bear: it recurses over groups and leftmost rules,
// visits each way through them anew, and copies what is repeated. Engines ask before a grammar goes there.

import { AppError } from "./error.ts";
import { checkEnds, checkLeftmost } from "./gbnf_checks.ts";

/** Rules by number; a rule is its alternatives, each a sequence of parts. Repetitions are rules, as in llama.cpp. */
export interface Grammar {
  readonly rules: readonly Rule[];
  readonly root: number;
}

export type Rule = readonly (readonly Part[])[];
/** Another rule's number, or the characters that may stand here. */
export type Part = number | CharSet;
/** Ranges of code points, both ends included, sorted, apart. */
export type CharSet = readonly (readonly [from: number, to: number])[];

/** What a grammar may have. */
export const grammarLimits = {
  chars: 262_144,
  /** Groups inside groups. */
  nesting: 32,
  /** Of {m,n}; llama.cpp's own is 2000, nested ones multiplied. */
  repetitions: 1999,
  /** Rules, with those that repetitions and groups become. */
  rules: 50_000,
  /** Characters and rules that are named, with those that repetitions copy. */
  parts: 200_000,
  /** Rules that begin with one another in a row. */
  leftmost: 400,
  /** Ways through rules that begin with one another. */
  ways: 200_000,
} as const;

/** Throws INVALID_INPUT that says where and why; its `details.field` is "grammar". */
export function parseGrammar(text: string): Grammar {
  if (text.length > grammarLimits.chars) {
    throw refused(`has ${text.length} characters, allowed are ${grammarLimits.chars}`);
  }
  if (!text.isWellFormed() || text.includes("\0")) throw refused("is no text");
  const grammar = new Parser(text).parse();
  checkEnds(grammar);
  checkLeftmost(grammar);
  return grammar;
}

export function refused(problem: string): AppError {
  return new AppError("INVALID_INPUT", `The grammar ${problem}`, { details: { field: "grammar" } });
}

const lastCodePoint = 0x10ffff;
const anyChar: CharSet = [[0, lastCodePoint]];
const namePattern = /[a-zA-Z0-9-]+/y;
const countPattern = /\{[ \t]*(\d+)[ \t]*(?:(,)[ \t]*(\d*)[ \t]*)?\}/y;
const escapes: Record<string, number> = {
  t: 9,
  n: 10,
  r: 13,
  "\\": 0x5c,
  '"': 0x22,
  "[": 0x5b,
  "]": 0x5d,
  "-": 0x2d,
};
const hexLengths: Record<string, number> = { x: 2, u: 4, U: 8 };

class Parser {
  readonly #text: string;
  readonly #numbers = new Map<string, number>();
  readonly #rules: (Rule | undefined)[] = [];
  #at = 0;
  #parts = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Grammar {
    this.#skip(true);
    while (this.#at < this.#text.length) this.#rule();
    for (const [name, number] of this.#numbers) {
      if (this.#rules[number] === undefined) throw refused(`names the rule "${name}", not defined`);
    }
    const root = this.#numbers.get("root");
    if (root === undefined) throw refused('has no rule "root"');
    return { rules: this.#rules as Rule[], root };
  }

  #rule(): void {
    const name = this.#match(namePattern)?.[0];
    if (name === undefined) throw this.#wrong("expected is the name of a rule");
    this.#skip(false);
    if (!this.#take("::=")) throw this.#wrong('expected is "::="');
    const number = this.#number(name);
    if (this.#rules[number] !== undefined) throw this.#wrong(`"${name}" is defined twice`);
    this.#skip(true);
    this.#rules[number] = this.#alternatives(0);
    if (this.#at < this.#text.length && !/[\r\n]/.test(this.#char())) {
      throw this.#wrong("expected is the end of the line");
    }
    this.#skip(true);
  }

  #alternatives(depth: number): Rule {
    if (depth > grammarLimits.nesting) {
      throw this.#wrong(`groups lie deeper than ${grammarLimits.nesting}`);
    }
    const alternatives = [this.#sequence(depth)];
    while (this.#take("|")) {
      this.#skip(true);
      alternatives.push(this.#sequence(depth));
    }
    return alternatives;
  }

  #sequence(depth: number): Part[] {
    const sequence: Part[] = [];
    while (this.#at < this.#text.length) {
      const rulesBefore = this.#rules.length;
      const item = this.#item(depth);
      if (item === undefined) break;
      this.#skip(depth > 0);
      const repeated = this.#repetition(item, Math.max(1, this.#rules.length - rulesBefore));
      this.#skip(depth > 0);
      // Not spread: a literal may be long.
      for (const part of repeated) sequence.push(part);
    }
    return sequence;
  }

  /** What a repetition may follow: a literal, a class, a rule, a group. */
  #item(depth: number): Part[] | undefined {
    const char = this.#char();
    if (char === '"') return this.#literal();
    if (char === "[") return [this.#class()];
    if (char === ".") {
      this.#at++;
      return this.#count([anyChar]);
    }
    if (char === "(") {
      this.#at++;
      this.#skip(true);
      const number = this.#add(this.#alternatives(depth + 1));
      if (!this.#take(")")) throw this.#wrong('expected is ")"');
      return this.#count([number]);
    }
    if (char === "<" || char === "!") throw this.#wrong("tokens of a model cannot be named");
    const name = this.#match(namePattern)?.[0];
    return name === undefined ? undefined : this.#count([this.#number(name)]);
  }

  #literal(): Part[] {
    this.#at++;
    const parts: Part[] = [];
    while (!this.#take('"')) {
      const code = this.#code();
      if (code === 0) throw this.#wrong("no model writes the character 0");
      parts.push([[code, code]]);
    }
    return this.#count(parts);
  }

  #class(): Part {
    this.#at++;
    const isNegated = this.#take("^");
    const ranges: [number, number][] = [];
    while (!this.#take("]")) {
      const from = this.#code();
      const isRange = this.#char() === "-" && this.#text[this.#at + 1] !== "]";
      if (isRange) this.#at++;
      const to = isRange ? this.#code() : from;
      if (to < from) throw this.#wrong("a range of characters runs backwards");
      ranges.push([from, to]);
    }
    const set = isNegated ? complement(ranges) : ranges;
    if (set.every(([, to]) => to === 0)) throw this.#wrong("a class holds no character");
    this.#count(ranges);
    return set;
  }

  #repetition(item: Part[], groups: number): Part[] {
    const sign = this.#char();
    let bounds: [number, number] | undefined;
    if (sign === "*") bounds = [0, Infinity];
    else if (sign === "+") bounds = [1, Infinity];
    else if (sign === "?") bounds = [0, 1];
    if (bounds !== undefined) this.#at++;
    else if (sign === "{") bounds = this.#bounds();
    if (bounds === undefined) return item;
    const [min, max] = bounds;
    if (item.length === 0) throw this.#wrong("nothing is repeated");
    const count = max === Infinity ? Math.max(min, 1) : max;
    if (count * groups > grammarLimits.repetitions) {
      throw this.#wrong(
        `a repetition of ${count}, times ${groups} for what it repeats, is more than ${grammarLimits.repetitions}`,
      );
    }
    const result: Part[] = [];
    for (let times = 0; times < min; times++) {
      this.#count(item);
      for (const part of item) result.push(part);
    }
    if (max === Infinity) {
      const again = this.#rules.length;
      result.push(this.#add([[...this.#count(item), again], []]));
    } else {
      let next: number | undefined;
      for (let times = min; times < max; times++) {
        const more = next === undefined ? item : [...item, next];
        next = this.#add([this.#count(more), []]);
      }
      if (next !== undefined) result.push(next);
    }
    this.#skip(false);
    if (/[*+?{]/.test(this.#char())) throw this.#wrong("a repetition is repeated: put it into ()");
    return result;
  }

  #bounds(): [number, number] {
    const found = this.#match(countPattern);
    if (found === null) throw this.#wrong("expected is {m}, {m,} or {m,n}");
    const min = Number(found[1]);
    const max = found[2] === undefined ? min : found[3] ? Number(found[3]) : Infinity;
    if (max < min) throw this.#wrong("a repetition's most is less than its least");
    return [min, max];
  }

  /** One character of a literal or a class. */
  #code(): number {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) throw this.#wrong("a literal or class does not end");
    this.#at += code > 0xffff ? 2 : 1;
    if (code !== 0x5c) return code;
    const sign = this.#char();
    this.#at++;
    const plain = escapes[sign];
    if (plain !== undefined) return plain;
    const digits = this.#text.slice(this.#at, this.#at + (hexLengths[sign] ?? 0));
    if (hexLengths[sign] !== digits.length || !/^[0-9a-fA-F]+$/.test(digits)) {
      throw this.#wrong("unknown is the escape");
    }
    this.#at += digits.length;
    const value = parseInt(digits, 16);
    if (value > lastCodePoint || (value >= 0xd800 && value < 0xe000)) {
      throw this.#wrong(`"${digits}" is no character`);
    }
    return value;
  }

  #number(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#add(undefined);
    this.#numbers.set(name, number);
    return number;
  }

  #add(rule: Rule | undefined): number {
    if (this.#rules.length >= grammarLimits.rules) {
      throw refused(`becomes more than ${grammarLimits.rules} rules`);
    }
    return this.#rules.push(rule) - 1;
  }

  #count<List extends readonly unknown[]>(parts: List): List {
    this.#parts += parts.length;
    if (this.#parts > grammarLimits.parts) {
      throw refused(`becomes more than ${grammarLimits.parts} parts`);
    }
    return parts;
  }

  #char(): string {
    return this.#text.charAt(this.#at);
  }

  #take(text: string): boolean {
    const isHere = this.#text.startsWith(text, this.#at);
    if (isHere) this.#at += text.length;
    return isHere;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found !== null) this.#at = pattern.lastIndex;
    return found;
  }

  /** Blanks and comments; `lines`: also to another line. */
  #skip(lines: boolean): void {
    while (this.#at < this.#text.length) {
      const char = this.#char();
      if (char === "#") {
        while (this.#at < this.#text.length && !/[\r\n]/.test(this.#char())) this.#at++;
      } else if (char === " " || char === "\t" || (lines && /[\r\n]/.test(char))) this.#at++;
      else return;
    }
  }

  #wrong(problem: string): AppError {
    const before = this.#text.slice(0, this.#at);
    return refused(`is not valid at line ${before.split("\n").length}: ${problem}`);
  }
}

function complement(ranges: readonly (readonly [number, number])[]): CharSet {
  const free: [number, number][] = [];
  let next = 0;
  for (const [from, to] of ranges.toSorted(([a], [b]) => a - b)) {
    if (from > next) free.push([next, from - 1]);
    next = Math.max(next, to + 1);
  }
  if (next <= lastCodePoint) free.push([next, lastCodePoint]);
  return free;
}
