// A loaded model: admits calls to its slots, drives each one step by step, and keeps principals apart.

import type { Wllama } from "@wllama/wllama";
import { AppError } from "../../contract/error.ts";
import type {
  Completion,
  GenerateOptions,
  Piece,
  TokenLogprob,
  WllamaInfo,
  WllamaModel,
} from "./interface.ts";
import { embedText } from "./embed.ts";
import { EngineLink, type StepResult } from "./link.ts";
import { parseError, parseStep, requestBody, type Step, toCompletion } from "./request.ts";
import { type PromptInput, Shortening } from "./shorten.ts";
import { Slots } from "./slots.ts";
import { StopStrings } from "./stop_strings.ts";
import { TokenTape } from "./token_tape.ts";

export function createModel(
  { wllama, info, use, lost, release }: {
    wllama: Wllama;
    info: WllamaInfo;
    use: "text" | "vectors";
    /** Fires with an AppError when what the model runs on is gone. */
    lost: AbortSignal;
    release: () => void;
  },
): WllamaModel {
  const link = new EngineLink(wllama);
  const slots = new Slots(info.parallel);
  const caches = new CacheOwner();
  let unloaded: Promise<void> | undefined;
  const end = (reason: AppError) => {
    slots.close(reason);
    link.close(reason);
  };
  lost.addEventListener("abort", () => end(lost.reason), { once: true });
  const call = { link, slots, caches, contextLength: info.contextLength };
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
        end(new AppError("UNAVAILABLE", "The model was unloaded"));
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
  contextLength: number;
}

async function* generate(
  { link, slots, caches, contextLength }: CallDeps,
  input: PromptInput,
  options: GenerateOptions,
): AsyncGenerator<Piece, Completion> {
  const { signal, principal, progress } = options;
  const shortening = new Shortening(input, options, contextLength);
  try {
    await slots.take({
      principal,
      signal,
      alive: () => progress?.({}),
      moved: (queuePosition) => progress?.({ queuePosition }),
    });
  } catch (error) {
    if (signal?.aborted) return toCompletion("cancelled", undefined, undefined);
    throw error;
  }
  try {
    while (true) {
      const request = new Request(link, () => slots.alive());
      try {
        const { input } = shortening;
        await request.submit(requestBody(input, options, caches.mayReuse(principal)), input);
        const completion = yield* follow(request, options);
        const truncatedTokens = shortening.truncatedTokens(completion.usage.promptTokens);
        return { ...completion, ...(truncatedTokens === undefined ? {} : { truncatedTokens }) };
      } catch (error) {
        if (signal?.aborted || !shortening.refused(error)) throw error;
      } finally {
        await request.end();
      }
    }
  } finally {
    slots.release();
  }
}

async function* follow(
  request: Request,
  { signal, stop = [], topLogprobs, progress }: GenerateOptions,
): AsyncGenerator<Piece, Completion> {
  const stops = stop.length > 0 ? new StopStrings(stop) : undefined;
  const tape = topLogprobs === undefined ? undefined : new TokenTape<TokenLogprob>();
  const toPiece = (text: string): Piece => {
    if (tape === undefined) return { text };
    const logprobs = tape.take(text.length);
    return { text, logprobs: logprobs.map((token) => withTop(token, topLogprobs ?? 0)) };
  };
  let timings: Step["timings"];
  let prompt: Step["progress"];
  while (true) {
    if (signal?.aborted) return toCompletion("cancelled", timings, prompt);
    const step = await unlessAborted(request.next(), signal);
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
    tape?.add(step.text, step.logprobs);
    if (stops === undefined) {
      if (step.text !== "") yield toPiece(step.text);
    } else {
      const { text, stopped } = stops.push(step.text);
      if (text !== "") yield toPiece(text);
      if (stopped) return toCompletion("stop", timings, prompt);
    }
    if (step.finishReason !== undefined) {
      const rest = stops?.flush() ?? "";
      if (rest !== "") yield toPiece(rest);
      return toCompletion(step.finishReason, timings, prompt);
    }
  }
}

/** Undefined once `signal` has fired: nobody waits for a step that nobody wants. */
function unlessAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal | undefined,
): Promise<Value | undefined> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const leave = () => resolve(undefined);
    signal.addEventListener("abort", leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}

/** The engine tells of one at least. */
function withTop(token: TokenLogprob, count: number): TokenLogprob {
  return { ...token, top: token.top.slice(0, count) };
}

function unprintableTokens(): AppError {
  return new AppError(
    "UNSUPPORTED_FEATURE",
    "This engine cannot tell log probabilities where a token is a part of a character: ask without them, or with native",
    { details: { field: "topLogprobs" } },
  );
}

/** One request in the engine. */
class Request {
  readonly #link: EngineLink;
  readonly #alive: () => void;
  readonly #polls: Promise<StepResult>[] = [];
  #id: number | undefined;
  #tellsTokens = false;
  #ahead = 1;
  done = false;

  constructor(link: EngineLink, alive: () => void) {
    this.#link = link;
    this.#alive = alive;
  }

  async submit(body: Record<string, unknown>, input: object): Promise<void> {
    const isChat = "messages" in input;
    this.#tellsTokens = "n_probs" in body;
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
    // Of the tokens it tells of, likely ones too; with them the text is lost, which may have been whole.
    if (result.isUnprintable && this.#tellsTokens) throw unprintableTokens();
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
    const poll = this.#link.poll(this.#id!, this.#ahead > 1);
    // Answered late, nobody may be listening any more.
    poll.catch(() => {});
    this.#polls.push(poll);
  }
}
