// How a GGUF file is refused: one INVALID_MODEL whose message names the field, the offset and the limit.
// Text out of a file is quoted here, so that it cannot reach a terminal or a page unescaped.

import { AppError } from "../../plugins/runtime/contract/error.ts";

export interface Refusal {
  /** What was being read: `tensor count`, `key "general.name"`. */
  field: string;
  /** Where in the file it starts, bytes. */
  offset: number;
  /** What would have been accepted. */
  limit: string | number | bigint;
}

/** Throws INVALID_MODEL: the field, its offset, what is wrong with it, and the limit. */
export function refuse(problem: string, { field, offset, limit }: Refusal): never {
  throw new AppError(
    "INVALID_MODEL",
    `GGUF ${field} at byte ${offset} ${problem} (limit: ${limit})`,
    { details: { field, offset, limit: typeof limit === "bigint" ? String(limit) : limit } },
  );
}

/** Quotes untrusted text for a message: escaped, and cut after 80 characters. */
export function quote(text: string): string {
  const cut = text.length > maxQuotedChars ? `${text.slice(0, maxQuotedChars)}...` : text;
  return `"${escapeUnprintable(cut)}"`;
}

/** Replaces control, bidi, invisible and lone surrogate characters by their `\u` escape. */
export function escapeUnprintable(text: string): string {
  return text.replace(
    unprintable,
    (found) => `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** Whether text holds a character that shows nothing or moves its neighbours: control, bidi, zero width. */
export function hasUnprintable(text: string): boolean {
  return text.search(unprintable) >= 0;
}

const maxQuotedChars = 80;

const unprintable = /[\p{C}\p{Zl}\p{Zp}]/gu;
