// What a GGUF header may at most claim. Far above every published model, far below what hurts.

export interface GgufLimits {
  /** Everything before the tensor data, bytes. */
  headerBytes: number;
  metadataCount: number;
  tensorCount: number;
  keyBytes: number;
  /** One string that nobody here reads, and one item of a string array, bytes. */
  stringBytes: number;
  /** One string that bkg shows: name, description, license, architecture; bytes. */
  shownBytes: number;
  chatTemplateBytes: number;
  arrayLength: number;
  /** Items of an array with one for each block. LLAMA_MAX_LAYERS is 512. */
  blockCount: number;
  /** GGML_MAX_NAME is 64 with the closing zero. */
  tensorNameBytes: number;
  alignment: number;
  splitCount: number;
}

export const ggufLimits: Readonly<GgufLimits> = Object.freeze({
  headerBytes: 256 * 1024 * 1024,
  metadataCount: 10_000,
  tensorCount: 131_072,
  keyBytes: 1024,
  stringBytes: 16 * 1024 * 1024,
  shownBytes: 64 * 1024,
  chatTemplateBytes: 256 * 1024,
  arrayLength: 16_777_216,
  blockCount: 4096,
  tensorNameBytes: 63,
  alignment: 1024 * 1024,
  splitCount: 10_000,
});
