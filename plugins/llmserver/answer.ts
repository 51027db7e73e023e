// One call's answers, from the model's place in memory to the last piece; what llm.chat and llm.complete share.

import { PluginError } from "@bkg/plugin";
import { type Arrival, runAtOnce } from "./at_once.ts";
import { type Message, plainChat } from "./chat.ts";
import type { Models } from "./models.ts";
import { QueueNews } from "./queue_news.ts";
import { chooseSampling, type SamplingInput } from "./sampling.ts";
import type {
  Call,
  Completion,
  Context,
  GenerateOptions,
  LoadedModel,
  Piece,
  TokenLogprob,
} from "./settings.ts";

export type AnswerInput =
  & { model: string; n?: number; keepAliveMs?: number }
  & SamplingInput
  & ({ prompt: string } | { messages: Message[] });

/** One of the stream. */
export interface AnswerItem {
  delta: string;
  /** Which of the answers it continues; absent: the first. */
  index?: number;
  logprobs?: readonly TokenLogprob[];
  /** While the call waits for the engine; 1 is next. */
  queue?: { position: number };
}

/** The result of `llm.chat` and `llm.complete`. */
export interface Answer {
  /** Its own id, however it was asked for. */
  model: string;
  /** Of the first choice, and so is `finishReason`. */
  text: string;
  finishReason: Choice["finishReason"];
  choices: Choice[];
  /** Of all choices; the prompt is counted once. */
  usage: Completion["usage"];
  timings: Completion["timings"];
  /** Tokens of the prompt that were left out. */
  truncatedTokens?: number;
  backend: string;
  threads: number;
}

export interface Choice {
  index: number;
  text: string;
  finishReason: "stop" | "length";
  /** Absent where they are too many for one result: the items have them all. */
  logprobs?: readonly TokenLogprob[];
}

/** What is counted of a call. */
export interface Meter {
  /** On each sign of life of the engine. */
  alive(): void;
  /** How many answers of this call wait for the engine now. */
  waiting(model: string, count: number): void;
  /** Once, also for answers that were cut short. */
  used(model: string, usage: Answer["usage"], tokensPerSecond: number): void;
}

export async function* answer(
  { writers }: Models,
  input: AnswerInput,
  { call, meter, ctx }: { call: Call; meter: Meter; ctx: Context },
): AsyncGenerator<AnswerItem, Answer> {
  const { signal } = call;
  const { n = 1, keepAliveMs } = input;
  try {
    const { alive } = meter;
    const lease = await writers.acquire(input.model, {
      signal,
      alive,
      ...(keepAliveMs === undefined ? {} : { keepAliveMs }),
    });
    const { id, model } = lease;
    const queue = new QueueNews(n, (count) => meter.waiting(id, count));
    const ending = new AbortController();
    const either = AbortSignal.any([signal, ending.signal]);
    try {
      const begun = Array.from({ length: n }, (): Begun => ({ text: "", logprobs: [] }));
      const streams = begun.map((_, index) =>
        start(model, input, { index, signal: either, call, queue, meter, ctx })
      );
      const atOnce = runAtOnce<Piece, Completion, number>(streams, {
        listen: (tell) => queue.listen(tell),
        stop: () => ending.abort(),
      });
      for await (const arrival of atOnce) {
        const item = take(arrival, begun);
        if (arrival.kind !== "news") queue.answered(arrival.index);
        if (item !== undefined) yield item;
      }
      const whole = begun.map(({ completion }) => completion!);
      const total = { usage: totalUsage(whole), timings: totalTimings(whole) };
      meter.used(id, total.usage, total.timings.tokensPerSecond);
      const choices = begun.map((one, index) => toChoice(one, index, input));
      const { text, finishReason } = choices[0]!;
      const { truncatedTokens } = whole[0]!;
      const { backend, threads } = model.info();
      return {
        ...{ model: id, text, finishReason, choices, ...total },
        ...(truncatedTokens === undefined ? {} : { truncatedTokens }),
        ...{ backend, threads },
      };
    } finally {
      queue.end();
      lease.release();
    }
  } catch (error) {
    throw signal.aborted ? cancelled() : error;
  }
}

/** An answer so far. */
interface Begun {
  text: string;
  logprobs: TokenLogprob[];
  completion?: Completion;
}

/** Notes what arrived; the item to stream, if it is one. */
function take(
  arrival: Arrival<Piece, Completion, number>,
  begun: readonly Begun[],
): AnswerItem | undefined {
  if (arrival.kind === "news") return { delta: "", queue: { position: arrival.news } };
  const { index } = arrival;
  const one = begun[index]!;
  if (arrival.kind === "end") {
    one.completion = arrival.result;
    return undefined;
  }
  const { text, logprobs } = arrival.item;
  one.text += text;
  if (logprobs !== undefined) one.logprobs.push(...logprobs);
  return {
    delta: text,
    ...(index === 0 ? {} : { index }),
    ...(logprobs === undefined ? {} : { logprobs }),
  };
}

function start(
  model: LoadedModel,
  input: AnswerInput,
  { index, signal, call: { principal }, queue, meter, ctx }: {
    index: number;
    signal: AbortSignal;
    call: Call;
    queue: QueueNews;
    meter: Meter;
    ctx: Context;
  },
): AsyncGenerator<Piece, Completion> {
  const options: GenerateOptions = {
    ...chooseSampling(input, ctx.settings, index),
    principal,
    signal,
    progress({ promptTokens, queuePosition }) {
      meter.alive();
      if (queuePosition !== undefined) queue.moved(index, queuePosition);
      else if (promptTokens !== undefined) queue.moved(index, undefined);
    },
  };
  if ("prompt" in input) return model.complete(input.prompt, options);
  if (model.info().hasChatTemplate) return model.chat(input.messages, options);
  const { prompt, stop } = plainChat(input.messages);
  return model.complete(prompt, { ...options, stop: [...options.stop ?? [], ...stop] });
}

function toChoice(
  { text, logprobs, completion }: Begun,
  index: number,
  input: AnswerInput,
): Choice {
  const { finishReason } = completion!;
  if (finishReason === "cancelled") throw cancelled();
  const { n = 1, topLogprobs } = input;
  const tells = topLogprobs !== undefined && logprobs.length * (topLogprobs + 1) * n <= maxLogprobs;
  return { index, text, finishReason, ...(tells ? { logprobs } : {}) };
}

function totalUsage(completions: readonly Completion[]): Answer["usage"] {
  const [{ usage: { promptTokens, cachedTokens } }] = completions as [Completion];
  const completionTokens = completions.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
  return { promptTokens, cachedTokens, completionTokens };
}

/** Of answers made at once: as long as the longest, as fast as all together. */
function totalTimings(completions: readonly Completion[]): Answer["timings"] {
  const all = completions.map(({ timings }) => timings);
  const [first] = all as [Answer["timings"]];
  if (all.length === 1) return first;
  const generationMs = Math.max(...all.map((timings) => timings.generationMs));
  const tokens = totalUsage(completions).completionTokens;
  const tokensPerSecond = generationMs > 0 ? tokens * 1000 / generationMs : 0;
  return { promptMs: first.promptMs, generationMs, tokensPerSecond };
}

function cancelled(): PluginError {
  return new PluginError("CANCELLED", "The call was cancelled");
}

/** A host takes so much in one result. */
const maxLogprobs = 8000;
