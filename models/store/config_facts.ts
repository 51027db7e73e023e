// What the JSON beside ONNX and safetensors weights says: config.json, tokenizer_config.json. Neutral.
// The files are a stranger's: what is not as expected is passed over, and nothing in them is run.

import { z } from "zod";
import { cleanText, maxNameChars } from "../format/text.ts";
import type { ModelShape, ModelTask } from "../model.ts";

export interface ConfigFacts {
  architecture: string | undefined;
  task: ModelTask | undefined;
  contextLength: number | undefined;
  shape: ModelShape | undefined;
  chatTemplate: boolean;
}

/** Of either file; bytes that are no JSON object say nothing. */
export function readConfigFacts(bytes: Uint8Array): ConfigFacts {
  const config = parseConfig(bytes);
  const writes = config.architectures?.some((name) => /ForCausalLM|LMHeadModel/.test(name));
  return {
    architecture: cleanText(config.model_type, maxNameChars),
    task: findTask(config),
    contextLength: config.max_position_embeddings ?? config.n_positions,
    shape: writes ? findShape(config) : undefined,
    chatTemplate: config.chat_template !== undefined,
  };
}

function findTask({ architectures = [], model_type, id2label, num_labels }: Config) {
  const has = (pattern: RegExp) => architectures.some((name) => pattern.test(name));
  // One label is a score of how well two texts fit; several are classes.
  const labels = num_labels ?? (id2label === undefined ? undefined : Object.keys(id2label).length);
  if (has(/ForSequenceClassification$/)) return labels === 1 ? "rerank" : undefined;
  if (has(/ForCausalLM$|LMHeadModel$/)) return "chat";
  if (has(/^(?:Whisper|Moonshine|Speech|Wav2Vec2|Hubert|Vits)/)) return "speech";
  if (has(/^(?:CLIP|Siglip|ViT|DINO|Dinov2|Detr|YOLOS|Segformer|SwinModel)/i)) return "vision";
  const encodes = has(
    /^(?:\w*Bert|\w*Roberta|MPNet|Deberta\w*|XLMRoberta|Electra|NomicBert)(?:Model|ForMaskedLM)$/i,
  );
  if (encodes || (architectures.length === 0 && /bert|mpnet/.test(model_type ?? ""))) {
    return "embedding";
  }
  return undefined;
}

function findShape(config: Config): ModelShape | undefined {
  const blockCount = config.num_hidden_layers ?? config.n_layer;
  const embeddingLength = config.hidden_size ?? config.n_embd;
  const headCount = config.num_attention_heads ?? config.n_head;
  const vocabSize = config.vocab_size;
  if (blockCount === undefined || embeddingLength === undefined) return undefined;
  if (headCount === undefined || vocabSize === undefined) return undefined;
  const headLength = config.head_dim ?? Math.floor(embeddingLength / headCount);
  return {
    blockCount,
    embeddingLength,
    headCountKv: config.num_key_value_heads ?? headCount,
    keyLength: headLength,
    valueLength: headLength,
    vocabSize,
  };
}

function parseConfig(bytes: Uint8Array): Config {
  try {
    return configSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return configSchema.parse({});
  }
}

const count = z.int().min(1).max(0xffff_ffff).optional().catch(undefined);

const configSchema = z.object({
  architectures: z.array(z.string().max(maxNameChars)).max(16).optional().catch(undefined),
  model_type: z.string().max(maxNameChars).optional().catch(undefined),
  id2label: z.record(z.string(), z.unknown()).optional().catch(undefined),
  num_labels: count,
  max_position_embeddings: count,
  n_positions: count,
  num_hidden_layers: count,
  n_layer: count,
  hidden_size: count,
  n_embd: count,
  num_attention_heads: count,
  n_head: count,
  num_key_value_heads: count,
  head_dim: count,
  vocab_size: count,
  chat_template: z.unknown().optional(),
});

type Config = z.infer<typeof configSchema>;
