// A loaded model: admits calls to its slots, drives each one step by step, and keeps principals apart.

import type { Wllama } from "@wllama/wllama";
import { AppError } from "../../contract/error.ts";
import type { Completion, GenerateOptions, Piece, WllamaInfo, WllamaModel } from "./interface.ts";
import { embedText } from "./embed.ts";
import { EngineLink, type StepResult } from "./link.ts";
import { parseError, parseStep, requestBody, type Step, toCompletion } from "./request.ts";
import { Slots } from "./slots.ts";
import { StopStrings } from "./stop_strings.ts";

export function createModel(
  { wllama, info, use, lastError, release }: {
    wllama: Wllama;
    info: WllamaInfo;
    use: "text" | "vectors";
    lastError: () => string | undefined;
    release: () => void;
  },
): WllamaModel {
  const link = new EngineLink(wllama, lastError);
  const slots = new Slots(info.parallel);
  const caches = new CacheOwner();
  let unloaded: Promise<void> | undefined;
  const call = { link, slots, caches };
  const requireUse = (wanted: typeof use) => {
    if (wanted === use) return;
    throw new AppError("UNSUPPORTED_FEATURE", `The model was loaded for ${use}, not for ${wanted}`);
  };
  return {
    info: () => ({ ...info }),
    get isBroken() {
      return link.isBroken;
    },
    complete: (prompt, options) => {
      requireUse("text");
      return generate(call, { prompt }, options);
    },
    chat: (messages, options) => {
      requireUse("text");
      return generate(call, { messages }, options);
    },
    async embed(text, options = {}) {
      requireUse("vectors");
      return await embedText(call, text, { ...options, maxTokens: info.contextLength });
    },
    unload() {
      unloaded ??= (async () => {
        const reason = new AppError("UNAVAILABLE", "The model was unloaded");
        slots.close(reason);
        link.close(reason);
        await wllama.exit();
        release();
      })();
      return unloaded;
    },
  };
}

/**
 * Whether a call may start from what earlier ones left in the engine's caches. llama.cpp picks the best match
 * among all of them, and wllama offers no way to name a slot: so once a second principal has called, nobody
 * may until the model is loaded anew. A fast first token would tell one what another has asked.
 */
class CacheOwner {
  #owner: string | undefined;
  #shared = false;

  mayReuse(principal: string): boolean {
    this.#owner ??= principal;
    this.#shared ||= this.#owner !== principal;
    return !this.#shared;
  }
}

interface CallDeps {
  link: EngineLink;
  slots: Slots;
  caches: CacheOwner;
}

async function* generate(
  { link, slots, caches }: CallDeps,
  input: Parameters<typeof requestBody>[0],
  options: GenerateOptions,
): AsyncGenerator<Piece, Completion> {
  const { signal, principal } = options;
  try {
    await slots.take(signal, () => options.progress?.({}));
  } catch (error) {
    if (signal?.aborted) return toCompletion("cancelled", undefined, undefined);
    throw error;
  }
  const request = new Request(link, () => slots.alive());
  try {
    await request.submit(requestBody(input, options, caches.mayReuse(principal)), input);
    return yield* follow(request, options);
  } finally {
    await request.end();
    slots.release();
  }
}

async function* follow(
  request: Request,
  { signal, stop = [], progress }: GenerateOptions,
): AsyncGenerator<Piece, Completion> {
  const stops = stop.length > 0 ? new StopStrings(stop) : undefined;
  let timings: Step["timings"];
  let prompt: Step["progress"];
  while (true) {
    if (signal?.aborted) return toCompletion("cancelled", timings, prompt);
    const step = await request.next();
    if (signal?.aborted) return toCompletion("cancelled", timings, prompt);
    timings = step?.timings ?? timings;
    if (step?.progress !== undefined) {
      prompt = step.progress;
      progress?.({ promptTokens: prompt.total, processedTokens: prompt.processed });
    } else progress?.({});
    if (step === undefined) {
      if (request.done) return toCompletion("stop", timings, prompt);
      continue;
    }
    if (stops === undefined) {
      if (step.text !== "") yield { text: step.text };
    } else {
      const { text, stopped } = stops.push(step.text);
      if (text !== "") yield { text };
      if (stopped) return toCompletion("stop", timings, prompt);
    }
    if (step.finishReason !== undefined) {
      const rest = stops?.flush() ?? "";
      if (rest !== "") yield { text: rest };
      return toCompletion(step.finishReason, timings, prompt);
    }
  }
}

/** One request in the engine. */
class Request {
  readonly #link: EngineLink;
  readonly #alive: () => void;
  readonly #polls: Promise<StepResult>[] = [];
  #id: number | undefined;
  #ahead = 1;
  done = false;

  constructor(link: EngineLink, alive: () => void) {
    this.#link = link;
    this.#alive = alive;
  }

  async submit(body: Record<string, unknown>, input: object): Promise<void> {
    const isChat = "messages" in input;
    try {
      this.#id = await this.#link.submit(body, isChat);
    } catch (cause) {
      if (!isChat || !(cause instanceof AppError) || cause.code !== "INVALID_INPUT") throw cause;
      throw new AppError(
        "INVALID_INPUT",
        "The model's chat template refuses these messages: check the order of the roles",
        { details: { field: "messages" }, cause },
      );
    }
  }

  /** The next result; undefined when a step of the engine brought none. */
  async next(): Promise<Step | undefined> {
    while (this.#polls.length < this.#ahead) this.#poll();
    const result = await this.#polls.shift()!;
    this.#alive();
    this.done = !result.hasMore;
    if (result.isError) throw parseError(result.json);
    const step = parseStep(result.json);
    // Two steps are asked for at once, so that the engine never waits for us between tokens. Not while it
    // reads the prompt: there a step is long, and a cancelled call must not wait for two.
    if (step !== undefined && step.progress === undefined) this.#ahead = 2;
    return step;
  }

  /** Frees the engine's slot. */
  async end(): Promise<void> {
    if (this.#id !== undefined && !this.done) await this.#link.cancel(this.#id);
    this.done = true;
  }

  #poll(): void {
    const poll = this.#link.poll(this.#id!);
    // Answered late, nobody may be listening any more.
    poll.catch(() => {});
    this.#polls.push(poll);
  }
}
