// Follows a grammar as llama.cpp does: all places at once where a text may be. What llama.cpp would be led into
// by an ambiguous grammar (places that double with each character) is found here, in steps that are counted.

import { type Grammar, parseGrammar, type Part, refused } from "./gbnf.ts";

/** The grammar itself; throws INVALID_INPUT for one that llama.cpp cannot read, or would be lost in. */
export function checkGrammar(text: string): string {
  if (passed.has(text)) return text;
  const walk = new Walk(parseGrammar(text));
  try {
    for (let count = 0; count < walkCount; count++) wander(walk, count + 1);
  } catch (error) {
    if (!(error instanceof Lost)) throw error;
    throw refused("is too ambiguous: a text may go on in too many ways at once");
  }
  const [oldest] = passed;
  if (passed.size >= maxPassed) passed.delete(oldest!);
  passed.add(text);
  return text;
}

/** Whether `text` is a whole text of the grammar. */
export function matchesGrammar(grammar: Grammar, text: string): boolean {
  const walk = new Walk(grammar);
  let places = walk.start();
  for (const char of text) {
    places = walk.advance(places, char.codePointAt(0)!);
    if (places.size === 0) return false;
  }
  return places.has(undefined);
}

/** What was accepted last: who asks by a schema asks by it again, and several engines check. */
const passed = new Set<string>();
const maxPassed = 8;

/** Each is compared with every token of a vocabulary. */
const maxPlaces = 200;
/** Inside a token llama.cpp follows each way by itself, also those that meet again. */
const maxWays = 5000;
const tokenChars = 6;
/** Of one character, and of all walks: no grammar of use needs a tenth. */
const maxSteps = 10_000;
const maxTotal = 300_000;
const walkCount = 8;
const walkChars = 200;
/** Steps of all walks together, some milliseconds. */
const walkSteps = 40_000;

/** Where a text may be: the part that comes next, and what follows it; undefined is the end. */
interface Place {
  readonly at: number;
  readonly below: Place | undefined;
  readonly id: number;
}

/** With the number of ways that led to each since the token began. */
type Places = ReadonlyMap<Place | undefined, number>;

class Lost extends Error {}

class Walk {
  steps = 0;
  /** All sequences one after the other; undefined ends one. */
  readonly #parts: (Part | undefined)[] = [];
  readonly #starts: number[][];
  readonly #places = new Map<string, Place>();
  readonly #root: number;

  constructor({ rules, root }: Grammar) {
    this.#root = root;
    this.#starts = rules.map((rule) =>
      rule.map((sequence) => {
        const start = this.#parts.length;
        for (const part of sequence) this.#parts.push(part);
        this.#parts.push(undefined);
        return start;
      })
    );
  }

  start(): Places {
    const places = new Map<Place | undefined, number>();
    for (const start of this.#starts[this.#root]!) {
      this.#settle(this.#push(start, undefined), places, 1);
    }
    return places;
  }

  advance(places: Places, code: number): Places {
    const next = new Map<Place | undefined, number>();
    const started = this.steps;
    for (const [place, ways] of places) {
      if (++this.steps - started > maxSteps || this.steps > maxTotal) throw new Lost();
      if (place === undefined || !holds(this.#parts[place.at]!, code)) continue;
      this.#settle(this.#push(place.at + 1, place.below), next, ways);
    }
    return next;
  }

  /** The characters that may come at a place. */
  charsAt({ at }: Place): Exclude<Part, number> {
    return this.#parts[at] as Exclude<Part, number>;
  }

  #push(at: number, below: Place | undefined): Place | undefined {
    if (this.#parts[at] === undefined) return below;
    const key = `${at} ${below?.id ?? ""}`;
    let place = this.#places.get(key);
    if (place === undefined) this.#places.set(key, place = { at, below, id: this.#places.size });
    return place;
  }

  /** Adds the places of characters that `place` leads to. */
  #settle(
    place: Place | undefined,
    places: Map<Place | undefined, number>,
    ways: number,
  ): void {
    const todo = [place];
    const seen = new Set(todo);
    while (todo.length > 0) {
      const next = todo.pop();
      this.steps++;
      const part = next === undefined ? undefined : this.#parts[next.at];
      if (typeof part !== "number") {
        places.set(next, (places.get(next) ?? 0) + ways);
        if (places.size > maxPlaces) throw new Lost();
        continue;
      }
      const below = this.#push(next!.at + 1, next!.below);
      for (const start of this.#starts[part]!) {
        const inner = this.#push(start, below);
        if (seen.has(inner)) continue;
        seen.add(inner);
        todo.push(inner);
      }
      if (seen.size > maxSteps) throw new Lost();
    }
  }
}

/** One text at random, led to where most places are. */
function wander(walk: Walk, seed: number): void {
  let state = seed;
  const random = (below: number) => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    return (state >>> 8) % below;
  };
  let places: Places = walk.start();
  for (let count = 0; count < walkChars; count++) {
    if (count > tokenChars && walk.steps > walkSteps * seed / walkCount) return;
    const open = [...places.keys()].filter((place) => place !== undefined);
    if (open.length === 0) return;
    let best: Places | undefined;
    for (let tries = 0; tries < 4; tries++) {
      const chars = walk.charsAt(open[random(open.length)]!);
      const [from, to] = chars[random(chars.length)]!;
      const next = walk.advance(places, random(2) === 0 ? from : to);
      if (best === undefined || waysOf(next) > waysOf(best)) best = next;
      // Now and then the first that comes: the greatest crowd may be a dead end.
      if (seed % 2 === 0 && random(3) === 0) break;
    }
    if (waysOf(best!) > maxWays) throw new Lost();
    // A new token starts from the places alone.
    places = count % tokenChars === 0
      ? new Map([...best!.keys()].map((place) => [place, 1]))
      : best!;
  }
}

function waysOf(places: Places): number {
  return places.values().reduce((sum, ways) => sum + ways, 0);
}

function holds(part: Part, code: number): boolean {
  return typeof part !== "number" && part.some(([from, to]) => from <= code && code <= to);
}
