// Builds a grammar rule by rule. Alternatives that begin alike are written so that they part where they differ:
// llama.cpp then follows one way, not all. Equal rules are written once; the same calls give the same text.

import { limits, tooLarge } from "./limits.ts";

/** Symbols one after the other; undefined where a value is wanted that cannot be. */
export type Expression = readonly Atom[];

/** Characters as they are to stand, or the name of a rule (or a class), with or without a repetition. */
export type Atom = { readonly text: string } | { readonly rule: string };

export class GrammarWriter {
  readonly #rules: string[] = [];
  readonly #names = new Map<string, string>();
  #chars = 0;

  /** The grammar whose texts are those of `root`. */
  finish(root: Expression): string {
    return [`root ::= ${render(root)}`, ...this.#rules].join("\n") + "\n";
  }

  /** A rule of its own, when it is more than one symbol. */
  rule(expression: Expression): Expression {
    const [only] = expression;
    if (only === undefined || (expression.length === 1 && "rule" in only)) return expression;
    return [{ rule: this.#name(render(expression)) }];
  }

  /** One of several, the impossible ones left out; undefined when there is none. */
  choice(options: readonly (Expression | undefined)[]): Expression | undefined {
    const possible = options.filter((option) => option !== undefined);
    if (possible.length === 0) return undefined;
    return this.#part(possible.map(split));
  }

  optional(expression: Expression): Expression {
    return this.#part([split(expression), []]);
  }

  /** `max` may be Infinity. Long counts go by blocks: llama.cpp refuses 2000. */
  repeat(expression: Expression, min: number, max: number): Expression {
    if (max === 0) return [];
    if (min === 1 && max === 1) return expression;
    const one = this.#symbol(expression);
    if (max === Infinity) {
      const more = { rule: min === 0 ? `${one}*` : `${one}+` };
      return min < 2 ? [more] : [...this.#exactly(one, min), { rule: `${one}*` }];
    }
    return [...this.#exactly(one, min), ...this.#upTo(one, max - min)];
  }

  /** What a repetition may follow. */
  #symbol(expression: Expression): string {
    const text = render(this.rule(expression));
    return /[*+?}]$/.test(text) ? this.#name(text) : text;
  }

  #exactly(one: string, count: number): Expression {
    if (count === 0) return [];
    if (count <= block) return [{ rule: count === 1 ? one : `${one}{${count}}` }];
    const whole = this.#name(`${one}{${block}}`);
    const blocks = { rule: `${whole}{${Math.floor(count / block)}}` };
    return [blocks, ...this.#exactly(one, count % block)];
  }

  #upTo(one: string, count: number): Expression {
    if (count === 0) return [];
    if (count === 1) return [{ rule: `${one}?` }];
    if (count <= block) return [{ rule: `${one}{0,${count}}` }];
    const whole = this.#name(`${one}{${block}}`);
    const fewer = this.#name(`${one}{0,${block}}`);
    const rest = render(this.#upTo(one, count - block));
    return [{ rule: this.#name(`${fewer} | ${whole} ${rest}`) }];
  }

  /** Alternatives, parted where they differ. */
  #part(options: readonly Expression[]): Expression {
    const groups = new Map<string, Expression[]>();
    let isOptional = false;
    for (const option of options) {
      const [first] = option;
      if (first === undefined) {
        isOptional = true;
        continue;
      }
      const group = groups.get(keyOf(first));
      if (group === undefined) groups.set(keyOf(first), [option]);
      else group.push(option);
    }
    const parted = [...groups.values()].map((group): Expression => {
      const [first, ...others] = group as [Expression, ...Expression[]];
      if (others.length === 0) return first;
      const shared = Math.min(...others.map((other) => commonLength(first, other)));
      return [
        ...first.slice(0, shared),
        ...this.#part(group.map((option) => option.slice(shared))),
      ];
    });
    const [only] = parted;
    if (only === undefined) return [];
    if (parted.length === 1 && !isOptional) return only;
    const bodies = parted.map((option) => render(option));
    return [{ rule: this.#name([...bodies, ...(isOptional ? ['""'] : [])].join(" | ")) }];
  }

  #name(body: string): string {
    const known = this.#names.get(body);
    if (known !== undefined) return known;
    const name = `r${this.#rules.length}`;
    const line = `${name} ::= ${body}`;
    this.#chars += line.length + 1;
    if (this.#chars > limits.grammarChars) {
      const what = "characters of grammar";
      throw tooLarge("#", "schema", { what, limit: limits.grammarChars });
    }
    this.#rules.push(line);
    this.#names.set(body, name);
    return name;
  }
}

export function literal(text: string): Expression {
  return text === "" ? [] : [{ text }];
}

/** A class of characters, by its ranges; it must not be empty. */
export function charClass(ranges: readonly (readonly [number, number])[]): Expression {
  const [only] = ranges;
  if (ranges.length === 1 && only !== undefined && only[0] === only[1]) {
    return literal(String.fromCodePoint(only[0]));
  }
  const parts = ranges.map(([from, to]) =>
    from === to ? escapeCode(from) : `${escapeCode(from)}-${escapeCode(to)}`
  );
  return [{ rule: `[${parts.join("")}]` }];
}

/** One space, or none. */
export const gap: Expression = [{ rule: '" "?' }];
export const comma: Expression = [...literal(","), ...gap];

const block = 1000;

/** Each character an atom, so that alternatives can be parted inside a text. */
function split(expression: Expression): Expression {
  return expression.flatMap((atom): Atom[] =>
    "text" in atom ? Array.from(atom.text, (text) => ({ text })) : [atom]
  );
}

function commonLength(first: Expression, other: Expression): number {
  let length = 0;
  while (length < first.length && length < other.length) {
    if (keyOf(first[length]!) !== keyOf(other[length]!)) break;
    length++;
  }
  return length;
}

function keyOf(atom: Atom): string {
  return "text" in atom ? `t${atom.text}` : `r${atom.rule}`;
}

function render(expression: Expression): string {
  const parts: string[] = [];
  let text = "";
  const end = () => {
    if (text !== "") parts.push(`"${text}"`);
    text = "";
  };
  for (const atom of expression) {
    if ("text" in atom) text += Array.from(atom.text, escapeChar).join("");
    else {
      end();
      parts.push(atom.rule);
    }
  }
  end();
  return parts.length === 0 ? '""' : parts.join(" ");
}

function escapeChar(char: string): string {
  const isPlain = /^[ !#-[\]-~]$/.test(char);
  return isPlain ? char : escapeCode(char.codePointAt(0)!);
}

function escapeCode(code: number): string {
  const char = String.fromCodePoint(code);
  if (/^[a-zA-Z0-9]$/.test(char)) return char;
  const hex = code.toString(16).toUpperCase();
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
