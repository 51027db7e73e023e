// One message of an ONNX file while it is walked: where it stands, and the fields that are kept of it.

import { quote } from "../format/text.ts";
import type { OnnxLimits } from "./limits.ts";
import { refuse } from "./refuse.ts";
import type { Field, MessageName } from "./schema.ts";

/** What is kept of one field. */
export interface Kept {
  /** Where the field starts, bytes. */
  offset: number;
  /** How many values there are; of bytes, how many bytes. */
  count: number;
  /** Signed. Of repeated numbers, the dimensions alone. */
  integers: bigint[];
  texts: string[];
  messages: Message[];
}

export class Message {
  readonly type: MessageName;
  /** The field that holds it, and its number in that field, for a message of refusal. */
  readonly label: string;
  readonly parent: Message | undefined;
  readonly field: string;
  /** Where its content starts and ends, bytes. */
  readonly start: number;
  readonly end: number;
  readonly #kept = new Map<string, Kept>();
  readonly #seen = new Set<number>();
  readonly #counts = new Map<number, number>();

  constructor(options: {
    type: MessageName;
    field: string;
    index?: number | undefined;
    parent: Message | undefined;
    start: number;
    end: number;
  }) {
    this.type = options.type;
    this.field = options.field;
    this.label = options.index === undefined ? options.field : `${options.field}[${options.index}]`;
    this.parent = options.parent;
    this.start = options.start;
    this.end = options.end;
  }

  /** `graph.node[3].attribute[0].t`, with the message's own name where it has one. */
  get path(): string {
    const labels = [this.label];
    for (let at = this.parent; at?.parent !== undefined; at = at.parent) labels.push(at.label);
    const path = labels.slice(0, maxShownLabels).reverse().join(".");
    const name = this.text("name");
    return name === undefined || name === "" ? path : `${path} ${quote(name)}`;
  }

  /** Notes that a field is there; answers how often it was there before. */
  note(number: number, field: Field): number {
    if (field.repeated !== true) {
      if (this.#seen.has(number)) return 1;
      this.#seen.add(number);
      return 0;
    }
    const count = this.#counts.get(number) ?? 0;
    this.#counts.set(number, count + 1);
    return count;
  }

  keep(field: Field, offset: number): Kept {
    const known = this.#kept.get(field.name);
    if (known !== undefined) return known;
    const kept = { offset, count: 0, integers: [], texts: [], messages: [] };
    this.#kept.set(field.name, kept);
    return kept;
  }

  find(field: string): Kept | undefined {
    return this.#kept.get(field);
  }

  /** How many values, or bytes, a kept field has. */
  count(field: string): number {
    return this.#kept.get(field)?.count ?? 0;
  }

  text(field: string): string | undefined {
    return this.#kept.get(field)?.texts[0];
  }

  messages(field: string): readonly Message[] {
    return this.#kept.get(field)?.messages ?? [];
  }

  /** An integer within `range`; undefined when the message does not have it. */
  integer(field: string, { min, max }: { min: number; max: number }): number | undefined {
    const kept = this.#kept.get(field);
    const value = kept?.integers[0];
    if (kept === undefined || value === undefined) return undefined;
    if (value < BigInt(min) || value > BigInt(max)) {
      refuse(`is ${value}`, {
        field: `${field} of ${this.path}`,
        offset: kept.offset,
        limit: `${min} to ${max}`,
      });
    }
    return Number(value);
  }
}

const maxShownLabels = 9;

/** Counts messages of a file against its limits. */
export function createCounter(limits: OnnxLimits): (key: keyof OnnxLimits, at: Message) => void {
  const counts = new Map<keyof OnnxLimits, number>();
  return (key, at) => {
    const count = (counts.get(key) ?? 0) + 1;
    if (count > limits[key]) {
      refuse("is one too many in the file", {
        field: at.path,
        offset: at.start,
        limit: limits[key],
      });
    }
    counts.set(key, count);
  };
}
