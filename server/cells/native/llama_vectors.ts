// Vectors of texts, one text a batch: the addon tells the vector of its first sequence alone. Callers take turns by text.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type { LlamaVectors } from "../../../plugins/runtime/contract/native_llama.ts";
import type { AddonContext } from "./llama_addon.ts";
import type { LlamaTokenizer } from "./llama_tokenizer.ts";

export interface VectorOptions {
  signal: AbortSignal;
  /** Called after each text. */
  alive(): void;
}

export class LlamaVectorizer {
  readonly #tokenizer: LlamaTokenizer;
  readonly #context: AddonContext;
  readonly #contextLength: number;
  readonly #dimensions: number;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed: AppError | undefined;

  constructor(
    { tokenizer, context, contextLength, dimensions }: {
      tokenizer: LlamaTokenizer;
      context: AddonContext;
      contextLength: number;
      dimensions: number;
    },
  ) {
    this.#tokenizer = tokenizer;
    this.#context = context;
    this.#contextLength = contextLength;
    this.#dimensions = dimensions;
  }

  /** A text past the context is cut. Throws INVALID_INPUT for one without tokens, INVALID_OUTPUT for what is no vector. */
  async embed(texts: readonly string[], { signal, alive }: VectorOptions): Promise<LlamaVectors> {
    if (this.#waiting >= maxWaiting) {
      throw new AppError("QUEUE_FULL", `${maxWaiting} calls wait for the model`);
    }
    this.#waiting++;
    try {
      const vectors = new Float32Array(texts.length * this.#dimensions);
      const promptTokens: number[] = [];
      const truncated: boolean[] = [];
      for (const [at, text] of texts.entries()) {
        const one = await this.#takeTurn(() => this.#embedOne(text, signal));
        vectors.set(one.vector, at * this.#dimensions);
        promptTokens.push(one.promptTokens);
        truncated.push(one.truncated);
        alive();
      }
      return { vectors, promptTokens, truncated };
    } finally {
      this.#waiting--;
    }
  }

  /** Fails all calls; resolves when the engine is at rest. */
  async close(reason: AppError): Promise<void> {
    this.#closed ??= reason;
    await this.#last;
  }

  #takeTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #embedOne(text: string, signal: AbortSignal) {
    if (this.#closed !== undefined) throw this.#closed;
    if (signal.aborted) throw new AppError("CANCELLED", "The call was cancelled");
    const maxChars = this.#contextLength * charsPerToken;
    const all = await this.#tokenizer.encode(text.slice(0, maxChars).toWellFormed());
    const tokens = cut(all, this.#contextLength);
    if (tokens.length === 0) throw new AppError("INVALID_INPUT", "The text has no tokens");
    const truncated = tokens.length < all.length || text.length > maxChars;
    return { vector: await this.#run(tokens), promptTokens: tokens.length, truncated };
  }

  async #run(tokens: readonly number[]): Promise<Float64Array> {
    const { length } = tokens;
    try {
      this.#context.disposeSequence(0);
      this.#context.initBatch(length);
      this.#context.addToBatch(0, 0, Uint32Array.from(tokens), Uint32Array.of(length - 1));
      await this.#context.decodeBatch();
      return normalize(this.#context.getEmbedding(length));
    } catch (cause) {
      if (cause instanceof AppError) throw cause;
      const message = cause instanceof Error ? cause.message : String(cause);
      throw this.#closed ??= new AppError("UNAVAILABLE", `The engine failed: ${message}`, {
        cause,
      });
    }
  }
}

const maxWaiting = 256;
/** Tokens are shorter than that on the whole; so a book does not cost more than its first pages. */
const charsPerToken = 32;

/** What a text ends with stays its end. */
function cut(tokens: readonly number[], most: number): readonly number[] {
  if (tokens.length <= most) return tokens;
  return [...tokens.slice(0, most - 1), tokens.at(-1)!];
}

function normalize(vector: Float64Array): Float64Array {
  const length = Math.hypot(...vector);
  if (!(length > 0 && length < Infinity)) {
    throw new AppError("INVALID_OUTPUT", "The model answered what is no vector");
  }
  return vector.map((value) => value / length);
}
