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
  /** Those that wait for what runs. wllama has such a line too, but nothing can go first in it. */
  readonly #line: Act[] = [];
  readonly #running = new Set<Act>();
  /** Why the engine is gone; every call then fails with it. */
  #broken: AppError | undefined;

  constructor(wllama: Wllama) {
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

  /** `isShort`: the request's prompt is read, so that its steps are a token each. */
  async poll(requestId: number, isShort = false): Promise<StepResult> {
    try {
      const result = await this.#act<{ data_json: string; is_error: boolean; has_more: boolean }>(
        "get_result",
        { _name: "gres_req", req_id: requestId },
        { isShort },
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
    { goesFirst = false, isShort = false, began = () => {} }: ActOptions = {},
  ): Promise<Result> {
    if (this.#broken !== undefined) throw this.#broken;
    try {
      return await new Promise<unknown>((resolve, reject) => {
        this.#line[goesFirst ? "unshift" : "push"]({ name, body, isShort, began, resolve, reject });
        this.#startNext();
      }) as Result;
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      if (message.startsWith(refusal)) throw new AppError("INVALID_INPUT", message, { cause });
      this.#broken ??= new AppError("UNAVAILABLE", `The engine failed: ${message}`, { cause });
      throw this.#broken;
    }
  }

  /**
   * One at a time, so that a cancel comes before the next step. Where all steps are short the next is handed over while
   * one runs: the engine would wait for it as long as a thread takes to wake.
   */
  #startNext(): void {
    const areShort = [...this.#running, ...this.#line].every(({ isShort }) => isShort);
    while (this.#line.length > 0 && this.#running.size < (areShort ? 2 : 1)) {
      const act = this.#line.shift()!;
      this.#running.add(act);
      act.began();
      this.#proxy.wllamaAction(act.name, act.body).then(act.resolve, act.reject).finally(() => {
        this.#running.delete(act);
        this.#startNext();
      });
    }
  }

  /** Whether the engine has died and the model must be loaded anew. */
  get isBroken(): boolean {
    return this.#broken !== undefined;
  }
}

/** A template is rendered in milliseconds, of a long chat on a slow core too. */
const templateLimitMs = 10_000;

const unprintable = JSON.stringify({ choices: [{ text: "\ufffd" }] });

interface ActOptions {
  goesFirst?: boolean;
  isShort?: boolean;
  began?(): void;
}

interface Act extends Required<Omit<ActOptions, "goesFirst">> {
  name: string;
  body: Record<string, unknown>;
  resolve(result: unknown): void;
  reject(reason: unknown): void;
}

/** wllama 3.8.1's `ProxyToWorker`, as far as it is used; private there. */
interface WllamaProxy {
  wllamaAction(name: string, body: Record<string, unknown>): Promise<unknown>;
  abort(text: string, stack: string): void;
}
