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
}

export class EngineLink {
  readonly #proxy: WllamaProxy;
  readonly #lastError: () => string | undefined;
  /** Why the engine is gone; every call then fails with it. */
  #broken: AppError | undefined;

  /** `lastError` is what the engine's log said last. */
  constructor(wllama: Wllama, lastError: () => string | undefined) {
    this.#lastError = lastError;
    const { proxy } = wllama as unknown as { proxy: WllamaProxy };
    if (typeof proxy?.wllamaAction !== "function") {
      throw new AppError("INTERNAL", "This version of wllama has a link that bkg does not know");
    }
    this.#proxy = proxy;
  }

  /** Hands a request to the engine; answers its id, or throws INVALID_INPUT when the engine refuses it. */
  async submit(body: Record<string, unknown>, isChat: boolean): Promise<number> {
    const { req_id } = await this.#act<{ req_id: number }>("completion", {
      _name: "cmpl_req",
      is_chat: isChat,
      data_json: JSON.stringify(body),
      files: [],
    });
    return req_id;
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
      return { json: unprintable, isError: false, hasMore: true };
    }
  }

  /** Frees the request's slot; a finished request is left alone. */
  async cancel(requestId: number): Promise<void> {
    if (this.#broken !== undefined) return;
    await this.#act("cancel", { _name: "cncl_req", req_id: requestId }).catch(() => {});
  }

  /** Fails whatever waits for the engine, which is being ended. */
  close(reason: AppError): void {
    this.#broken ??= reason;
    this.#proxy.abort("unloaded", "");
  }

  async #act<Result>(name: string, body: Record<string, unknown>): Promise<Result> {
    if (this.#broken !== undefined) throw this.#broken;
    try {
      return await this.#proxy.wllamaAction(name, body) as Result;
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

  /** Whether the engine has died and the model must be loaded anew. */
  get isBroken(): boolean {
    return this.#broken !== undefined;
  }
}

const unprintable = JSON.stringify({ choices: [{ text: "\ufffd" }] });

/** wllama 3.8.1's `ProxyToWorker`, as far as it is used; private there. */
interface WllamaProxy {
  wllamaAction(name: string, body: Record<string, unknown>): Promise<unknown>;
  abort(text: string, stack: string): void;
}
