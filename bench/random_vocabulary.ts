// A SentencePiece-like vocabulary of pronounceable pieces. Invariant: every piece is two earlier ones
// joined, the better score first, so that llama.cpp's merges reach it from single characters.

export interface Vocabulary {
  tokens: string[];
  scores: number[];
  /** llama_token_type: 1 normal, 2 unknown, 3 control, 6 byte. */
  types: number[];
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
  const addPiece = (piece: string): boolean => {
    if (known.has(piece) || vocabulary.tokens.length >= size) return false;
    add(piece, 1, -rank++);
    return true;
  };
  const syllables = [...consonants].flatMap((first) => [...vowels].map((then) => first + then));
  for (const syllable of syllables) addPiece(syllable);
  const words = syllables.map((syllable) => space + syllable);
  for (const word of words) addPiece(word);

  const next = makeRandom(seed);
  const pick = (from: readonly string[]): string => from[next() % from.length] ?? "";
  const stems = [...words, ...syllables];
  while (vocabulary.tokens.length < size) {
    const piece = pick(stems) + pick(next() % 4 === 0 ? [...endings] : syllables);
    if (piece.length <= maxPieceChars && addPiece(piece)) stems.push(piece);
  }
  return vocabulary;
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
