// What is sent to a model of a conversation, and what is taken from its answer.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { splitThinking } from "../markdown/thinking.ts";
import type { AnswerFacts, ChatMessage, Sampling } from "./chat.ts";
import type { Preset, PresetParameters } from "./chat_presets.ts";

/** The input of `llm.chat`. */
export interface ChatInput extends PresetParameters {
  model: string;
  messages: { role: "system" | "user" | "assistant"; content: string }[];
}

/**
 * Templates want turns that alternate: questions that got no answer become one, and empty answers are left out.
 * What a model thought is not told to it again.
 */
export function toChatInput(
  messages: readonly ChatMessage[],
  { model, preset, sampling }: {
    model: string;
    preset?: Preset | undefined;
    sampling: Sampling;
  },
): ChatInput {
  const { system = "", ...numbers } = sampling;
  const turns: ChatInput["messages"] = [];
  // The preset's first, as /v1 has it.
  const prompts = [preset?.systemPrompt ?? "", system].filter((text) => text.trim() !== "");
  if (prompts.length > 0) turns.push({ role: "system", content: prompts.join("\n\n") });
  for (const { role, text } of messages) {
    const content = role === "assistant" ? splitThinking(text).answer : text;
    if (content.trim() === "") continue;
    const last = turns.at(-1);
    if (last?.role === role) last.content += `\n\n${content}`;
    else turns.push({ role, content });
  }
  const given = Object.entries(numbers).filter(([, value]) => value !== undefined);
  return { ...preset?.parameters, model, messages: turns, ...Object.fromEntries(given) };
}

/** The text of an item of the stream. */
export function readDelta(item: unknown): string {
  const delta = read(item).delta;
  if (typeof delta === "string") return delta;
  throw new AppError("INVALID_OUTPUT", "The plugin sent something that is no piece of an answer");
}

/** What the result says of how the answer was made; UNAVAILABLE when there is no result. */
export function readFacts(result: unknown): Partial<AnswerFacts> {
  if (result === undefined) {
    throw new AppError("UNAVAILABLE", "The answer broke off before its end");
  }
  const { usage, timings, backend, threads, finishReason } = read(result);
  return {
    backend: typeof backend === "string" ? backend.slice(0, 50) : undefined,
    threads: readNumber(threads),
    finishReason: finishReason === "length" || finishReason === "stop" ? finishReason : undefined,
    promptTokens: readNumber(read(usage).promptTokens),
    completionTokens: readNumber(read(usage).completionTokens),
    tokensPerSecond: readNumber(read(timings).tokensPerSecond),
  };
}

function read(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

function readNumber(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
