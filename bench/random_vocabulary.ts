// Vocabularies of pronounceable pieces, as SentencePiece or byte-level BPE has them. Invariant: every piece is two
// earlier ones joined, the better rank first, so that llama.cpp's merges reach it from single characters.

export interface Vocabulary {
  tokens: string[];
  scores: number[];
  /** llama_token_type: 1 normal, 2 unknown, 3 control, 6 byte. */
  types: number[];
  /** BPE alone: each piece's two parts, the better rank first. */
  merges?: string[];
}

/** Makes `size` tokens: 5 special, 256 bytes, printable ASCII, then pieces. */
export function makeVocabulary(size: number, seed: number): Vocabulary {
  const vocabulary: Vocabulary = { tokens: [], scores: [], types: [] };
  const known = new Set<string>();
  const add = (token: string, type: number, score: number): void => {
    known.add(token);
    vocabulary.tokens.push(token);
    vocabulary.scores.push(score);
    vocabulary.types.push(type);
  };
  add("<unk>", 2, 0);
  for (const token of ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]) add(token, 3, 0);
  for (let byte = 0; byte < 256; byte++) {
    add(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`, 6, 0);
  }
  // Single characters are never merged into, so they come last by score.
  add(space, 1, -size);
  for (let code = 0x21; code < 0x7f; code++) add(String.fromCharCode(code), 1, -size);

  let rank = 0;
  growPieces(seed, space, (first, second) => {
    const piece = first + second;
    if (known.has(piece)) return "known";
    add(piece, 1, -rank++);
    return vocabulary.tokens.length < size ? "added" : "full";
  });
  return vocabulary;
}

/** Makes `size` tokens: 5 special, 256 bytes in GPT-2's letters, then pieces, some of them JSON's punctuation. */
export function makeBytePairVocabulary(
  size: number,
  seed: number,
): Vocabulary & { merges: string[] } {
  const tokens = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"];
  const types = tokens.map(() => 3);
  for (let byte = 0; byte < 256; byte++) tokens.push(byteLetter(byte));
  const known = new Set(tokens);
  const merges: string[] = [];
  const join = (first: string, second: string) => {
    const piece = first + second;
    if (known.has(piece)) return "known";
    known.add(piece);
    tokens.push(piece);
    merges.push(`${first} ${second}`);
    return tokens.length < size ? "added" : "full";
  };
  for (
    const [first, second] of ['{"', '":', ',"', '"}', '",', "[{", '":"', '","', '"}]'].map(cut)
  ) {
    join(first, second);
  }
  growPieces(seed, byteLetter(0x20), join);
  while (types.length < tokens.length) types.push(1);
  return { tokens, scores: tokens.map(() => 0), types, merges };
}

/** Joins earlier pieces to new ones until `join` says that it is full. */
function growPieces(
  seed: number,
  space: string,
  join: (first: string, second: string) => "added" | "known" | "full",
): void {
  const syllables: string[] = [];
  for (const first of consonants) {
    for (const then of vowels) {
      if (join(first, then) === "full") return;
      syllables.push(first + then);
    }
  }
  const words: string[] = [];
  for (const syllable of syllables) {
    if (join(space, syllable) === "full") return;
    words.push(space + syllable);
  }
  const next = makeRandom(seed);
  const pick = (from: readonly string[]): string => from[next() % from.length] ?? "";
  const stems = [...words, ...syllables];
  while (true) {
    const [first, second] = [pick(stems), pick(next() % 4 === 0 ? [...endings] : syllables)];
    if (first.length + second.length > maxPieceChars) continue;
    const joined = join(first, second);
    if (joined === "full") return;
    if (joined === "added") stems.push(first + second);
  }
}

/** A text's first characters, and its last. */
function cut(piece: string): [string, string] {
  return [piece.slice(0, -1), piece.slice(-1)];
}

/** GPT-2 writes bytes as letters: printable ones as themselves, the others from U+0100 on. */
function byteLetter(byte: number): string {
  const isPrintable = (code: number) =>
    (code > 0x20 && code < 0x7f) || (code > 0xa0 && code !== 0xad);
  if (isPrintable(byte)) return String.fromCharCode(byte);
  const rank = Array.from({ length: byte }, (_, code) => code).filter((code) => !isPrintable(code));
  return String.fromCharCode(0x100 + rank.length);
}

/** xorshift32: whole numbers from 1 to 2^32 - 1. */
function makeRandom(seed: number): () => number {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** SentencePiece's sign for a space. */
const space = "\u2581";
const consonants = "bcdfghjklmnprstvwyz";
const vowels = "aeiou";
const endings = "nrslt";
const maxPieceChars = 12;
