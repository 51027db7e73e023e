// How many tokens a call may use, told before it begins, and how many it did use, told by its result. Both are read
// from what plugins and clients wrote. Caller: guarded_bus.

import { Buffer } from "node:buffer";
import type { Capability } from "../../plugins/runtime/contract/capability.ts";

export interface UsedTokens {
  promptTokens: number;
  completionTokens: number;
}

/**
 * The most that a call can use: an answer as long as it asks for, and a token for each byte of its texts, as there is
 * none shorter. Zero for a capability whose schemas tell of no tokens.
 */
export function boundTokens(capability: Capability, input: unknown): number {
  const { prompt, completion } = countedBy(capability);
  return (prompt ? textBytes(input) : 0) + (completion ? askedTokens(input) : 0);
}

/** Of a result; all that is no count is zero. */
export function usedTokens(result: unknown): UsedTokens {
  const usage = field(result, "usage");
  if (usage === undefined) return noTokens;
  return {
    promptTokens: count(field(usage, "promptTokens")),
    completionTokens: count(field(usage, "completionTokens")),
  };
}

/** Of a stream that was cut after so many items: each is about a token, and four bytes of a prompt are. */
export function cutTokens(capability: Capability, input: unknown, items: number): UsedTokens {
  const { prompt, completion } = countedBy(capability);
  if (items === 0 || !completion) return noTokens;
  return { promptTokens: prompt ? Math.ceil(textBytes(input) / 4) : 0, completionTokens: items };
}

/** Whether an item of a stream brings a piece of the answer, and does not only tell how the call fares. */
export function isPiece(item: unknown): boolean {
  return field(item, "delta") !== "";
}

export const noTokens: UsedTokens = { promptTokens: 0, completionTokens: 0 };

const defaultAnswerTokens = 1024;
/** What a plugin that lies may charge for one call. */
const maxTokens = 10_000_000;

/** Which tokens the capability's schemas speak of; a capability is the same object as long as its plugin is. */
function countedBy(capability: Capability): { prompt: boolean; completion: boolean } {
  let counted = known.get(capability);
  if (counted === undefined) {
    const text = JSON.stringify([capability.outputSchema, capability.resultSchema]);
    counted = {
      prompt: text.includes('"promptTokens"'),
      completion: text.includes('"completionTokens"'),
    };
    known.set(capability, counted);
  }
  return counted;
}

const known = new WeakMap<Capability, { prompt: boolean; completion: boolean }>();

function askedTokens(input: unknown): number {
  const asked = field(input, "maxTokens");
  const answers = field(input, "n");
  const each = typeof asked === "number" && asked >= 0 ? asked : defaultAnswerTokens;
  return typeof answers === "number" && answers > 1 ? each * answers : each;
}

/** Without recursion: JSON of a few megabytes may be nested deeper than the stack. */
function textBytes(input: unknown): number {
  let bytes = 0;
  const waiting: unknown[] = [input];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === "string") bytes += Buffer.byteLength(value);
    else if (Array.isArray(value)) { for (const item of value) waiting.push(item); }
    else if (typeof value === "object" && value !== null) {
      for (const item of Object.values(value)) waiting.push(item);
    }
  }
  return bytes;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function count(value: unknown): number {
  return typeof value === "number" && value >= 0 ? Math.min(Math.round(value), maxTokens) : 0;
}
