// A model that runs in the cell's main: admits calls to its slots, renders chats, and hands the answers on.

import { AppError } from "../../contract/error.ts";
import type {
  LlamaAnswer,
  LlamaEmbed,
  LlamaGenerate,
  LlamaItem,
  LlamaUsage,
  LlamaVectors,
} from "../../contract/native_llama.ts";
import type { NativeHost } from "../engine.ts";
import type { ChatTemplate } from "./chat_template.ts";
import type { Completion, GenerateOptions, Piece, WllamaInfo, WllamaModel } from "./interface.ts";
import { type PromptInput, Shortening } from "./shorten.ts";
import { Slots } from "./slots.ts";

export interface NativeModelDeps {
  native: NativeHost;
  info: WllamaInfo;
  use: "text" | "vectors";
  /** Its number in the cell's main. */
  model: number;
  template: ChatTemplate;
  release: () => void;
}

export function createNativeModel(deps: NativeModelDeps): WllamaModel {
  const { native, info, use, model, template, release } = deps;
  const slots = new Slots(use === "vectors" ? vectorsAhead : info.parallel);
  let broken = false;
  let unloaded: Promise<void> | undefined;
  const watch = (error: unknown) => {
    broken ||= error instanceof AppError && error.code === "UNAVAILABLE";
  };
  const requireUse = (wanted: typeof use) => {
    if (wanted === use) return;
    throw new AppError("UNSUPPORTED_FEATURE", `The model was loaded for ${use}, not for ${wanted}`);
  };
  const start = (input: PromptInput, options: GenerateOptions) => {
    requireUse("text");
    return generate({ ...deps, slots, watch }, input, options);
  };
  return {
    info: () => ({ ...info }),
    get isBroken() {
      return broken;
    },
    complete: (prompt, options) => start({ prompt }, options),
    chat: (messages, options) => start({ messages }, options),
    async embed(text, { signal, progress } = {}) {
      requireUse("vectors");
      const cancelled = () => new AppError("CANCELLED", "The call was cancelled");
      await slots.take({ principal: "", signal, alive: () => progress?.() }).catch((error) => {
        throw signal?.aborted ? cancelled() : error;
      });
      try {
        const input: LlamaEmbed = { model, texts: [text] };
        const { vectors, promptTokens: [promptTokens = 0], truncated: [truncated = false] } =
          await native.call(
            "llama.embed",
            input,
            signal === undefined ? {} : { signal },
          ) as LlamaVectors;
        progress?.();
        slots.alive();
        return { vector: vectors, promptTokens, truncated };
      } catch (error) {
        if (signal?.aborted) throw cancelled();
        watch(error);
        throw error;
      } finally {
        slots.release();
      }
    },
    unload() {
      unloaded ??= (async () => {
        slots.close(new AppError("UNAVAILABLE", "The model was unloaded"));
        template.close();
        await native.call("llama.unload", { model });
        release();
      })();
      return unloaded;
    },
  };
}

/** One text is on its way while the one before it is read. */
const vectorsAhead = 2;

interface CallDeps extends NativeModelDeps {
  slots: Slots;
  /** Told of errors that end a call. */
  watch(error: unknown): void;
}

async function* generate(
  deps: CallDeps,
  input: PromptInput,
  options: GenerateOptions,
): AsyncGenerator<Piece, Completion> {
  const { slots, template, info, watch } = deps;
  const { signal, principal, progress } = options;
  const shortening = new Shortening(input, options, info.contextLength);
  try {
    await slots.take({
      principal,
      signal,
      alive: () => progress?.({}),
      moved: (queuePosition) => progress?.({ queuePosition }),
    });
  } catch (error) {
    if (signal?.aborted) return cancelled();
    throw error;
  }
  try {
    while (true) {
      const prompt = await renderPrompt(template, shortening.input);
      try {
        const answer = yield* follow(deps, prompt, options);
        const truncatedTokens = shortening.truncatedTokens(answer.usage.promptTokens);
        return { ...answer, ...(truncatedTokens === undefined ? {} : { truncatedTokens }) };
      } catch (error) {
        if (!shortening.refused(error)) throw error;
      }
    }
  } catch (error) {
    if (signal?.aborted) return cancelled();
    watch(error);
    throw error;
  } finally {
    slots.release();
  }
}

function renderPrompt(template: ChatTemplate, input: PromptInput): string | Promise<string> {
  return "prompt" in input ? input.prompt : template.render(input.messages);
}

async function* follow(
  { native, slots, model }: CallDeps,
  prompt: string,
  { signal, progress, overflow: _, stop = [], ...options }: GenerateOptions,
): AsyncGenerator<Piece, LlamaAnswer> {
  let usage: LlamaUsage | undefined;
  const input: LlamaGenerate = { ...options, model, prompt, stop };
  const stream = native.stream("llama.generate", input, signal === undefined ? {} : { signal });
  try {
    while (true) {
      const { done, value } = await stream.next();
      if (done) return value as LlamaAnswer;
      const item = value as LlamaItem;
      usage = item.usage;
      slots.alive();
      const { processedTokens } = item;
      progress?.(
        processedTokens === undefined ? {} : { promptTokens: usage.promptTokens, processedTokens },
      );
      const { text = "", logprobs } = item;
      if (text !== "") yield { text, ...(logprobs === undefined ? {} : { logprobs }) };
    }
  } catch (error) {
    if (signal?.aborted) return cancelled(usage);
    throw error;
  } finally {
    await stream.return(undefined);
  }
}

function cancelled(usage?: LlamaUsage): LlamaAnswer {
  return {
    finishReason: "cancelled",
    usage: usage ?? { promptTokens: 0, cachedTokens: 0, completionTokens: 0 },
    timings: { promptMs: 0, generationMs: 0, tokensPerSecond: 0 },
  };
}
