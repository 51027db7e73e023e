// Results of `llm.chat` and `llm.complete`, as OpenAI's completions and chunks. What a plugin returned was
// checked against its schema by the bus; it is read here once more, defensively, because it is plugin-authored.

import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";

/** What `llm.chat` and `llm.complete` return. */
export type GenerationResult = z.infer<typeof generationResult>;

/** One of their streams. */
export type GenerationItem = z.infer<typeof generationItem>;

export interface CompletionFacts {
  kind: "chat" | "text";
  id: string;
  /** Seconds since the epoch. */
  created: number;
  model: string;
  fingerprint: string;
  /** Answers at once. */
  count: number;
}

export function readResult(value: unknown): GenerationResult {
  const result = generationResult.safeParse(value);
  if (result.success) return result.data;
  throw new AppError("INVALID_OUTPUT", "The language plugin returned no usable result");
}

export function readItem(value: unknown): GenerationItem {
  const item = generationItem.safeParse(value);
  if (item.success) return item.data;
  throw new AppError("INVALID_OUTPUT", "The language plugin streamed no usable item");
}

/** The whole answer; `logprobs` by choice, where they were asked for. */
export function completion(
  facts: CompletionFacts,
  result: GenerationResult,
  logprobs: readonly TokenLogprob[][] = [],
): unknown {
  const choices = choicesOf(result).map(({ index, text, finishReason: finish_reason }) => ({
    index,
    ...(facts.kind === "chat"
      ? { message: { role: "assistant", content: text, refusal: null } }
      : { text }),
    logprobs: logprobsOf(facts.kind, logprobs[index]),
    finish_reason,
  }));
  return { ...head(facts, false), choices, usage: usageOf(result) };
}

export interface Chunks {
  /** The first chunks of a chat, which carry the role; none for text. */
  start: unknown[];
  delta(item: GenerationItem): unknown;
  /** The chunks with the finish reasons, then the usage when it was asked for. */
  end(result: GenerationResult): unknown[];
}

export function chunksOf(facts: CompletionFacts, includeUsage: boolean): Chunks {
  const isChat = facts.kind === "chat";
  const fields = { ...head(facts, true), ...(includeUsage ? { usage: null } : {}) };
  /** Characters of each choice so far. */
  const offsets: number[] = [];
  const chunk = (
    index: number,
    part: unknown,
    { finish_reason = null, logprobs = null }: {
      finish_reason?: string | null;
      logprobs?: unknown;
    },
  ) => ({
    ...fields,
    choices: [{ index, ...(isChat ? { delta: part } : { text: part }), logprobs, finish_reason }],
  });
  const role = { role: "assistant", content: "" };
  return {
    start: isChat ? Array.from({ length: facts.count }, (_, index) => chunk(index, role, {})) : [],
    delta({ delta, index = 0, logprobs }) {
      const offset = offsets[index] ?? 0;
      offsets[index] = offset + delta.length;
      const told = logprobsOf(facts.kind, logprobs, offset);
      return chunk(index, isChat ? { content: delta } : delta, { logprobs: told });
    },
    end: (result) => [
      ...choicesOf(result).map(({ index, finishReason }) =>
        chunk(index, isChat ? {} : "", { finish_reason: finishReason })
      ),
      ...(includeUsage ? [{ ...fields, choices: [], usage: usageOf(result) }] : []),
    ],
  };
}

const tokens = z.number().min(0);
const oneLogprob = {
  text: z.string(),
  bytes: z.array(z.int().min(0).max(255)),
  logprob: z.number(),
};
const tokenLogprob = z.object({ ...oneLogprob, top: z.array(z.object(oneLogprob)) });
export type TokenLogprob = z.infer<typeof tokenLogprob>;
const choiceIndex = z.int().min(0).max(127);
const generationItem = z.object({
  delta: z.string(),
  index: choiceIndex.optional(),
  logprobs: z.array(tokenLogprob).optional(),
  queue: z.object({ position: z.int().min(1) }).optional(),
});
const finishReason = z.enum(["stop", "length"]);
const generationResult = z.object({
  text: z.string(),
  finishReason,
  choices: z.array(z.object({ index: choiceIndex, text: z.string(), finishReason })).optional(),
  usage: z.object({ promptTokens: tokens, cachedTokens: tokens, completionTokens: tokens }),
});

/** A plugin that makes one answer may leave the list out. */
function choicesOf({ choices, text, finishReason }: GenerationResult) {
  return choices ?? [{ index: 0, text, finishReason }];
}

/** As OpenAI tells them of a chat, and otherwise of a text, whose tokens stand at characters from `offset` on. */
function logprobsOf(
  kind: CompletionFacts["kind"],
  tokens: readonly TokenLogprob[] | undefined,
  offset = 0,
): unknown {
  if (tokens === undefined) return null;
  if (kind === "chat") {
    const told = ({ text: token, bytes, logprob }: Omit<TokenLogprob, "top">) => ({
      token,
      logprob,
      bytes,
    });
    const content = tokens.map((token) => ({ ...told(token), top_logprobs: token.top.map(told) }));
    return { content, refusal: null };
  }
  let at = offset;
  const text_offset = tokens.map(({ text }) => {
    at += text.length;
    return at - text.length;
  });
  return {
    tokens: tokens.map(({ text }) => text),
    token_logprobs: tokens.map(({ logprob }) => logprob),
    // The chosen token is told too, likely or not.
    top_logprobs: tokens.map((token) =>
      Object.fromEntries([...token.top, token].map(({ text, logprob }) => [text, logprob]))
    ),
    text_offset,
  };
}

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
