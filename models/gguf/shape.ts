// What a memory estimate needs of a GGUF header: the numbers that a KV cache is made of.
// Defaults are llama.cpp's (llama-model.cpp, load_hparams).

import type { ModelShape } from "../model.ts";
import { findBlockIntegers, findInteger, type Metadata } from "./metadata.ts";

/** Undefined when the header leaves a number out, or attention has no heads. Throws INVALID_MODEL. */
export function findShape(
  metadata: Metadata,
  { architecture, vocabSize }: { architecture: string; vocabSize: number | undefined },
): ModelShape | undefined {
  const find = (name: string, min = 1) =>
    findInteger(metadata, `${architecture}.${name}`, { min, max: maxU32 });
  const findEach = (name: string) =>
    findBlockIntegers(metadata, `${architecture}.${name}`, { min: 0, max: maxU32 });

  const blockCount = find("block_count");
  const embeddingLength = find("embedding_length");
  const headCounts = findEach("attention.head_count");
  const headCountsKv = findEach("attention.head_count_kv") ?? headCounts;
  const key = find("attention.key_length", 0);
  const value = find("attention.value_length", 0);
  const vocab = vocabSize ?? find("vocab_size", 0);
  if (
    blockCount === undefined || embeddingLength === undefined || headCounts === undefined ||
    headCountsKv === undefined || headCountsKv.length === 0 || vocab === undefined
  ) return undefined;

  const headCount = Math.max(0, ...headCounts);
  const headCountKv = headCountsKv.reduce((sum, count) => sum + count, 0) / headCountsKv.length;
  if (headCount === 0) return undefined;
  const headLength = Math.floor(embeddingLength / headCount);
  return {
    blockCount,
    embeddingLength,
    headCountKv,
    keyLength: key ?? headLength,
    valueLength: value ?? headLength,
    vocabSize: vocab,
  };
}

const maxU32 = 0xffff_ffff;
