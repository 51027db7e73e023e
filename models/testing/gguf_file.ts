// Small GGUF files for tests: one good model, and the same with any part replaced.

import {
  boolValue,
  type EncodedTensor,
  type EncodedValue,
  encodeHeader,
  encodeU32,
  encodeU64,
  f32sValue,
  f32Value,
  type HeaderParts,
  i32sValue,
  joinBytes,
  padding,
  stringsValue,
  stringValue,
  u32Value,
} from "../gguf/encode.ts";
import { valueType } from "../gguf/metadata.ts";

export type Pair = readonly [string | Uint8Array, EncodedValue];

export const architecture: Pair = ["general.architecture", stringValue("llama")];
export const f32 = 0;
export const q8 = 8;
export const weights: EncodedTensor = { name: "a.weight", dims: [64, 2], type: q8, offset: 0 };
export const u64Value = (value: number | bigint) => ({
  type: valueType.u64,
  bytes: encodeU64(value),
});

/** A file: the header of one good model, with `parts` in place of its own, and its data. */
export function makeGguf(
  parts: Partial<HeaderParts> = {},
  dataBytes = 160,
): Uint8Array<ArrayBuffer> {
  const header = encodeHeader({ metadata: [architecture], tensors: [weights], ...parts });
  return joinBytes([header, padding(header.length, 32), new Uint8Array(dataBytes)]);
}

/** A file with further metadata. */
export function makeGgufWith(pairs: readonly Pair[]): Uint8Array<ArrayBuffer> {
  return makeGguf({ metadata: [architecture, ...pairs] });
}

/** A file with one tensor for each, the good one but for what is said. */
export function makeGgufOf(...tensors: readonly Partial<EncodedTensor>[]): Uint8Array<ArrayBuffer> {
  return makeGguf({ tensors: tensors.map((tensor) => ({ ...weights, ...tensor })) });
}

/** A model with each kind of value. */
export function makeFullGguf(): Uint8Array<ArrayBuffer> {
  return makeGguf({
    metadata: [
      architecture,
      ["general.name", stringValue("Tiny\u202e model")],
      ["general.description", stringValue("line one\n\u001bline two")],
      ["general.license", stringValue("mit")],
      ["general.file_type", u32Value(7)],
      ["llama.context_length", u32Value(128)],
      ["llama.embedding_length", u64Value(64)],
      ["llama.block_count", { type: valueType.i32, bytes: encodeU32(2) }],
      ["llama.rope.freq_base", f32Value(10_000)],
      ["llama.unknown", { type: valueType.f64, bytes: new Uint8Array(8) }],
      ["llama.small", { type: valueType.i8, bytes: new Uint8Array([255]) }],
      ["llama.text", stringValue("unread")],
      ["llama.list", i32sValue([1, 2])],
      ["tokenizer.chat_template.tool_use", stringValue("{{ tools }}")],
      ["tokenizer.ggml.model", stringValue("llama")],
      ["tokenizer.ggml.tokens", stringsValue(["<unk>", "a", "\u2581b"])],
      ["tokenizer.ggml.scores", f32sValue([0, -1, -2])],
      ["tokenizer.ggml.token_type", i32sValue([2, 1, 1])],
      ["tokenizer.ggml.add_bos_token", boolValue(true)],
      ["tokenizer.chat_template", stringValue("{{ x }}\n")],
    ],
    tensors: [weights, { name: "b.weight", dims: [5], type: f32, offset: 160 }],
  }, 192);
}

/** Where the description of makeGguf()'s tensor starts. */
export function findGgufTensor(): number {
  return encodeHeader({ metadata: [architecture], tensors: [] }).length;
}
