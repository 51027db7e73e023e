// Conversations as they are kept: a chat, and its messages as records of their own.

import type { WireError } from "../../plugins/runtime/contract/error.ts";
import type { Home } from "./homes.ts";

export interface Chat {
  id: string;
  title: string;
  createdAtMs: number;
  /** When its last message came; the list is sorted by it. */
  updatedAtMs: number;
  /** The model that it was last asked with; a preset's, where there is one. */
  model?: string | undefined;
  /** Its system prompt and parameters are looked up when it is asked. */
  preset?: { id: string; name: string } | undefined;
  sampling: Sampling;
}

/** Only what differs from the plugin's settings. */
export interface Sampling {
  system?: string | undefined;
  temperature?: number | undefined;
  topP?: number | undefined;
  topK?: number | undefined;
  minP?: number | undefined;
  repeatPenalty?: number | undefined;
  maxTokens?: number | undefined;
  seed?: number | undefined;
}

/** All but the system prompt. */
export const samplingKeys = [
  "temperature",
  "topP",
  "topK",
  "minP",
  "repeatPenalty",
  "maxTokens",
  "seed",
] as const satisfies readonly (keyof Sampling)[];

/** `interrupted`: the answer broke off; what had come is kept, and `error` says why. */
export type MessageState = "running" | "done" | "stopped" | "interrupted";

/** Never changed in place: a new object is another state of it. */
export interface ChatMessage {
  id: string;
  chatId: string;
  /** Messages of a chat are sorted by it. */
  order: number;
  role: "user" | "assistant";
  text: string;
  createdAtMs: number;
  state: MessageState;
  error?: WireError | undefined;
  facts?: AnswerFacts | undefined;
}

/** How an answer was made; what is unknown is absent. */
export interface AnswerFacts {
  model: string;
  /** The name of the preset that it was asked by. */
  preset?: string | undefined;
  home: Home;
  backend?: string | undefined;
  threads?: number | undefined;
  finishReason?: "stop" | "length" | undefined;
  promptTokens?: number | undefined;
  completionTokens?: number | undefined;
  tokensPerSecond?: number | undefined;
  /** From the call to the first piece. */
  firstTokenMs?: number | undefined;
}

export function newMessage(
  chatId: string,
  role: ChatMessage["role"],
  lastOrder: number,
): ChatMessage {
  const createdAtMs = Date.now();
  const order = Math.max(lastOrder + 1, createdAtMs);
  return { id: newChatId(), chatId, order, role, text: "", createdAtMs, state: "done" };
}

/** Not crypto.randomUUID, which a page on plain http does not have. */
export function newChatId(): string {
  return Array.from(
    crypto.getRandomValues(new Uint8Array(12)),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
}

/** A title from the first question: its first line, shortened at a word. */
export function titleOf(text: string): string {
  const line = text.trim().split(/\s*\n/, 1)[0] ?? "";
  if (line.length <= maxTitleChars) return line === "" ? "New chat" : line;
  const cut = line.slice(0, maxTitleChars);
  const space = cut.lastIndexOf(" ");
  return `${(space > maxTitleChars / 2 ? cut.slice(0, space) : cut).toWellFormed()}…`;
}

const maxTitleChars = 60;
