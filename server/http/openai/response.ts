// Results of `llm.chat` and `llm.complete`, as OpenAI's completions and chunks. What a plugin returned was
// checked against its schema by the bus; it is read here once more, defensively, because it is plugin-authored.

import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";

/** What `llm.chat` and `llm.complete` return. */
export type GenerationResult = z.infer<typeof generationResult>;

export interface CompletionFacts {
  kind: "chat" | "text";
  id: string;
  /** Seconds since the epoch. */
  created: number;
  model: string;
  fingerprint: string;
}

export function readResult(value: unknown): GenerationResult {
  const result = generationResult.safeParse(value);
  if (result.success) return result.data;
  throw new AppError("INVALID_OUTPUT", "The language plugin returned no usable result");
}

export function readDelta(value: unknown): string {
  const item = generationItem.safeParse(value);
  if (item.success) return item.data.delta;
  throw new AppError("INVALID_OUTPUT", "The language plugin streamed no usable item");
}

/** The whole answer. */
export function completion(facts: CompletionFacts, result: GenerationResult): unknown {
  const { text, finishReason: finish_reason } = result;
  const choice = facts.kind === "chat"
    ? { message: { role: "assistant", content: text, refusal: null } }
    : { text };
  return {
    ...head(facts, false),
    choices: [{ index: 0, ...choice, logprobs: null, finish_reason }],
    usage: usageOf(result),
  };
}

export interface Chunks {
  /** The first chunk of a chat, which carries the role; undefined for text. */
  start: unknown;
  delta(text: string): unknown;
  /** The chunk with the finish reason, then the usage when it was asked for. */
  end(result: GenerationResult): unknown[];
}

export function chunksOf(facts: CompletionFacts, includeUsage: boolean): Chunks {
  const fields = { ...head(facts, true), ...(includeUsage ? { usage: null } : {}) };
  const chunk = (part: unknown, finish_reason: string | null) => ({
    ...fields,
    choices: [{
      index: 0,
      ...(facts.kind === "chat" ? { delta: part } : { text: part }),
      logprobs: null,
      finish_reason,
    }],
  });
  return {
    start: facts.kind === "chat" ? chunk({ role: "assistant", content: "" }, null) : undefined,
    delta: (text) => chunk(facts.kind === "chat" ? { content: text } : text, null),
    end: (result) => [
      chunk(facts.kind === "chat" ? {} : "", result.finishReason),
      ...(includeUsage ? [{ ...fields, choices: [], usage: usageOf(result) }] : []),
    ],
  };
}

const tokens = z.number().min(0);
const generationItem = z.object({ delta: z.string() });
const generationResult = z.object({
  text: z.string(),
  finishReason: z.enum(["stop", "length"]),
  usage: z.object({ promptTokens: tokens, cachedTokens: tokens, completionTokens: tokens }),
});

function head({ kind, id, created, model, fingerprint }: CompletionFacts, streamed: boolean) {
  const object = kind === "text"
    ? "text_completion"
    : streamed
    ? "chat.completion.chunk"
    : "chat.completion";
  return { id, object, created, model, system_fingerprint: fingerprint };
}

function usageOf({ usage }: GenerationResult): unknown {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens },
  };
}
