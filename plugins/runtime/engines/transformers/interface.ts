// What a plugin sees of the transformers engine: a text encoder (tokenizer.json and an ONNX graph), texts in, numbers
// out. Tokens, batches, pooling and normalisation are its affair, by what the model's own configuration says.

import type { EngineInfo, LoadOptions, OpenModel } from "../engine.ts";

export interface TransformersEngine {
  /**
   * Loads a text encoder; throws what the onnx engine throws, UNSUPPORTED_FEATURE where the model brings no
   * tokenizer.json or takes what no text gives, and INVALID_MODEL where its configuration cannot be read.
   */
  load(model: OpenModel, options?: TransformersLoadOptions): Promise<TextEncoderModel>;
}

export interface TransformersLoadOptions extends LoadOptions {
  /** Which of the model's ONNX files; needed where it brings several. */
  file?: string;
  /** Tokens of one run, padding included: more texts share a run, and a cancelled call waits longer. Default 2048. */
  batchTokens?: number;
  /** Called as the model's files are read. */
  progress?(readBytes: number): void;
}

export type Pooling = "mean" | "cls" | "max" | "last";

export interface TextEncoderInfo extends EngineInfo {
  /** Tokens of one text, special ones included; longer ones are cut. */
  maxTokens: number;
  pooling: Pooling;
  /** Whether vectors have the length 1. */
  normalizes: boolean;
  /** What `promptName` may be: texts that the model wants in front, such as "query". */
  promptNames: readonly string[];
  /** Numbers of a vector, where the configuration says. */
  dimensions: number | undefined;
}

export interface TextEncoderModel {
  info(): TextEncoderInfo;
  /** True once the engine has died (then calls throw UNAVAILABLE); unload it and load it anew. */
  readonly isBroken: boolean;
  /**
   * One vector a text. Texts of calls that wait share runs, longest by longest; no call waits for all of another's.
   * Throws INVALID_INPUT for an unknown prompt, UNSUPPORTED_FEATURE for a model that makes no vectors, CANCELLED.
   */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Embeddings>;
  /** How well each text answers the query, by a cross-encoder of one label: its logits. */
  score(query: string, texts: readonly string[], options?: CallOptions): Promise<Scores>;
  /** Ends all calls and frees the memory; idempotent. */
  unload(): Promise<void>;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** Called after each run that this call had a part in. */
  progress?(): void;
}

export interface EmbedOptions extends CallOptions {
  /** One of `promptNames`; the model's default when absent. */
  promptName?: string;
}

/** `promptTokens`: of all texts, special ones included. `truncated`: texts that were cut to `maxTokens`. */
interface Used {
  promptTokens: number;
  truncated: number;
}

export interface Embeddings extends Used {
  vectors: Float32Array[];
}

export interface Scores extends Used {
  logits: Float32Array;
}
