// What a plugin sees of the wllama engine (llama.cpp on GGUF models: in WebAssembly, on WebGPU, or native).

import type { LlamaLogprob, LlamaSampling } from "../../contract/native_llama.ts";
import type { EngineInfo, LoadOptions, OpenModel } from "../engine.ts";

export interface WllamaEngine {
  /** Loads a GGUF model; throws INVALID_MODEL, OUT_OF_MEMORY or CANCELLED. One load runs at a time. */
  load(model: OpenModel, options?: WllamaLoadOptions): Promise<WllamaModel>;
}

export interface WllamaLoadOptions extends LoadOptions {
  /** Tokens that one call may use, prompt and answer together; capped by what the model was trained for. Default 4096. */
  contextLength?: number;
  /**
   * What the model is loaded for; default "text". llama.cpp sets its context up for the one or the other: with
   * "vectors" it only embeds, with "text" it only writes.
   */
  use?: "text" | "vectors";
  /** Calls that generate at once, each with a context of its own; more wait in order. Default 1. */
  parallel?: number;
  /** Bytes that the heap may grow after loading, MiB; bounds the engine's own cache of old prompts. Default 256. */
  heapGrowthMb?: number;
  /** Called as the model's files are read. */
  progress?(readBytes: number): void;
}

export interface WllamaInfo extends EngineInfo {
  /** Tokens that one call may use. */
  contextLength: number;
  /** Tokens that the model was trained for. */
  trainedContextLength: number;
  parallel: number;
  hasChatTemplate: boolean;
  /** Token ids; -1 when the model has none. */
  bosToken: number;
  eosToken: number;
  vocabularySize: number;
  /** Numbers of an embedding. */
  dimensions: number;
}

export interface WllamaModel {
  info(): WllamaInfo;
  /** True once the engine has died (then calls throw UNAVAILABLE); unload it and load it anew. */
  readonly isBroken: boolean;
  /** Continues `prompt`. The generator returns when the answer is complete; breaking out frees the slot. */
  complete(prompt: string, options: GenerateOptions): AsyncGenerator<Piece, Completion>;
  /** Answers `messages` through the model's own chat template; INVALID_INPUT when the template refuses them. */
  chat(
    messages: readonly ChatMessage[],
    options: GenerateOptions,
  ): AsyncGenerator<Piece, Completion>;
  /**
   * The vector of a text, pooled as the model says (a language model's: the mean), of the length 1. A text longer than
   * the context is cut. Throws UNSUPPORTED_FEATURE where the model was loaded for text, INVALID_INPUT for no tokens.
   */
  embed(text: string, options?: EmbedOptions): Promise<Embedding>;
  /** Ends all calls and frees the memory; idempotent. */
  unload(): Promise<void>;
}

export interface ChatMessage {
  role: string;
  content: string;
}

export interface GenerateOptions extends Sampling, Shaping {
  /** Whose call this is: prompt caches are never shared between two principals. */
  principal: string;
  /** Default: until the model ends or the context is full. */
  maxTokens?: number;
  /** The answer ends before the first of these; no part of it is ever yielded. */
  stop?: readonly string[];
  signal?: AbortSignal;
  /**
   * Called on each sign of life of the engine, also while the call waits for others; `queuePosition` comes when its
   * place in the line changes: 1 is next.
   */
  progress?(
    state: { promptTokens?: number; processedTokens?: number; queuePosition?: number },
  ): void;
}

/** What an answer must keep to, and what is told of it; the same on every backend. */
export interface Shaping {
  /** GBNF with the rule "root" that the answer keeps to. INVALID_INPUT where it cannot be read, or is too large. */
  grammar?: string;
  /** Tells each token's logarithmic probability, and of so many likeliest ones (0 to 20) at its place. */
  topLogprobs?: number;
  /**
   * What becomes of a prompt that leaves no room for an answer: CONTEXT_OVERFLOW (default), or its middle is left out,
   * as little of it as leaves room for `maxTokens` or a quarter of the context, whichever is less. Of a chat, whole
   * messages between the system's and the last are left out first.
   */
  overflow?: "error" | "truncate-middle";
}

export interface EmbedOptions {
  signal?: AbortSignal;
  /** Called on each sign of life of the engine. */
  progress?(): void;
}

export interface Embedding {
  vector: Float32Array;
  promptTokens: number;
  truncated: boolean;
}

/** How the next token is chosen. */
export type Sampling = LlamaSampling;

/** One step of an answer: whole characters, never empty. */
export interface Piece {
  text: string;
  /** Of the tokens that make `text`, when they were asked for. */
  logprobs?: readonly TokenLogprob[];
}

export type TokenLogprob = LlamaLogprob;

export interface Completion {
  finishReason: "stop" | "length" | "cancelled";
  /** Tokens of the prompt that were left out, with `overflow: "truncate-middle"`. */
  truncatedTokens?: number;
  usage: { promptTokens: number; cachedTokens: number; completionTokens: number };
  timings: { promptMs: number; generationMs: number; tokensPerSecond: number };
}
