// The plugin's state: its models, and what its calls have used.

import { type Answer, answer, type AnswerInput, type AnswerItem, type Meter } from "./answer.ts";
import { embed, type EmbedInput, type EmbedResult } from "./embed.ts";
import { listModels } from "./model_list.ts";
import { createModels, loadPinned, type Models, withModel } from "./models.ts";
import { Traffic } from "./traffic.ts";
import { rerank, type RerankInput, type RerankResult } from "./rerank.ts";
import type { Call, Context } from "./settings.ts";

export class LlmServer {
  readonly #ctx: Context;
  readonly #models: Models;
  readonly #totals: Totals = {
    tokens_prompt: 0,
    tokens_cached: 0,
    tokens_generated: 0,
    texts_encoded: 0,
  };
  readonly #ending = new AbortController();
  readonly #traffic = new Traffic();
  #active = 0;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#models = createModels(ctx);
    void loadPinned(ctx, this.#models, this.#ending.signal);
  }

  async *answer(input: AnswerInput, call: Call): AsyncGenerator<AnswerItem, Answer> {
    this.#countCall(1);
    try {
      const place = Symbol();
      const meter: Meter = {
        alive: atMostEvery(1000, call.alive),
        waiting: (model, count) => this.#traffic.waits(model, place, count),
        used: (model, usage, tokensPerSecond) => {
          this.#count({
            tokens_prompt: usage.promptTokens,
            tokens_cached: usage.cachedTokens,
            tokens_generated: usage.completionTokens,
          });
          this.#traffic.answered(model, tokensPerSecond);
          this.#ctx.metric("tokens_per_second", tokensPerSecond);
        },
      };
      return yield* answer(this.#models, input, { call, meter, ctx: this.#ctx });
    } finally {
      this.#countCall(-1);
    }
  }

  async embed(input: EmbedInput, call: Call): Promise<EmbedResult> {
    const result = await this.#encode(
      call,
      (steps) =>
        withModel(
          this.#models.embedders,
          input.model,
          steps,
          (model, id) => embed(model, { ...input, model: id }, steps),
        ),
    );
    this.#count({
      tokens_prompt: result.usage.promptTokens,
      texts_encoded: result.embeddings.length,
    });
    return result;
  }

  async rerank(input: RerankInput, call: Call): Promise<RerankResult> {
    const result = await this.#encode(
      call,
      (steps) =>
        withModel(
          this.#models.scorers,
          input.model,
          steps,
          (model, id) => rerank(model, { ...input, model: id }, steps),
        ),
    );
    this.#count({
      tokens_prompt: result.usage.promptTokens,
      texts_encoded: input.documents.length,
    });
    return result;
  }

  list() {
    return listModels(this.#ctx, {
      models: this.#models,
      traffic: this.#traffic,
      active: this.#active,
    });
  }

  health(): { modelsLoaded: number; callsActive: number } {
    return { modelsLoaded: this.#models.size, callsActive: this.#active };
  }

  close(): Promise<void> {
    this.#ending.abort();
    return this.#models.close();
  }

  async #encode<Result>({ signal, alive }: Call, work: (steps: Steps) => Promise<Result>) {
    const seldom = atMostEvery(1000, alive);
    this.#countCall(1);
    try {
      return await work({ signal, alive: seldom, progress: seldom });
    } finally {
      this.#countCall(-1);
    }
  }

  #countCall(change: number): void {
    this.#active += change;
    this.#ctx.metric("calls_active", this.#active);
  }

  #count(used: Partial<Totals>): void {
    for (const [name, count] of Object.entries(used)) {
      this.#ctx.metric(name, this.#totals[name as keyof Totals] += count);
    }
  }
}

type Totals = Record<
  "tokens_prompt" | "tokens_cached" | "tokens_generated" | "texts_encoded",
  number
>;

interface Steps {
  signal: AbortSignal;
  alive(): void;
  progress(): void;
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
