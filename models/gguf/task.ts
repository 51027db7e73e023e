// What a GGUF model is for, as far as its header tells: the architecture's family and how it pools.

import type { ModelTask } from "../model.ts";
import { findInteger, findText, type Metadata } from "./metadata.ts";

/** Undefined for parts that serve another model: adapters, projectors, vocoders. Throws INVALID_MODEL. */
export function findTask(metadata: Metadata, architecture: string): ModelTask | undefined {
  const type = findText(metadata, "general.type");
  if (type !== undefined && type !== "model") return undefined;
  // llama.cpp aborts on a type that it does not know.
  const pooling = findInteger(metadata, `${architecture}.pooling_type`, { min: -1, max: 4 });
  if (pooling === poolingRank) return "rerank";
  if ((pooling ?? 0) > 0 || isEncoder.test(architecture)) return "embedding";
  if (isNoWriter.test(architecture)) return undefined;
  const writes = metadata.has("tokenizer.chat_template") || metadata.has("tokenizer.ggml.model");
  return writes ? "chat" : undefined;
}

/** LLAMA_POOLING_TYPE_RANK */
const poolingRank = 4;

/** `bert`, `nomic-bert-moe`, `jina-bert-v2`, `eurobert`, `gemma-embedding`, `llama-embed`, `t5encoder`. */
const isEncoder = /bert|embed(?:ding)?$|encoder$/;
const isNoWriter = /^(?:clip|wavtokenizer-dec)$/;
