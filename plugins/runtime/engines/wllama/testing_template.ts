// A GGUF model with another chat template, made of one that has none. Callers: tests.

import { encodeText, encodeU32, encodeU64, joinBytes } from "../../../../models/gguf/encode.ts";
import type { ModelFile, OpenModel } from "../engine.ts";

/** `model` with `template`; the data stays where its alignment wants it. */
export async function withChatTemplate(model: OpenModel, template: string): Promise<OpenModel> {
  const [file] = model.files;
  const bytes = new Uint8Array(await file!.slice(0, file!.size).arrayBuffer());
  const view = new DataView(bytes.buffer);
  const length = encodePair(template).length;
  const pair = encodePair(template + " ".repeat((alignment - length % alignment) % alignment));
  const count = encodeU64(view.getBigUint64(countAt, true) + 1n);
  const changed = joinBytes([
    bytes.subarray(0, countAt),
    count,
    pair,
    bytes.subarray(countAt + count.length),
  ]);
  return { ...model, size: changed.length, files: [fileOf(file!.name, changed)] };
}

function encodePair(template: string): Uint8Array {
  return joinBytes([encodeText("tokenizer.chat_template"), encodeU32(8), encodeText(template)]);
}

function fileOf(name: string, bytes: Uint8Array): ModelFile {
  const slice = (start: number, end: number) => ({
    size: Math.min(end, bytes.length) - start,
    arrayBuffer: () => Promise.resolve(new Uint8Array(bytes.subarray(start, end)).buffer),
  });
  return { name, size: bytes.length, slice };
}

const alignment = 32;
/** Where the number of metadata pairs stands: after the magic, the version and the number of tensors. */
const countAt = 16;
