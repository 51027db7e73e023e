// Texts as tokens, with those that the model puts first and last. A model that is being unloaded is not asked any more:
// the addon would look into memory that is gone.

import type { AppError } from "../../../plugins/runtime/contract/error.ts";
import type { AddonModel } from "./llama_addon.ts";

export class LlamaTokenizer {
  readonly #model: AddonModel;
  readonly #edges: { first: number; last: number };
  readonly #mostRun: number;
  #closed: AppError | undefined;

  constructor(model: AddonModel) {
    this.#model = model;
    this.#edges = readEdges(model);
    this.#mostRun = model.getVocabularyType() === bytePairs ? deepestRun : Infinity;
  }

  /** Special tokens in `text` count. Throws UNAVAILABLE once it is closed. */
  async encode(text: string): Promise<number[]> {
    const tokens: number[] = [];
    let rested = 0;
    for (let start = 0; start < text.length;) {
      const end = findBreak(text, { start, mostRun: this.#mostRun });
      this.requireOpen();
      for (const token of this.#model.tokenize(text.slice(start, end), true)) tokens.push(token);
      start = end;
      // Of a whole book the machine code would tell its tokens at once, and this process do nothing else meanwhile.
      if (start - rested < chunkChars || start === text.length) continue;
      rested = start;
      await new Promise((resolve) => setTimeout(resolve));
    }
    const { first, last } = this.#edges;
    if (first >= 0 && tokens[0] !== first) tokens.unshift(first);
    if (last >= 0 && tokens.at(-1) !== last) tokens.push(last);
    return tokens;
  }

  requireOpen(): void {
    if (this.#closed !== undefined) throw this.#closed;
  }

  close(reason: AppError): void {
    this.#closed ??= reason;
  }
}

/** The token that every text begins with, and the one that it ends with; -1 where there is none. */
function readEdges(model: AddonModel): { first: number; last: number } {
  if (model.getVocabularyType() === wordPieces) {
    return { first: model.tokenBos(), last: model.tokenSep() };
  }
  return {
    first: model.shouldPrependBosToken() ? model.tokenBos() : -1,
    last: model.shouldAppendEosToken() ? model.tokenEos() : -1,
  };
}

/** llama.h, llama_vocab_type. */
const bytePairs = 2;
const wordPieces = 3;
const chunkChars = 256 * 1024;
/**
 * Characters without a space, or spaces alone. llama.cpp finds the words of byte pairs with std::regex, which goes one
 * level deeper for each character of a word: at some 20,000 the stack is full, and the process ends.
 */
const deepestRun = 4096;

/** Within a run that is too long, else before the last space of a chunk, so that words stay whole. */
function findBreak(
  text: string,
  { start, mostRun }: { start: number; mostRun: number },
): number {
  const end = Math.min(start + chunkChars, text.length);
  let run = start;
  for (let at = start; at < end && mostRun < Infinity; at++) {
    if (isSpace(text, at) !== isSpace(text, run)) run = at;
    if (at - run >= mostRun) return findSeam(text, at);
  }
  if (end === text.length) return end;
  const space = text.lastIndexOf(" ", end);
  return space > end - 1000 ? space : findSeam(text, end);
}

/** Where no word ends: never within a character, nor within a special token such as "<|im_end|>". */
function findSeam(text: string, end: number): number {
  const special = text.lastIndexOf("<", end);
  if (special > end - 100) return special;
  const isHigh = text.charCodeAt(end - 1) >> 10 === 0x36;
  return isHigh ? end - 1 : end;
}

function isSpace(text: string, at: number): boolean {
  return text.charCodeAt(at) <= 32;
}
