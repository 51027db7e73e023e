// The way to llama.cpp below wllama's public calls: requests are submitted, their results polled.
// A poll runs one step of the engine for all requests and answers one result of its own request.

import type { Wllama } from "@wllama/wllama";
import { AppError } from "../../contract/error.ts";
import { refusal } from "./worker_code.ts";

/** One result of a request; `json` is empty when the step brought none. */
export interface StepResult {
  json: string;
  isError: boolean;
  hasMore: boolean;
  /** What the step brought is lost: it had bytes that are no text. */
  isUnprintable?: boolean;
}

export class EngineLink {
  readonly #proxy: WllamaProxy;
  readonly #wllama: Wllama;
  /** Those that wait for the one that runs. wllama has such a line too, but nothing can go first in it. */
  readonly #line: Act[] = [];
  #isActing = false;
  readonly #lastError: () => string | undefined;
  /** Why the engine is gone; every call then fails with it. */
  #broken: AppError | undefined;

  /** `lastError` is what the engine's log said last. */
  constructor(wllama: Wllama, lastError: () => string | undefined) {
    this.#lastError = lastError;
    this.#wllama = wllama;
    const { proxy } = wllama as unknown as { proxy: WllamaProxy };
    if (typeof proxy?.wllamaAction !== "function") {
      throw new AppError("INTERNAL", "This version of wllama has a link that bkg does not know");
    }
    this.#proxy = proxy;
  }

  /**
   * Hands a request to the engine; answers its id, or throws INVALID_INPUT when the engine refuses it. A chat's template
   * is rendered meanwhile: one that does not end is INVALID_MODEL, and ends this engine.
   */
  async submit(body: Record<string, unknown>, isChat: boolean): Promise<number> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const watch = () => timer = setTimeout(() => this.#endLoop(), templateLimitMs);
    try {
      const { req_id } = await this.#act<{ req_id: number }>("completion", {
        _name: "cmpl_req",
        is_chat: isChat,
        data_json: JSON.stringify(body),
        files: [],
      }, isChat ? { began: watch } : {});
      return req_id;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The same for the embedding of one text. */
  async submitEmbedding(input: string): Promise<number> {
    const { req_id } = await this.#act<{ req_id: number }>("embedding", {
      _name: "embd_req",
      data_json: JSON.stringify({ input }),
      files: [],
    });
    return req_id;
  }

  async poll(requestId: number): Promise<StepResult> {
    try {
      const result = await this.#act<{ data_json: string; is_error: boolean; has_more: boolean }>(
        "get_result",
        { _name: "gres_req", req_id: requestId },
      );
      return { json: result.data_json, isError: result.is_error, hasMore: result.has_more };
    } catch (error) {
      // Bytes that are no UTF-8 cannot become its JSON; the request itself goes on.
      if (!(error instanceof AppError) || !error.message.includes("invalid UTF-8")) throw error;
      return { json: unprintable, isError: false, hasMore: true, isUnprintable: true };
    }
  }

  /** Frees the request's slot, before any other step is made; a finished request is left alone. */
  async cancel(requestId: number): Promise<void> {
    if (this.#broken !== undefined) return;
    const body = { _name: "cncl_req", req_id: requestId };
    await this.#act("cancel", body, { goesFirst: true }).catch(() => {});
  }

  /** Fails whatever waits for the engine, which is being ended. */
  close(reason: AppError): void {
    this.#broken ??= reason;
    for (const { reject } of this.#line.splice(0)) reject(reason);
    this.#proxy.abort("unloaded", "");
  }

  #endLoop(): void {
    this.close(
      new AppError(
        "INVALID_MODEL",
        `The model's chat template did not end within ${templateLimitMs / 1000} s`,
        { details: { part: "chat template", limitMs: templateLimitMs } },
      ),
    );
    // Only that ends a loop in WebAssembly.
    void this.#wllama.exit();
  }

  async #act<Result>(
    name: string,
    body: Record<string, unknown>,
    { goesFirst = false, began = () => {} }: { goesFirst?: boolean; began?: () => void } = {},
  ): Promise<Result> {
    if (this.#broken !== undefined) throw this.#broken;
    try {
      return await new Promise<unknown>((resolve, reject) => {
        this.#line[goesFirst ? "unshift" : "push"]({ name, body, began, resolve, reject });
        if (!this.#isActing) void this.#actInTurn();
      }) as Result;
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      if (message === refusal) {
        const reason = this.#lastError();
        throw new AppError("INVALID_INPUT", reason ? `${refusal}: ${reason}` : refusal, { cause });
      }
      this.#broken ??= new AppError("UNAVAILABLE", `The engine failed: ${message}`, { cause });
      throw this.#broken;
    }
  }

  async #actInTurn(): Promise<void> {
    this.#isActing = true;
    for (let act = this.#line.shift(); act !== undefined; act = this.#line.shift()) {
      act.began();
      await this.#proxy.wllamaAction(act.name, act.body).then(act.resolve, act.reject);
    }
    this.#isActing = false;
  }

  /** Whether the engine has died and the model must be loaded anew. */
  get isBroken(): boolean {
    return this.#broken !== undefined;
  }
}

/** A template is rendered in milliseconds, of a long chat on a slow core too. */
const templateLimitMs = 10_000;

const unprintable = JSON.stringify({ choices: [{ text: "\ufffd" }] });

interface Act {
  name: string;
  body: Record<string, unknown>;
  began(): void;
  resolve(result: unknown): void;
  reject(reason: unknown): void;
}

/** wllama 3.8.1's `ProxyToWorker`, as far as it is used; private there. */
interface WllamaProxy {
  wllamaAction(name: string, body: Record<string, unknown>): Promise<unknown>;
  abort(text: string, stack: string): void;
}
