// Writes a llama model with random weights and a working tokenizer: what the benchmarks load.
// The same options give the same bytes. deno run -A bench/generate_gguf.ts --out /tmp/100m.gguf --size 100m

import { parseArgs } from "node:util";
import {
  boolValue,
  type EncodedTensor,
  type EncodedValue,
  encodeHeader,
  f32sValue,
  f32Value,
  i32sValue,
  padding,
  stringsValue,
  stringValue,
  u32Value,
} from "../models/gguf/encode.ts";
import { makeBytePairVocabulary, makeVocabulary, type Vocabulary } from "./random_vocabulary.ts";
import { createWeightFiller, weightFormats, type WeightType } from "./random_weights.ts";

export interface GenerateOptions {
  path: string;
  seed?: number;
  /** Width of the residual stream; a multiple of `heads` and of 32. */
  dim?: number;
  layers?: number;
  heads?: number;
  kvHeads?: number;
  /** Width of the feed-forward layers; a multiple of 32. */
  ffn?: number;
  /** Tokens, 512 at least. */
  vocab?: number;
  contextLength?: number;
  type?: WeightType;
  /** What kind of tokenizer: SentencePiece's, that of llama 2 (default), or byte-level BPE as of GPT-2. */
  tokenizer?: "sentencepiece" | "bpe";
  /** SentencePiece alone: a text begins as if a space stood before it, as with llama 2. Default false. */
  spacePrefix?: boolean;
}

export interface GeneratedModel {
  path: string;
  /** Bytes. */
  size: number;
  parameterCount: number;
}

/** Shapes by rough parameter count; the embedding is also the output layer. */
export const shapes = {
  "1m": { dim: 128, layers: 2, heads: 4, kvHeads: 4, ffn: 384, vocab: 4096 },
  "15m": { dim: 288, layers: 6, heads: 6, kvHeads: 6, ffn: 768, vocab: 32_000 },
  "100m": { dim: 768, layers: 12, heads: 12, kvHeads: 12, ffn: 2048, vocab: 32_000 },
  "350m": { dim: 1024, layers: 24, heads: 16, kvHeads: 16, ffn: 2816, vocab: 32_000 },
} as const;

/** Streams the model to disk, a few MB in memory; the file appears under its name when it is whole. */
export async function generateGguf(options: GenerateOptions): Promise<GeneratedModel> {
  const shape: Shape = {
    seed: 1,
    contextLength: 2048,
    type: "q8_0",
    tokenizer: "sentencepiece",
    spacePrefix: false,
    ...shapes["100m"],
    ...options,
  };
  checkShape(shape);
  const make = shape.tokenizer === "bpe" ? makeBytePairVocabulary : makeVocabulary;
  const vocabulary = make(shape.vocab, shape.seed);
  const tensors = planTensors(shape);
  const header = encodeHeader({ metadata: describeModel(shape, vocabulary), tensors });

  const partial = `${options.path}.part`;
  let size = 0;
  try {
    using file = await Deno.open(partial, { write: true, create: true, truncate: true });
    const write = async (bytes: Uint8Array): Promise<void> => {
      size += bytes.length;
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    };
    await write(header);
    await write(padding(size, alignment));
    for (const [index, tensor] of tensors.entries()) {
      // A seed of its own for each tensor: one that changes leaves the others as they were.
      const filler = createWeightFiller(shape.seed * 1_000_003 + index);
      for (const rows of tensor.parts) {
        for (const chunk of filler.fill(rows.elements, rows)) await write(chunk);
      }
      await write(padding(size, alignment));
    }
  } catch (error) {
    await Deno.remove(partial).catch(() => {});
    throw error;
  }
  await Deno.rename(partial, options.path);
  const parameterCount = tensors.reduce((sum, { elements }) => sum + elements, 0);
  return { path: options.path, size, parameterCount };
}

type Shape = Required<Omit<GenerateOptions, "path">>;

interface PlannedTensor extends EncodedTensor {
  elements: number;
  /** Runs of elements, each with its own spread; `std` 0 means ones. */
  parts: { elements: number; std: number; type: WeightType | "f32" }[];
}

function checkShape(shape: Shape): void {
  const { dim, heads, kvHeads, ffn, vocab } = shape;
  const headDim = dim / heads;
  if (dim % 32 !== 0 || ffn % 32 !== 0) throw new RangeError("dim and ffn must be multiples of 32");
  if (!Number.isInteger(headDim) || headDim % 2 !== 0) {
    throw new RangeError("dim divided by heads must be an even whole number");
  }
  if (heads % kvHeads !== 0 || (kvHeads * headDim) % 32 !== 0) {
    throw new RangeError("heads must be a multiple of kvHeads, in whole blocks of 32");
  }
  if (vocab < 512) throw new RangeError("vocab must be at least 512");
}

function planTensors({ dim, layers, heads, kvHeads, ffn, vocab, type }: Shape): PlannedTensor[] {
  const tensors: PlannedTensor[] = [];
  let offset = 0;
  const add = (name: string, dims: readonly number[], parts: PlannedTensor["parts"]) => {
    const elements = dims.reduce((product, dim) => product * dim, 1);
    const format = weightFormats[parts[0]?.type ?? "f32"];
    tensors.push({ name, dims, type: format.id, offset, elements, parts });
    const bytes = elements / format.blockElements * format.blockBytes;
    offset += Math.ceil(bytes / alignment) * alignment;
  };
  const addNorm = (name: string) => add(name, [dim], [{ elements: dim, std: 0, type: "f32" }]);
  const addMatrix = (name: string, columns: number, rows: number, gain: number) =>
    add(name, [columns, rows], [
      { elements: columns * rows, std: gain / Math.sqrt(columns), type },
    ]);

  // Logits have a spread of about 1.5. Layers outweigh the embedding in the residual stream, else
  // the output, which is the embedding too, would repeat each token for ever.
  const embeddingStd = 1.5 / Math.sqrt(dim);
  const layerGain = 60 * embeddingStd / Math.sqrt(2 * layers);
  const kvDim = dim / heads * kvHeads;
  add("token_embd.weight", [dim, vocab], [
    // Control and byte tokens stay near a logit of 0, so greedy text is text and does not end early.
    { elements: dim * unlikelyTokens, std: embeddingStd / 32, type },
    { elements: dim * (vocab - unlikelyTokens), std: embeddingStd, type },
  ]);
  for (let layer = 0; layer < layers; layer++) {
    const block = `blk.${layer}`;
    addNorm(`${block}.attn_norm.weight`);
    addMatrix(`${block}.attn_q.weight`, dim, dim, 1);
    addMatrix(`${block}.attn_k.weight`, dim, kvDim, 1);
    addMatrix(`${block}.attn_v.weight`, dim, kvDim, 1);
    addMatrix(`${block}.attn_output.weight`, dim, dim, layerGain);
    addNorm(`${block}.ffn_norm.weight`);
    addMatrix(`${block}.ffn_gate.weight`, dim, ffn, 1);
    addMatrix(`${block}.ffn_up.weight`, dim, ffn, 1);
    addMatrix(`${block}.ffn_down.weight`, ffn, dim, layerGain);
  }
  addNorm("output_norm.weight");
  return tensors;
}

function describeModel(shape: Shape, vocabulary: Vocabulary): [string, EncodedValue][] {
  const { dim, layers, heads, kvHeads, ffn, vocab, contextLength, type } = shape;
  return [
    ["general.architecture", stringValue("llama")],
    ["general.name", stringValue(`random llama ${dim}x${layers}, seed ${shape.seed}`)],
    ["general.description", stringValue("Random weights, for benchmarks")],
    ["general.license", stringValue("apache-2.0")],
    ["general.quantization_version", u32Value(2)],
    ["general.file_type", u32Value(weightFormats[type].fileType)],
    ["llama.context_length", u32Value(contextLength)],
    ["llama.embedding_length", u32Value(dim)],
    ["llama.block_count", u32Value(layers)],
    ["llama.feed_forward_length", u32Value(ffn)],
    ["llama.attention.head_count", u32Value(heads)],
    ["llama.attention.head_count_kv", u32Value(kvHeads)],
    ["llama.attention.layer_norm_rms_epsilon", f32Value(1e-5)],
    ["llama.rope.dimension_count", u32Value(dim / heads)],
    ["llama.rope.freq_base", f32Value(10_000)],
    ["llama.vocab_size", u32Value(vocab)],
    ...(vocabulary.merges === undefined
      ? [
        ["tokenizer.ggml.model", stringValue("llama")],
        ["tokenizer.ggml.scores", f32sValue(vocabulary.scores)],
        ["tokenizer.ggml.add_space_prefix", boolValue(shape.spacePrefix)],
      ] satisfies [string, EncodedValue][]
      : [
        ["tokenizer.ggml.model", stringValue("gpt2")],
        ["tokenizer.ggml.pre", stringValue("gpt-2")],
        ["tokenizer.ggml.merges", stringsValue(vocabulary.merges)],
      ] satisfies [string, EncodedValue][]),
    ["tokenizer.ggml.tokens", stringsValue(vocabulary.tokens)],
    ["tokenizer.ggml.token_type", i32sValue(vocabulary.types)],
    ["tokenizer.ggml.unknown_token_id", u32Value(0)],
    ["tokenizer.ggml.bos_token_id", u32Value(1)],
    ["tokenizer.ggml.eos_token_id", u32Value(2)],
    ["tokenizer.ggml.eot_token_id", u32Value(4)],
    ["tokenizer.ggml.add_bos_token", boolValue(true)],
    ["tokenizer.ggml.add_eos_token", boolValue(false)],
    ["tokenizer.chat_template", stringValue(chatMl)],
  ];
}

const alignment = 32;
/** <unk> <s> </s> <|im_start|> <|im_end|> and 256 bytes. */
const unlikelyTokens = 5 + 256;

const chatMl = "{% for message in messages %}" +
  "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      out: { type: "string", default: "random-100m-q8_0.gguf" },
      size: { type: "string", default: "100m" },
      type: { type: "string", default: "q8_0" },
      seed: { type: "string", default: "1" },
      tokenizer: { type: "string", default: "sentencepiece" },
    },
  });
  const shape = Object.entries(shapes).find(([name]) => name === values.size)?.[1];
  const type = (["q8_0", "q4_0", "f16"] as const).find((name) => name === values.type);
  const tokenizer = (["sentencepiece", "bpe"] as const).find((name) => name === values.tokenizer);
  if (shape === undefined || type === undefined || tokenizer === undefined) {
    const sizes = Object.keys(shapes).join("|");
    console.error(`usage: --size ${sizes} --type q8_0|q4_0|f16 --tokenizer sentencepiece|bpe`);
    Deno.exit(2);
  }
  const seed = Number(values.seed);
  const options = { ...shape, path: values.out, type, seed, tokenizer };
  console.log(JSON.stringify(await generateGguf(options)));
}
