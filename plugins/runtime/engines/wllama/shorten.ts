// Makes a prompt fit that does not: its middle is left out, and of a chat whole messages first. wllama counts no tokens
// before a prompt is submitted, so the engine's own count in its refusal says by how much, and it is tried again.

import { AppError } from "../../contract/error.ts";
import type { ChatMessage, GenerateOptions } from "./interface.ts";

export type PromptInput = { prompt: string } | { messages: readonly ChatMessage[] };

/** Of one call. `input` is what to submit now; after a refusal for its length `refused` says whether to try again. */
export class Shortening {
  input: PromptInput;
  readonly #shortens: boolean;
  readonly #wantedTokens: number;
  readonly #originalLength: number;
  /** Of the whole prompt, once the engine has counted. */
  #originalTokens = 0;
  #attempts = 0;

  /** Throws CONTEXT_OVERFLOW for what is too long for any vocabulary, before the engine reads megabytes of it. */
  constructor(
    input: PromptInput,
    { overflow = "error", maxTokens = Infinity }: Pick<GenerateOptions, "overflow" | "maxTokens">,
    contextLength: number,
  ) {
    this.input = input;
    this.#shortens = overflow === "truncate-middle";
    // The engine takes a prompt of fewer tokens than the context.
    const room = Math.max(1, Math.min(maxTokens, Math.floor(contextLength / 4)));
    this.#wantedTokens = Math.max(1, contextLength - room);
    this.#originalLength = lengthOf(input);
    if (this.#originalLength <= contextLength * maxTokenLength) return;
    if (!this.#shortens) throw overflowError(this.#originalLength, contextLength);
    this.input = shorten(input, contextLength * usualTokenLength);
  }

  /** Whether `error` can be helped by a shorter prompt, which `input` is then. */
  refused(error: unknown): boolean {
    if (!this.#shortens || !(error instanceof AppError) || error.code !== "CONTEXT_OVERFLOW") {
      return false;
    }
    const { promptTokens } = error.details as { promptTokens?: number };
    const length = lengthOf(this.input);
    if (promptTokens === undefined || length === 0 || this.#attempts++ === maxAttempts) {
      return false;
    }
    this.#originalTokens ||= Math.round(promptTokens * this.#originalLength / length);
    // A little less than what is left by proportion: its tokens may be shorter than those that were cut.
    const share = Math.min(this.#wantedTokens / promptTokens, 1) * 0.98 ** this.#attempts;
    this.input = shorten(this.input, Math.floor(length * share));
    return true;
  }

  /** Tokens left out of a prompt that now has `promptTokens`; undefined where all of it was taken. */
  truncatedTokens(promptTokens: number): number | undefined {
    if (lengthOf(this.input) === this.#originalLength) return undefined;
    const whole = this.#originalTokens || this.#originalLength / usualTokenLength;
    return Math.max(1, Math.round(whole - promptTokens));
  }
}

/** `input` with at most `length` characters of text. */
export function shorten(input: PromptInput, length: number): PromptInput {
  if ("prompt" in input) return { prompt: cutMiddle(input.prompt, length) };
  const messages = dropMiddle(input.messages, length);
  while (lengthOf({ messages }) > length) {
    const excess = lengthOf({ messages }) - length;
    const longest = messages.reduce((a, b) => b.content.length > a.content.length ? b : a);
    const content = cutMiddle(longest.content, Math.max(0, longest.content.length - excess));
    messages[messages.indexOf(longest)] = { ...longest, content };
  }
  return { messages };
}

/**
 * Without the oldest messages between the system's and the last, until the rest fits or none is left. What stays
 * begins with the user: templates refuse an answer without a question.
 */
function dropMiddle(messages: readonly ChatMessage[], length: number): ChatMessage[] {
  const first = messages.findIndex(({ role }) => role !== "system");
  const head = messages.slice(0, Math.max(first, 0));
  const rest = messages.slice(head.length);
  const fits = () => lengthOf({ messages: [...head, ...rest] }) <= length;
  while (rest.length > 1 && (!fits() || rest[0]!.role !== "user")) {
    if (fits() && rest.length === messages.length - head.length) break;
    rest.shift();
  }
  return [...head, ...rest];
}

function cutMiddle(text: string, length: number): string {
  if (text.length <= length) return text;
  const tail = Math.floor(length / 2);
  // Whole characters on both sides.
  const begin = length - tail - (isHigh(text.charCodeAt(length - tail - 1)) ? 1 : 0);
  const end = text.length - tail;
  return text.slice(0, begin) + text.slice(isLow(text.charCodeAt(end)) ? end + 1 : end);
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}

function lengthOf(input: PromptInput): number {
  if ("prompt" in input) return input.prompt.length;
  return input.messages.reduce((sum, { content }) => sum + content.length, 0);
}

function overflowError(length: number, contextLength: number): AppError {
  const promptTokens = Math.ceil(length / maxTokenLength);
  return new AppError(
    "CONTEXT_OVERFLOW",
    `The prompt has ${length} characters, at least ${promptTokens} tokens; the context takes fewer than ${contextLength}`,
    { details: { promptTokens, contextLength } },
  );
}

const maxAttempts = 8;
/** No vocabulary that is known has a longer token. */
const maxTokenLength = 128;
/** Tokens are shorter than that on the whole. */
const usualTokenLength = 32;
