// Our options as llama.cpp's server takes them, and its answers as ours (tools/server/server-schema.cpp).
// What leaves here must be valid: llama.cpp answers a field out of range by refusing the request without a reason.

import { checkGrammar } from "../../contract/gbnf_walk.ts";
import { AppError } from "../../contract/error.ts";
import type { Completion, GenerateOptions, TokenLogprob } from "./interface.ts";
import type { PromptInput } from "./shorten.ts";

/** The body of a request; `cachePrompt` lets it start from what an earlier one left in the cache. */
export function requestBody(
  input: PromptInput,
  options: GenerateOptions,
  cachePrompt: boolean,
): Record<string, unknown> {
  return {
    ...("prompt" in input ? { prompt: input.prompt.toWellFormed() } : {
      messages: input.messages.map(({ role, content }) => ({
        role,
        content: content.toWellFormed(),
      })),
    }),
    stream: true,
    // A step that tells it keeps the token that it made for the next one: the first token would be late by one.
    return_progress: lengthOf(input) > longPromptChars,
    // With stop strings the engine is ended from here, so each step must say how far it is.
    timings_per_token: (options.stop?.length ?? 0) > 0,
    cache_prompt: cachePrompt,
    // None of 0 would be told of the chosen token either.
    ...(options.topLogprobs === undefined ? {} : {
      n_probs: within(options.topLogprobs, 1, maxTopLogprobs),
      post_sampling_probs: false,
    }),
    n_predict: options.maxTokens === undefined ? -1 : within(options.maxTokens, 0, maxInt32),
    ...(options.grammar === undefined ? {} : { grammar: checkGrammar(options.grammar) }),
    temperature: within(options.temperature ?? 0.8, 0, 1000),
    top_p: within(options.topP ?? 0.95, 0, 1),
    top_k: within(options.topK ?? 40, 0, maxInt32),
    min_p: within(options.minP ?? 0.05, 0, 1),
    frequency_penalty: within(options.frequencyPenalty ?? 0, -1000, 1000),
    presence_penalty: within(options.presencePenalty ?? 0, -1000, 1000),
    repeat_penalty: within(options.repeatPenalty ?? 1, 0, 1000),
    // Ours are whole numbers of any size. llama.cpp's own random one is the time here: equal for calls at once.
    seed: options.seed === undefined
      ? crypto.getRandomValues(new Uint32Array(1))[0]! >>> 1
      : Number(BigInt.asUintN(31, BigInt(options.seed))),
  };
}

/** One result of the engine, parsed. */
export interface Step {
  text: string;
  /** Of the tokens that made `text`, when they were asked for. */
  logprobs: readonly TokenLogprob[];
  /** Set in the last result. */
  finishReason: "stop" | "length" | undefined;
  timings: Timings | undefined;
  progress: { total: number; processed: number; cache: number } | undefined;
}

export interface Timings {
  cache_n: number;
  prompt_n: number;
  prompt_ms: number;
  predicted_n: number;
  predicted_ms: number;
  predicted_per_second: number;
}

export function parseStep(json: string): Step | undefined {
  // "null" says that the request has begun.
  if (json === "" || json === "null") return undefined;
  const value = JSON.parse(json) as Chunk | Chunk[];
  if (!Array.isArray(value)) return toStep(value);
  const steps = value.map(toStep);
  const [first, ...rest] = steps;
  return rest.reduce((sum, step) => ({
    text: sum.text + step.text,
    logprobs: [...sum.logprobs, ...step.logprobs],
    finishReason: step.finishReason ?? sum.finishReason,
    timings: step.timings ?? sum.timings,
    progress: step.progress ?? sum.progress,
  }), first ?? toStep({}));
}

/** The error that the engine answered a request with. */
export function parseError(json: string): AppError {
  const { type, message, n_prompt_tokens, n_ctx } = JSON.parse(json) as EngineError;
  if (type === "exceed_context_size_error") {
    return new AppError(
      "CONTEXT_OVERFLOW",
      `The prompt has ${n_prompt_tokens} tokens, the context takes fewer than ${n_ctx}`,
      { details: { promptTokens: n_prompt_tokens, contextLength: n_ctx } },
    );
  }
  const code = type === "invalid_request_error" ? "INVALID_INPUT" : "INTERNAL";
  return new AppError(code, `The engine failed: ${message ?? "without a message"}`);
}

/** What a call used, from the last timings that the engine gave. */
export function toCompletion(
  finishReason: Completion["finishReason"],
  timings: Timings | undefined,
  progress: Step["progress"],
): Completion {
  const cachedTokens = timings?.cache_n ?? progress?.cache ?? 0;
  return {
    finishReason,
    usage: {
      promptTokens: timings === undefined ? progress?.total ?? 0 : cachedTokens + timings.prompt_n,
      cachedTokens,
      completionTokens: timings?.predicted_n ?? 0,
    },
    timings: {
      promptMs: timings?.prompt_ms ?? 0,
      generationMs: timings?.predicted_ms ?? 0,
      // Of a single token llama.cpp measures no time, and would divide by it.
      tokensPerSecond: (timings?.predicted_ms ?? 0) > 0 ? timings?.predicted_per_second ?? 0 : 0,
    },
  };
}

const maxInt32 = 0x7fff_ffff;
/** Shorter ones are read in about one step. */
const longPromptChars = 1024;

function lengthOf(input: Parameters<typeof requestBody>[0]): number {
  if ("prompt" in input) return input.prompt.length;
  return input.messages.reduce((sum, { content }) => sum + content.length, 0);
}
const maxTopLogprobs = 20;

interface Chunk {
  choices?: {
    text?: string;
    delta?: { content?: string | null };
    logprobs?: { content?: TokenEntry[] } | null;
    finish_reason?: string | null;
  }[];
  timings?: Timings;
  prompt_progress?: { total: number; processed: number; cache: number };
}

interface TokenEntry {
  bytes?: number[];
  logprob?: number | null;
  top_logprobs?: TokenEntry[];
}

interface EngineError {
  type?: string;
  message?: string;
  n_prompt_tokens?: number;
  n_ctx?: number;
}

function toStep({ choices, timings, prompt_progress }: Chunk): Step {
  const choice = choices?.[0];
  const reason = choice?.finish_reason ?? undefined;
  return {
    text: choice?.text ?? choice?.delta?.content ?? "",
    logprobs: (choice?.logprobs?.content ?? []).map((entry) => ({
      ...toLogprob(entry),
      top: (entry.top_logprobs ?? []).map(toLogprob),
    })),
    finishReason: reason === undefined ? undefined : reason === "length" ? "length" : "stop",
    timings,
    progress: prompt_progress,
  };
}

function toLogprob({ bytes = [], logprob }: TokenEntry): Omit<TokenLogprob, "top"> {
  return {
    text: decoder.decode(new Uint8Array(bytes)),
    bytes,
    // Rounding may take a certain token past 1; one without a chance has no number in JSON.
    logprob: Math.min(logprob ?? -Number.MAX_VALUE, 0),
  };
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function within(value: number, min: number, max: number): number {
  return Number.isFinite(value) ? Math.min(Math.max(value, min), max) : min;
}
