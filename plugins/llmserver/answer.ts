// One answer, from the model's place in memory to the last piece; what llm.chat and llm.complete share.

import { PluginError } from "@bkg/plugin";
import { type Message, plainChat } from "./chat.ts";
import type { Models } from "./models.ts";
import { chooseSampling, type SamplingInput } from "./sampling.ts";
import type { Call, Context, GenerateOptions, LoadedModel } from "./settings.ts";

export type AnswerInput =
  & { model: string }
  & SamplingInput
  & ({ prompt: string } | { messages: Message[] });

/** The result of `llm.chat` and `llm.complete`. */
export interface Answer {
  /** Its own id, however it was asked for. */
  model: string;
  text: string;
  finishReason: "stop" | "length";
  usage: { promptTokens: number; cachedTokens: number; completionTokens: number };
  timings: { promptMs: number; generationMs: number; tokensPerSecond: number };
  backend: string;
  threads: number;
}

/** `alive` is called on each sign of life of the engine, `used` once, also for an answer that was cut short. */
export async function* answer(
  { writers }: Models,
  input: AnswerInput,
  { call, alive, used, ctx }: {
    call: Call;
    alive: () => void;
    used: (usage: Answer["usage"], tokensPerSecond: number) => void;
    ctx: Context;
  },
): AsyncGenerator<{ delta: string }, Answer> {
  const { signal, principal } = call;
  try {
    const lease = await writers.acquire(input.model, { signal, alive });
    try {
      const { id, model } = lease;
      const sampling = chooseSampling(input, ctx.settings);
      const stream = start(model, input, { ...sampling, principal, signal, progress: alive });
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
      used(usage, timings.tokensPerSecond);
      if (finishReason === "cancelled") throw cancelled();
      const { backend, threads } = model.info();
      return { model: id, text, finishReason, usage, timings, backend, threads };
    } finally {
      lease.release();
    }
  } catch (error) {
    throw signal.aborted ? cancelled() : error;
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
