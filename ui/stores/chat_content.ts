// A conversation as it crosses to the server and back: one JSON object. What comes back may have been written by any
// program of the same person, so it is read field by field; what cannot be read is left out.

import { isErrorCode } from "../../plugins/runtime/contract/error.ts";
import type { AnswerFacts, Chat, ChatMessage, MessageState, Sampling } from "./chat.ts";
import { samplingKeys } from "./chat.ts";
import type { ChatBase, WholeChat } from "./chat_storage.ts";

/** What the server tells of a chat. */
export interface RemoteChat {
  id: string;
  title: string;
  version: number;
  createdAtMs: number;
  deleted: boolean;
  content?: unknown;
}

/** An answer that is being made is sent as far as it is: who reads it elsewhere cannot wait for it. */
export function toContent({ chat, messages }: WholeChat): Record<string, unknown> {
  const { updatedAtMs, model, preset, sampling } = chat;
  return {
    format: 1,
    updatedAtMs,
    model,
    preset,
    sampling,
    messages: messages.map(({ chatId: _, ...message }) =>
      message.state === "running"
        ? { ...message, state: "interrupted", error: answeredElsewhere }
        : message
    ),
  };
}

/** Undefined when it is nothing that this page, or an older one, wrote. */
export function readContent(remote: RemoteChat): WholeChat | undefined {
  const content = asRecord(remote.content);
  if (content === undefined || !Array.isArray(content["messages"])) return undefined;
  const { id, title, createdAtMs } = remote;
  const messages = content["messages"].flatMap((value) => readMessage(value, id));
  const model = readText(content["model"], 300);
  const preset = readPreset(content["preset"]);
  return {
    chat: {
      id,
      title,
      createdAtMs,
      updatedAtMs: readNumber(content["updatedAtMs"]) ?? createdAtMs,
      ...(model === undefined ? {} : { model }),
      ...(preset === undefined ? {} : { preset }),
      sampling: readSampling(content["sampling"]),
    },
    messages: messages.sort((a, b) => a.order - b.order),
  };
}

export function baseOf({ chat, messages }: WholeChat): ChatBase {
  const { title, model, preset, sampling } = chat;
  return { title, model, preset, sampling, ids: messages.map(({ id }) => id) };
}

const answeredElsewhere = {
  code: "UNAVAILABLE",
  message: "The answer was being made on another device",
  retryable: true,
} as const;

const states: readonly MessageState[] = ["done", "stopped", "interrupted"];
const maxTextChars = 10_000_000;

function readMessage(value: unknown, chatId: string): ChatMessage[] {
  const message = asRecord(value);
  const id = readText(message?.["id"], 100);
  const order = readNumber(message?.["order"]);
  const text = readText(message?.["text"], maxTextChars);
  const role = message?.["role"];
  if (message === undefined || id === undefined || order === undefined || text === undefined) {
    return [];
  }
  if (role !== "user" && role !== "assistant") return [];
  const facts = readFacts(message["facts"]);
  const error = readError(message["error"]);
  return [{
    id,
    chatId,
    order,
    role,
    text,
    createdAtMs: readNumber(message["createdAtMs"]) ?? order,
    state: states.find((state) => state === message["state"]) ?? "interrupted",
    ...(error === undefined ? {} : { error }),
    ...(facts === undefined ? {} : { facts }),
  }];
}

function readFacts(value: unknown): AnswerFacts | undefined {
  const facts = asRecord(value);
  const model = readText(facts?.["model"], 300);
  if (facts === undefined || model === undefined) return undefined;
  const reason = facts["finishReason"];
  return withoutAbsent<AnswerFacts>({
    model,
    preset: readText(facts["preset"], 100),
    home: facts["home"] === "browser" ? "browser" as const : "server" as const,
    backend: readText(facts["backend"], 50),
    threads: readNumber(facts["threads"]),
    finishReason: reason === "stop" || reason === "length" ? reason : undefined,
    promptTokens: readNumber(facts["promptTokens"]),
    completionTokens: readNumber(facts["completionTokens"]),
    tokensPerSecond: readNumber(facts["tokensPerSecond"]),
    firstTokenMs: readNumber(facts["firstTokenMs"]),
  });
}

function readError(value: unknown): ChatMessage["error"] {
  const error = asRecord(value);
  const message = readText(error?.["message"], 2000);
  if (error === undefined || message === undefined) return undefined;
  const { code, retryable } = error;
  return {
    code: isErrorCode(code) ? code : "INTERNAL",
    message,
    retryable: retryable === true,
  };
}

function readPreset(value: unknown): Chat["preset"] {
  const preset = asRecord(value);
  const id = readText(preset?.["id"], 100);
  const name = readText(preset?.["name"], 100);
  return id === undefined || name === undefined ? undefined : { id, name };
}

function readSampling(value: unknown): Sampling {
  const given = asRecord(value) ?? {};
  const numbers = samplingKeys.map((key) => [key, readNumber(given[key])]);
  return withoutAbsent({
    system: readText(given["system"], 100_000),
    ...Object.fromEntries(numbers),
  });
}

function asRecord(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Record<string, unknown>
    : undefined;
}

function readText(value: unknown, maxChars: number): string | undefined {
  return typeof value === "string" && value.length <= maxChars ? value : undefined;
}

function readNumber(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function withoutAbsent<Value extends object>(value: Value): Value {
  const present = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(present) as Value;
}
