// Reads the one number that must be known before a model loads, out of the beginning of a GGUF file.

import type { ModelFile } from "../engine.ts";

/**
 * Tokens that the model was trained for; undefined when the first 256 KiB do not say. Format: a key's text, then
 * its type (u32; 4 is u32) and value, all little-endian (github.com/ggml-org/ggml/blob/master/docs/gguf.md).
 */
export async function readContextLength(file: ModelFile): Promise<number | undefined> {
  const bytes = new Uint8Array(await file.slice(0, Math.min(file.size, 262_144)).arrayBuffer());
  const key = new TextEncoder().encode(".context_length");
  for (let at = bytes.indexOf(key[0]!); at >= 0; at = bytes.indexOf(key[0]!, at + 1)) {
    const end = at + key.length;
    if (end + 8 > bytes.length) return undefined;
    if (!key.every((byte, index) => bytes[at + index] === byte)) continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset + end, 8);
    const value = view.getUint32(4, true);
    return view.getUint32(0, true) === 4 && value > 0 ? value : undefined;
  }
  return undefined;
}
