// What a file is to a model, by its name alone: weights, or one of what goes with them. Neutral: for the puller too.

import type { ModelFormat } from "../model.ts";

export function formatOf(fileName: string): ModelFormat | undefined {
  const ending = /\.(gguf|onnx|safetensors)$/.exec(fileName)?.[1];
  return ending as ModelFormat | undefined;
}

/** Configuration, tokenizer, pooling: what an engine asks for by name. `name` is relative to the model. */
export function isSidecar(name: string): boolean {
  return sidecarName.test(name);
}

const sidecarName = new RegExp(
  "^(?:" + [
    String.raw`config(?:_sentence_transformers)?\.json`,
    String
      .raw`(?:generation|preprocessor|processor|image_processor|video_preprocessor)_config\.json`,
    String.raw`(?:quantize|quant|sentence_bert|adapter|feature_extractor)_config\.json`,
    String.raw`tokenizer[\w.-]*\.json`,
    String.raw`(?:special_tokens_map|added_tokens|vocab|modules|id2label)\.json`,
    String.raw`(?:vocab|merges)\.txt`,
    String.raw`(?:tokenizer|spiece|sentencepiece(?:\.bpe)?)\.model`,
    String.raw`chat_template\.(?:json|jinja)`,
    String.raw`\d+_[A-Za-z]+/config\.json`,
    String.raw`[\w.-]+\.(?:onnx|safetensors)\.index\.json`,
  ].join("|") + ")$",
);
