// Reads JSON off a header's bytes, one token after the other: JSON.parse would hide a key that comes twice,
// round large numbers and build whatever nesting a file asks for. The caller says what it expects.

import { decodeUtf8 } from "../format/cursor.ts";
import { refuse } from "./refuse.ts";

/** Names what is read; asked for when it is refused, as a header may have 100,000 names. */
export type Label = () => string;

export interface JsonReader {
  /** Where the next token starts in the file, bytes. */
  readonly position: number;
  /** Passes the character, or refuses the header. */
  expect(character: string, field: Label): void;
  /** Passes the character when it is next. */
  accept(character: string): boolean;
  /** A string of at most `limit` bytes; a longer one is refused, or passed over and undefined. */
  readString(field: Label, limit: number): string;
  readShortString(field: Label, limit: number): string | undefined;
  /** A whole number from 0 to 2^53 - 1, in plain digits. */
  readInteger(field: Label): number;
  /** Refuses anything but white space up to the end. */
  finish(field: Label): void;
}

/** `offset` is where the bytes start in the file. */
export function createJsonReader(bytes: Uint8Array, offset: number): JsonReader {
  let at = 0;
  const skipSpace = () => {
    while (isSpace(bytes[at])) at++;
  };
  const wrong = (field: Label, limit: string): never => {
    const found = bytes[at];
    const problem = found === undefined
      ? "is cut off by the end of the header"
      : `has the byte 0x${found.toString(16).padStart(2, "0")}`;
    return refuse(problem, { field: field(), offset: offset + at, limit });
  };
  const isNext = (character: string) => {
    skipSpace();
    return bytes[at] === character.charCodeAt(0);
  };

  /** Passes a string; answers where its text starts and ends, and whether it is escaped. */
  const passString = (field: Label) => {
    if (!isNext('"')) wrong(field, "a string");
    const start = ++at;
    let isEscaped = false;
    for (; bytes[at] !== quotation; at++) {
      const byte = bytes[at];
      if (byte === undefined || byte < 0x20) wrong(field, "a string");
      if (byte !== backslash) continue;
      isEscaped = true;
      at++;
    }
    return { start, end: at++, isEscaped };
  };
  const decode = (
    { start, end, isEscaped }: { start: number; end: number; isEscaped: boolean },
    field: Label,
  ): string => {
    const place = () => ({ field: field(), offset: offset + start });
    const text = decodeUtf8(bytes.subarray(start, end)) ??
      refuse("is not UTF-8", { ...place(), limit: "UTF-8" });
    if (!isEscaped) return text;
    return unescape(text) ?? refuse("has an unknown escape", { ...place(), limit: "JSON" });
  };
  const readShortString = (field: Label, limit: number) => {
    const found = passString(field);
    return found.end - found.start > limit ? undefined : decode(found, field);
  };

  return {
    get position() {
      skipSpace();
      return offset + at;
    },
    expect(character, field) {
      if (!isNext(character)) wrong(field, `"${character}"`);
      at++;
    },
    accept(character) {
      if (!isNext(character)) return false;
      at++;
      return true;
    },
    readShortString,
    readString(field, limit) {
      const start = at;
      return readShortString(field, limit) ??
        refuse(`is ${at - start} bytes long`, { field: field(), offset: offset + start, limit });
    },
    readInteger(field) {
      skipSpace();
      const start = at;
      let value = 0;
      for (; isDigit(bytes[at]); at++) {
        value = value * 10 + (bytes[at] ?? 0) - zero;
        if (value > Number.MAX_SAFE_INTEGER || (at > start && bytes[start] === zero)) {
          refuse("is no number that counts something", {
            field: field(),
            offset: offset + start,
            limit: Number.MAX_SAFE_INTEGER,
          });
        }
      }
      if (at === start) wrong(field, "digits");
      return value;
    },
    finish(field) {
      skipSpace();
      if (at < bytes.length) wrong(field, "white space");
    },
  };
}

/** Undefined for an escape that JSON does not know, and for half a character. */
function unescape(text: string): string | undefined {
  try {
    const plain: unknown = JSON.parse(`"${text}"`);
    return typeof plain === "string" && plain.isWellFormed() ? plain : undefined;
  } catch {
    return undefined;
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= zero + 9;
}

const quotation = 0x22;
const backslash = 0x5c;
const zero = 0x30;
