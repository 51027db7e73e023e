// Small safetensors files for tests: one good model, and headers that say anything else.

import { encodeU64, joinBytes } from "../gguf/encode.ts";

/** A header as it is, before `dataBytes` zeros; `claimed` is its length when that lies. */
export function makeSafetensors(
  header: string | Uint8Array = goodHeader,
  { dataBytes = 44, claimed }: { dataBytes?: number; claimed?: number | bigint } = {},
): Uint8Array<ArrayBuffer> {
  const bytes = typeof header === "string" ? new TextEncoder().encode(header) : header;
  return joinBytes([encodeU64(claimed ?? bytes.length), bytes, new Uint8Array(dataBytes)]);
}

/** 10 floats and 4 bytes; in another order than their data. */
export const goodHeader = `{"__metadata__":{"format":"pt","license":"mit\\u0007"},` +
  `"b":{"dtype":"I8","shape":[4],"data_offsets":[40,44]},` +
  `"a":{"dtype":"F32","shape":[2,5],"data_offsets":[0,40]}}   `;
