// The bytes of each token, true to the byte: the addon's own detokenize answers whole strings, in which a part of a
// character is lost. As llama.cpp's token_to_piece: control tokens have no text.

import type { AddonModel } from "./llama_addon.ts";

export interface TokenPieces {
  bytesOf(token: number): Uint8Array;
}

export function createTokenPieces(model: AddonModel): TokenPieces {
  const known = new Map<number, Uint8Array>();
  const kind = model.getVocabularyType();
  return {
    bytesOf(token) {
      let bytes = known.get(token);
      if (bytes === undefined) known.set(token, bytes = readPiece(model, kind, token));
      return bytes;
    },
  };
}

/** llama.h: llama_vocab_type and llama_token_attr. */
const vocabulary = { sentencePiece: 1, bytePairs: 2, wordPieces: 3, unigrams: 4 } as const;
const attribute = { unknown: 1, normal: 4, control: 8, userDefined: 16, byte: 32 } as const;

function readPiece(model: AddonModel, kind: number, token: number): Uint8Array {
  const attributes = model.getTokenAttributes(token);
  if ((attributes & (attribute.control | attribute.unknown)) !== 0) return new Uint8Array();
  const text = model.getTokenString(token) ?? "";
  if ((attributes & attribute.userDefined) !== 0) return encoder.encode(text);
  const isSpaced = kind === vocabulary.sentencePiece || kind === vocabulary.wordPieces ||
    kind === vocabulary.unigrams;
  if (isSpaced) {
    if ((attributes & attribute.byte) !== 0) return Uint8Array.of(readByte(text));
    return encoder.encode(text.replaceAll("\u2581", " "));
  }
  if (kind === vocabulary.bytePairs) return readBytePairs(text);
  return encoder.encode(model.detokenize(Uint32Array.of(token), false));
}

/** "<0x0A>", or the byte itself. */
function readByte(text: string): number {
  const hex = /^<0x([0-9A-Fa-f]{2})>$/.exec(text)?.[1];
  return hex === undefined ? encoder.encode(text)[0] ?? 0 : parseInt(hex, 16);
}

/** GPT-2 writes each byte as a character that can be printed. */
function readBytePairs(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const byte = byteOfCharacter.get(character);
    if (byte === undefined) bytes.push(...encoder.encode(character));
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

const encoder = new TextEncoder();

const byteOfCharacter: ReadonlyMap<string, number> = (() => {
  const map = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const isPrinted = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) ||
      byte >= 0xae;
    map.set(String.fromCodePoint(isPrinted ? byte : next++), byte);
  }
  return map;
})();
