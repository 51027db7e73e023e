// One answer, from the model's place in memory to the last piece; what both capabilities share.

import { PluginError } from "@bkg/plugin";
import { type Message, plainChat } from "./chat.ts";
import { Residency } from "./residency.ts";
import { chooseSampling, type SamplingInput } from "./sampling.ts";
import type { Call, Context, GenerateOptions, LoadedModel } from "./settings.ts";

export type AnswerInput =
  & { model: string }
  & SamplingInput
  & ({ prompt: string } | { messages: Message[] });

/** The result of `llm.chat` and `llm.complete`. */
export interface Answer {
  model: string;
  text: string;
  finishReason: "stop" | "length";
  usage: { promptTokens: number; cachedTokens: number; completionTokens: number };
  timings: { promptMs: number; generationMs: number; tokensPerSecond: number };
  backend: string;
  threads: number;
}

/** The plugin's state. */
export class Answering {
  readonly #ctx: Context;
  readonly #residency: Residency;
  readonly #totals = { tokens_prompt: 0, tokens_cached: 0, tokens_generated: 0 };
  #active = 0;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#residency = new Residency(ctx);
  }

  async *answer(input: AnswerInput, call: Call): AsyncGenerator<{ delta: string }, Answer> {
    const { signal, principal } = call;
    const alive = atMostEvery(1000, call.alive);
    this.#countCall(1);
    try {
      const lease = await this.#residency.acquire(input.model, { signal, alive });
      try {
        const { model } = lease;
        const options = {
          ...chooseSampling(input, this.#ctx.settings),
          principal,
          signal,
          progress: alive,
        };
        const stream = start(model, input, options);
        let text = "";
        let step = await stream.next();
        try {
          while (!step.done) {
            text += step.value.text;
            yield { delta: step.value.text };
            step = await stream.next();
          }
        } finally {
          // Whoever stops listening frees the engine's slot.
          if (!step.done) await stream.return(undefined as never);
        }
        const { finishReason, usage, timings } = step.value;
        this.#countTokens(usage, timings.tokensPerSecond);
        if (finishReason === "cancelled") throw cancelled();
        const { backend, threads } = model.info();
        return { model: input.model, text, finishReason, usage, timings, backend, threads };
      } finally {
        lease.release();
      }
    } catch (error) {
      throw signal.aborted ? cancelled() : error;
    } finally {
      this.#countCall(-1);
    }
  }

  health(): { modelsLoaded: number; callsActive: number } {
    return { modelsLoaded: this.#residency.size, callsActive: this.#active };
  }

  close(): Promise<void> {
    return this.#residency.close();
  }

  #countCall(change: number): void {
    this.#active += change;
    this.#ctx.metric("calls_active", this.#active);
  }

  #countTokens(usage: Answer["usage"], tokensPerSecond: number): void {
    this.#totals.tokens_prompt += usage.promptTokens;
    this.#totals.tokens_cached += usage.cachedTokens;
    this.#totals.tokens_generated += usage.completionTokens;
    for (const [name, total] of Object.entries(this.#totals)) this.#ctx.metric(name, total);
    this.#ctx.metric("tokens_per_second", tokensPerSecond);
  }
}

function start(model: LoadedModel, input: AnswerInput, options: GenerateOptions) {
  if ("prompt" in input) return model.complete(input.prompt, options);
  if (model.info().hasChatTemplate) return model.chat(input.messages, options);
  const { prompt, stop } = plainChat(input.messages);
  return model.complete(prompt, { ...options, stop: [...options.stop ?? [], ...stop] });
}

function cancelled(): PluginError {
  return new PluginError("CANCELLED", "The call was cancelled");
}

function atMostEvery(ms: number, action: () => void): () => void {
  let last = -Infinity;
  return () => {
    const now = performance.now();
    if (now - last < ms) return;
    last = now;
    action();
  };
}
