// A model's chat template: messages become the prompt that the model was trained on, as llama.cpp's server makes it.
// For native models; in WebAssembly llama.cpp renders it itself.

import { AppError } from "../../contract/error.ts";
import type { RenderReply, RenderRequest } from "./chat_template_worker.ts";
import type { ChatMessage } from "./interface.ts";

export interface ChatTemplateDeps {
  /** The code of chat_template_worker.ts. */
  loadWorker(): Promise<ArrayBuffer>;
  /** Jinja; undefined where the model brings none: then ChatML, as llama.cpp does. */
  template: string | undefined;
  /** The texts of the first and the last token. */
  bos: string;
  eos: string;
  /** Milliseconds that it may take. Default 2000. */
  limitMs?: number;
}

export class ChatTemplate {
  readonly #deps: ChatTemplateDeps;
  #worker: Promise<Worker> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: ChatTemplateDeps) {
    this.#deps = deps;
  }

  /** Throws INVALID_INPUT where the template refuses the messages, INVALID_MODEL where it is none or does not end. */
  render(messages: readonly ChatMessage[]): Promise<string> {
    const isWhole = messages.every(({ role, content }) =>
      typeof role === "string" && typeof content === "string"
    );
    if (!isWhole) return Promise.reject(refused());
    const rendering = this.#last.then(() => this.#render(messages));
    this.#last = rendering.catch(() => {});
    return rendering;
  }

  close(): void {
    this.#worker?.then((worker) => worker.terminate(), () => {});
    this.#worker = undefined;
  }

  async #render(messages: readonly ChatMessage[]): Promise<string> {
    const { template = chatMl, bos, eos } = this.#deps;
    // An answer that was begun is gone on with.
    const last = messages.at(-1);
    const begun = last?.role === "assistant" ? last.content : undefined;
    const reply = await this.#ask({
      template,
      limitMs: this.#limitMs,
      variables: {
        messages: messages
          .slice(0, begun === undefined ? messages.length : -1)
          .map(({ role, content }) => ({ role, content })),
        add_generation_prompt: true,
        enable_thinking: true,
        bos_token: bos,
        eos_token: eos,
      },
    });
    if (reply.kind === "refused") throw refused(reply.message);
    if (reply.kind === "endless") throw this.#endless();
    if (reply.kind === "unreadable") {
      throw invalid(`The model's chat template cannot be read: ${reply.message}`);
    }
    // The engine puts the first token before every prompt.
    const text = bos !== "" && reply.text.startsWith(bos)
      ? reply.text.slice(bos.length)
      : reply.text;
    return text + (begun ?? "");
  }

  async #ask(request: RenderRequest): Promise<Rendered> {
    this.#worker ??= this.#start();
    const worker = await this.#worker;
    const settled = new AbortController();
    const { signal } = settled;
    try {
      return await new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          this.close();
          reject(this.#endless());
        }, this.#limitMs + graceMs);
        signal.addEventListener("abort", () => clearTimeout(timer));
        worker.addEventListener("message", (event) => resolve(event.data), { signal });
        worker.addEventListener("error", (event) => {
          event.preventDefault();
          this.close();
          reject(invalid(`The model's chat template fails: ${event.message}`));
        }, { signal });
        worker.postMessage(request);
      });
    } finally {
      settled.abort();
    }
  }

  get #limitMs(): number {
    return this.#deps.limitMs ?? defaultLimitMs;
  }

  #endless(): AppError {
    return invalid(`The model's chat template did not end within ${this.#limitMs / 1000} s`);
  }

  async #start(): Promise<Worker> {
    const code = await this.#deps.loadWorker();
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const worker = new Worker(url, { type: "module" });
    // How long it takes to come up is not the template's fault.
    await new Promise((resolve, reject) => {
      worker.addEventListener("message", resolve, { once: true });
      worker.addEventListener("error", reject, { once: true });
    });
    return worker;
  }
}

type Rendered = Exclude<RenderReply, { kind: "ready" }>;

const defaultLimitMs = 2000;
/** A Worker that is stuck within one step does not stop itself. */
const graceMs = 2000;

/** llama.cpp's, for models without a template of their own. */
const chatMl = "{%- for message in messages -%}" +
  "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}" +
  "{%- endfor -%}" +
  "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}";

function refused(reason?: string): AppError {
  return new AppError(
    "INVALID_INPUT",
    "The model's chat template refuses these messages: check the order of the roles",
    { details: { field: "messages", ...(reason === undefined ? {} : { reason }) } },
  );
}

function invalid(message: string): AppError {
  return new AppError("INVALID_MODEL", message, { details: { part: "chat template" } });
}
