// What the wllama engine and a cell's main say of models that run in llama.cpp's machine code. The methods are
// "llama.load" and "llama.generate" (streams), "llama.embed" and "llama.unload".

/** Of "llama.load": items are LlamaProgress, the result is LlamaLoaded. */
export interface LlamaLoad {
  /** The host's numbers of the model's GGUF files, the first part first. */
  files: readonly number[];
  use: "text" | "vectors";
  /** Tokens that one call may use; capped by what the model was trained for. */
  contextLength: number;
  /** Calls that generate at once. */
  parallel: number;
  threads: number;
  /** The architecture of a model that names no pooling, and whose vectors are to be means. */
  meanPooling?: string;
}

export interface LlamaProgress {
  /** From 0 to 1. */
  loaded: number;
}

export interface LlamaLoaded {
  /** Names the model in all further calls. */
  model: number;
  contextLength: number;
  trainedContextLength: number;
  /** Token ids; -1 when the model has none. */
  bosToken: number;
  eosToken: number;
  /** Their texts, for chat templates. */
  bos: string;
  eos: string;
  dimensions: number;
  threads: number;
  /** Bytes of weights and context. */
  memoryBytes: number;
  /** Of llama.cpp. */
  build: string;
}

/** Of "llama.generate": items are LlamaItem, the result is LlamaAnswer. Throws CONTEXT_OVERFLOW before any. */
export interface LlamaGenerate extends LlamaSampling {
  model: number;
  /** Text in which special tokens count; the first token of a prompt is put before it, unless it is there. */
  prompt: string;
  /** Prompt caches are never shared between two. */
  principal: string;
  maxTokens?: number;
  stop: readonly string[];
  /** GBNF with the rule "root". */
  grammar?: string;
  /** From 0 to 20. */
  topLogprobs?: number;
}

/** Unset values are llama.cpp's defaults. */
export interface LlamaSampling {
  /** 0 always takes the likeliest token. */
  temperature?: number;
  topP?: number;
  topK?: number;
  minP?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  /** 1 is none. */
  repeatPenalty?: number;
  seed?: number;
}

/** What is new since the item before; how far the call is. */
export interface LlamaItem {
  /** Whole characters, never empty. */
  text?: string;
  /** Of the tokens that make `text`. */
  logprobs?: readonly LlamaLogprob[];
  /** Tokens of the prompt that are read, while it is read. */
  processedTokens?: number;
  usage: LlamaUsage;
}

export interface LlamaUsage {
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
}

/** As the model gave it, before temperature and penalties: natural logarithm, of all tokens together 1. */
export interface LlamaLogprob {
  /** The token's text; "\ufffd" stands for bytes that are no character by themselves. */
  text: string;
  bytes: readonly number[];
  logprob: number;
  /** The likeliest tokens at this place, likeliest first; as many as were asked for. */
  top: readonly Omit<LlamaLogprob, "top">[];
}

export interface LlamaAnswer {
  finishReason: "stop" | "length" | "cancelled";
  usage: LlamaUsage;
  timings: { promptMs: number; generationMs: number; tokensPerSecond: number };
}

/** Of "llama.embed": the result is LlamaVectors. */
export interface LlamaEmbed {
  model: number;
  texts: readonly string[];
}

export interface LlamaVectors {
  /** One after the other, each of the length 1. */
  vectors: Float32Array<ArrayBuffer>;
  promptTokens: readonly number[];
  /** Whether the text was longer than the context. */
  truncated: readonly boolean[];
}
