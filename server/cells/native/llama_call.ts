// One call that generates: what it waits to be read, what it has written, and what of that was not taken yet.
// The scheduler drives it; the Worker takes its items. Bounded by the context: nobody who reads slowly is waited for.

import type { AppError } from "../../../plugins/runtime/contract/error.ts";
import type {
  LlamaAnswer,
  LlamaItem,
  LlamaLogprob,
} from "../../../plugins/runtime/contract/native_llama.ts";
import { AnswerText } from "./llama_answer.ts";
import type { Sampled, Sampler } from "./llama_sampler.ts";

export interface LlamaCallDeps {
  prompt: readonly number[];
  principal: string;
  sampler: Sampler;
  stop: readonly string[];
  maxTokens: number;
  /** Whether a token ends the answer. */
  isEnd(token: number): boolean;
  bytesOf(token: number): Uint8Array;
}

type Outcome = { answer: LlamaAnswer } | { error: AppError };

export class LlamaCall {
  readonly prompt: readonly number[];
  readonly principal: string;
  readonly sampler: Sampler;
  /** To be decoded next, once the prompt is read. */
  nextToken: number | undefined;
  /** Nobody wants the answer any more: the scheduler lets go of it. */
  isCancelled = false;
  readonly #deps: LlamaCallDeps;
  readonly #text: AnswerText;
  #cachedTokens = 0;
  #completionTokens = 0;
  #startedMs = performance.now();
  #firstTokenMs: number | undefined;
  #lastTokenMs = 0;
  /** Becomes text while the engine is at work, unless that may end the answer. */
  #unread: Sampled | undefined;
  #waiting: { text: string; logprobs: LlamaLogprob[]; processedTokens?: number } | undefined;
  #outcome: Outcome | undefined;
  #wake: (() => void) | undefined;
  /** When the reader may be given text again. */
  #dueMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(deps: LlamaCallDeps) {
    this.#deps = deps;
    this.prompt = deps.prompt;
    this.principal = deps.principal;
    this.sampler = deps.sampler;
    this.#text = new AnswerText(deps.stop);
  }

  /** Whether the prompt is only to be read. */
  get wantsTokens(): boolean {
    return this.#deps.maxTokens > 0;
  }

  /** A sequence is free for it, and holds so many tokens of the prompt. */
  begin(cachedTokens: number): void {
    this.#cachedTokens = cachedTokens;
    this.#startedMs = performance.now();
  }

  /** The prompt is read up to there. */
  readUpTo(processedTokens: number): void {
    this.#add("", [], processedTokens);
  }

  /** Takes a token; `isFull` says that the context has no room for another. */
  accept(sampled: Sampled, isFull: boolean): void {
    const { token } = sampled;
    this.#lastTokenMs = performance.now();
    this.#firstTokenMs ??= this.#lastTokenMs;
    this.nextToken = undefined;
    if (token < 0) return this.finish("stop");
    this.#completionTokens++;
    if (this.#deps.isEnd(token)) return this.finish("stop");
    this.#unread = sampled;
    const isFirst = this.#dueMs === 0;
    if (isFirst || this.#deps.stop.length > 0) {
      if (this.#read()) return this.#settle({ answer: this.#answer("stop") });
      if (isFirst) this.tell();
    }
    if (isFull || this.#completionTokens >= this.#deps.maxTokens) return this.finish("length");
    this.nextToken = token;
  }

  finish(finishReason: LlamaAnswer["finishReason"]): void {
    if (finishReason !== "cancelled") {
      this.#read();
      const { text, logprobs } = this.#text.flush();
      this.#add(text, logprobs);
    }
    this.#settle({ answer: this.#answer(finishReason) });
  }

  fail(error: AppError): void {
    this.#settle({ error });
  }

  /** Whoever reads the answer may go on: the scheduler says so while the engine is at work, which waits for nobody. */
  tell(): void {
    this.#read();
    this.#wakeWhenDue();
  }

  get isFinished(): boolean {
    return this.#outcome !== undefined;
  }

  /** What is new each time that somebody asks; leaving it cancels the call. */
  async *items(): AsyncGenerator<LlamaItem, LlamaAnswer> {
    try {
      while (true) {
        if (this.#outcome === undefined) await this.#somethingDue();
        const item = this.#take();
        if (item !== undefined) {
          if (item.text !== undefined) this.#dueMs = nextTickMs();
          yield item;
        } else if (this.#outcome === undefined) continue;
        else if ("error" in this.#outcome) throw this.#outcome.error;
        else return this.#outcome.answer;
      }
    } finally {
      clearTimeout(this.#timer);
      this.isCancelled = true;
    }
  }

  async #somethingDue(): Promise<void> {
    const woken = new Promise<void>((resolve) => this.#wake = resolve);
    this.#wakeWhenDue();
    await woken;
    this.#wake = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wakeWhenDue(): void {
    if (this.#waiting === undefined || this.#wake === undefined) return;
    const earlyMs = this.#dueMs - performance.now();
    if (earlyMs <= 0) this.#wake();
    else this.#timer ??= setTimeout(() => this.#wake?.(), earlyMs);
  }

  /** Whether it makes a stop string whole. */
  #read(): boolean {
    if (this.#unread === undefined) return false;
    const { token, logprob } = this.#unread;
    this.#unread = undefined;
    const { text, logprobs, stopped } = this.#text.push(this.#deps.bytesOf(token), logprob);
    this.#add(text, logprobs);
    return stopped;
  }

  #add(text: string, logprobs: readonly LlamaLogprob[], processedTokens?: number): void {
    if (text === "" && processedTokens === undefined) return;
    this.#waiting ??= { text: "", logprobs: [] };
    this.#waiting.text += text;
    if (logprobs.length > 0) this.#waiting.logprobs.push(...logprobs);
    if (processedTokens !== undefined) this.#waiting.processedTokens = processedTokens;
  }

  #take(): LlamaItem | undefined {
    if (this.#waiting === undefined) return undefined;
    const { text, logprobs, processedTokens } = this.#waiting;
    this.#waiting = undefined;
    return {
      ...(text === "" ? {} : { text }),
      ...(logprobs.length === 0 ? {} : { logprobs }),
      ...(processedTokens === undefined ? {} : { processedTokens }),
      usage: this.#usage(),
    };
  }

  #settle(outcome: Outcome): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    this.sampler.dispose();
    this.#wake?.();
  }

  #usage() {
    return {
      promptTokens: this.prompt.length,
      cachedTokens: this.#cachedTokens,
      completionTokens: this.#completionTokens,
    };
  }

  #answer(finishReason: LlamaAnswer["finishReason"]): LlamaAnswer {
    const first = this.#firstTokenMs ?? performance.now();
    const generationMs = this.#firstTokenMs === undefined ? 0 : this.#lastTokenMs - first;
    return {
      finishReason,
      usage: this.#usage(),
      timings: {
        promptMs: first - this.#startedMs,
        generationMs,
        tokensPerSecond: generationMs > 0 ? this.#completionTokens / generationMs * 1000 : 0,
      },
    };
  }
}

/**
 * The first text goes at once; what a fast model writes after it goes some 30 times a second, which looks as smooth, and
 * the texts of all calls go together: each on its way costs every process what a small model's token costs the engine.
 */
const textEveryMs = 33;

function nextTickMs(): number {
  return (Math.floor(performance.now() / textEveryMs) + 1) * textEveryMs;
}
