// How the answer in the shown chat ended, for a screen reader: said once, and taken back when the next one begins.

import type { ReactiveController, ReactiveControllerHost } from "lit";
import { capText } from "../components/format.ts";
import type { ChatMessage } from "../stores/chat.ts";

export interface AnswerEndDeps {
  /** The shown chat; undefined when it is not begun. */
  chatId: () => string | undefined;
  isRunning: () => boolean;
  lastMessage: () => ChatMessage | undefined;
}

export class AnswerEnd implements ReactiveController {
  /** Empty: nothing is to be said. */
  words = "";
  readonly #deps: AnswerEndDeps;
  /** The shown chat, while it is being answered. */
  #ranIn: string | undefined;

  constructor(host: ReactiveControllerHost, deps: AnswerEndDeps) {
    this.#deps = deps;
    host.addController(this);
  }

  hostUpdate(): void {
    const chatId = this.#deps.chatId();
    const running = this.#deps.isRunning() ? chatId : undefined;
    const ended = this.#ranIn !== undefined && running === undefined;
    if (ended && this.#ranIn === chatId) this.words = describeEnd(this.#deps.lastMessage());
    else if (running !== undefined) this.words = "";
    this.#ranIn = running;
  }
}

function describeEnd(message: ChatMessage | undefined): string {
  if (message?.role !== "assistant") return "";
  if (message.state === "interrupted") return "The answer broke off";
  if (message.state === "stopped") return "The answer was stopped";
  return `Answer: ${capText(message.text, 600)}`;
}
