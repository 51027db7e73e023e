// What a name says of a model that is not here yet: "0.5B" and "Q8_0" give its bytes and a likely KV cache, roughly.
// Caller: fit.ts, which says of all that comes of it that it is not exact.

import type { MemoryTraits } from "./needs.ts";

/** Parameters as names say them: "135M", "0.5B", "1.7b"; undefined for what is none. */
export function parseParameters(text: string): number | undefined {
  const [, digits = "", unit = ""] = /^(\d{1,6}(?:\.\d{1,4})?)\s*([kmb])$/i.exec(text.trim()) ?? [];
  const count = Number(digits) * (unitSizes[unit.toLowerCase()] ?? NaN);
  return count > 0 ? count : undefined;
}

export interface GuessInput {
  /** 0: nobody knows, and then nothing is guessed. */
  parameters: number;
  /** "Q4_K_M", "int8", "F16"; others count as 8.5 bits. */
  quantization: string | undefined;
}

/** For a language model; cautious: of models of one size the KV caches differ by a factor of ten. */
export function guessTraits(
  { parameters, quantization }: GuessInput,
): Omit<MemoryTraits, "engine"> {
  if (parameters === 0) return { weights: 0, kvBytesPerToken: 0, vocabSize: 0, largestTensor: 0 };
  const bits = bitsPerWeight(quantization ?? "");
  // A small model is to a large part embedding, which stays in more bits.
  const averageBits = bits < 8 && parameters < 1e9 ? bits + smallModelExtraBits : bits;
  const weights = Math.round(parameters * averageBits / 8) + headerBytes;
  return {
    weights,
    kvBytesPerToken: Math.round(kvBytesPerTokenAtOneBillion * Math.sqrt(parameters / 1e9)),
    vocabSize,
    largestTensor: Math.round(weights * embeddingShare),
  };
}

/** Bits that a weight takes on average in a whole file of this quantization. */
export function bitsPerWeight(quantization: string): number {
  const name = quantization.toUpperCase();
  return Object.entries(bits).find(([start]) => name.startsWith(start))?.[1] ?? 8.5;
}

const unitSizes: Record<string, number> = { k: 1e3, m: 1e6, b: 1e9 };
/** Longer names first: the first that begins a name counts. */
const bits: Readonly<Record<string, number>> = {
  F32: 32,
  FP32: 32,
  BF16: 16,
  F16: 16,
  FP16: 16,
  Q8: 8.5,
  INT8: 8.5,
  UINT8: 8.5,
  Q6: 6.6,
  Q5: 5.7,
  Q4_0: 4.6,
  Q4: 4.9,
  IQ4: 4.5,
  Q3: 4,
  IQ3: 3.7,
  Q2: 3.2,
  IQ2: 2.7,
  IQ1: 2,
};
const smallModelExtraBits = 1.4;
/** The tokenizer and the template. */
const headerBytes = 4_000_000;
const kvBytesPerTokenAtOneBillion = 65_536;
const vocabSize = 100_000;
const embeddingShare = 0.2;
