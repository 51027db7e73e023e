// Text out of a file that nobody vouches for, as it may be shown: in a message, a terminal, a page.
// Called by the validators and the stores. Nothing that passes here can move or hide its neighbours.

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

/** One line of at most `maxChars` without such characters; undefined when nothing is left. */
export function cleanText(text: string | undefined, maxChars: number): string | undefined {
  if (text === undefined) return undefined;
  const clean = text.replace(/[\p{C}\p{Z}]+/gu, " ").trim();
  return clean === "" ? undefined : [...clean].slice(0, maxChars).join("");
}

export const maxNameChars = 200;
export const maxDescriptionChars = 2000;

const maxQuotedChars = 80;

const unprintable = /[\p{C}\p{Zl}\p{Zp}]/gu;
