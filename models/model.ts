// What bkg knows of a model on this host, and the interfaces that find and keep it.
// Only files whose header was validated become records. Implemented by models/store; a page has its own, in OPFS.

import type { AppError } from "../plugins/runtime/contract/error.ts";

export const modelFormats = ["gguf", "onnx", "safetensors"] as const;
export type ModelFormat = typeof modelFormats[number];

/** What a model is for, where its catalogue entry, its configuration or its architecture says so. */
export const modelTasks = ["chat", "embedding", "rerank", "face", "vision", "speech"] as const;
export type ModelTask = typeof modelTasks[number];

/**
 * Where a model lies: bkg's own store (may be removed), a folder of GGUF and ONNX files, or the store of another
 * program, read in place. "demo" came with bkg.
 */
export type ModelOrigin = "store" | "folder" | "huggingface" | "ollama" | "demo";

export interface ModelRecord {
  /**
   * Pulled from a hub: `owner/name:Q8_0`, or `owner/name` where the format has no variants. Of a file: its name
   * without the ending; for a split model the name that its parts share. See `modelIdPattern`.
   */
  id: string;
  format: ModelFormat;
  origin: ModelOrigin;
  task: ModelTask | undefined;
  /** Bytes of all files. */
  size: number;
  /** The weights first (parts in order), then what goes with them, such as `tokenizer.json`. */
  files: ModelFile[];
  name?: string;
  description?: string;
  license?: string;
  architecture: string;
  parameterCount: number;
  /** "Q8_0", "F32", "int8"; "mixed" where no type holds most. */
  quantization: string;
  /** Tokens; undefined when the files do not say. */
  contextLength: number | undefined;
  /** Whether the files bring a chat template. */
  chatTemplate: boolean;
  /** What a memory estimate needs beside the size; undefined when the files do not say. */
  shape: ModelShape | undefined;
  /** As it was asked for, such as `Qwen/Qwen2-0.5B-Instruct-GGUF@main:Q8_0`; in bkg's store alone. */
  source?: string;
  /** Whether native engines may open it: it came with bkg, or was marked with the files that it has. */
  trusted?: boolean;
  /** It was marked with other files, or they were not read since they were touched. */
  changedSinceTrusted?: true;
  /** Kept by `gc` and by `rm` without force; false outside bkg's store. */
  pinned: boolean;
  createdAtMs: number;
  /** When a plugin or a page last opened it, to the hour; in bkg's store alone. */
  usedAtMs?: number;
}

export interface ModelFile {
  /** Relative to the model, with "/": `model.gguf`, `onnx/model_quantized.onnx`. Never absolute, no "..". */
  name: string;
  /** Where the store finds it; absolute and canonical. */
  path: string;
  /** Bytes. */
  size: number;
  /** `sha256:<hex>` where it is known without reading the file. */
  digest?: string;
  /** The state that `digest` is of; where the file was looked at to be opened. */
  fingerprint?: string;
}

/** Of a transformer that writes text: what its KV cache is made of. */
export interface ModelShape {
  blockCount: number;
  embeddingLength: number;
  /** Attention heads that keep keys and values; per block where they differ: their mean. */
  headCountKv: number;
  /** Elements of one head's key and value. */
  keyLength: number;
  valueLength: number;
  vocabSize: number;
}

/**
 * Ids as they go into addresses and file names: `name`, `owner/name`, either with `:variant`. What cannot be seen,
 * looks like a separator or is none of a file's characters somewhere is out; `models/store/model_id.ts` checks more.
 */
export const modelIdPattern = new RegExp(
  `^(?!-|_[/:]|_$)${idSegment()}(?:/${idSegment()})?(?::${idSegment()})?$`,
  "u",
);
export const maxModelIdChars = 200;

export interface ModelStore {
  /** Every valid model, sorted by id. */
  list(): Promise<ModelRecord[]>;
  /**
   * Also by an id without its variant where there is one variant alone, and without regard to case where that is
   * unambiguous. Throws NOT_FOUND, naming close ids, or INVALID_MODEL with why its files were refused, which they
   * are too when a blob is not any more what its digest says.
   */
  get(id: string): Promise<ModelRecord>;
  /** Files and folders that were refused, and why. */
  problems(): Promise<ModelProblem[]>;
}

export interface ModelProblem {
  /** Control and bidi characters are escaped. */
  path: string;
  error: AppError;
}

/** The models of a server: all its places to find some, and its own store, which it writes. */
export interface ModelLibrary extends ModelStore {
  /** A model that is opened: it cannot be removed until it is given back. Counts as use. */
  open(id: string): Promise<{ model: ModelRecord; release(): void }>;
  /**
   * Makes a model of blobs that are in the store. Reads and validates every header first: INVALID_MODEL, and
   * nothing is kept but the blobs. CONFLICT when the id is another model's.
   */
  put(manifest: ModelManifest): Promise<ModelRecord>;
  /**
   * Removes the model, and the blobs that no other has. CONFLICT while it is open, while it is pinned (without
   * `force`), and for what is not in bkg's store. Answers bytes.
   */
  remove(id: string, options?: { force?: boolean }): Promise<{ freedBytes: number }>;
  pin(id: string, pinned: boolean): Promise<ModelRecord>;
  /** Reads every byte again. A blob that is damaged makes its models INVALID_MODEL until they are pulled again. */
  verify(id: string, options?: VerifyOptions): Promise<VerifiedFile[]>;
  collectGarbage(options?: GarbageOptions): Promise<Garbage>;
  readonly blobs: BlobStore;
}

export interface VerifyOptions {
  signal?: AbortSignal;
  /** Bytes of all files read so far. */
  progress?: (doneBytes: number, totalBytes: number) => void;
}

export interface VerifiedFile {
  name: string;
  size: number;
  /** As the file should be; undefined where nobody ever said, and then it is as it was read. */
  expected: string | undefined;
  digest: string;
  ok: boolean;
}

export interface GarbageOptions {
  /** Also models that were not opened for so many days, but pinned and open ones. */
  unusedDays?: number;
  /** Only tells what would be removed. */
  dryRun?: boolean;
  /** Keys of partial files that a job still wants. */
  keepPartial?: ReadonlySet<string>;
}

export interface Garbage {
  freedBytes: number;
  models: string[];
  blobs: number;
  partials: number;
}

/** Files by their digest, below one folder: `blobs/sha256-<hex>`; what is not whole yet is in `partial/`. */
export interface BlobStore {
  /** Absolute: where `partial/` and `blobs/` are; on one file system. */
  readonly folder: string;
  /** The blob's size; undefined when it is not there. Digests are `sha256:<hex>`, else INVALID_INPUT. */
  find(digest: string): Promise<{ path: string; size: number } | undefined>;
  /** `partial/<key>/`, made if need be; keys are `[a-z0-9-]{1,80}`. */
  openPartial(key: string): Promise<string>;
  removePartial(key: string): Promise<void>;
  /** Moves a file that was hashed into its place, durably; a blob that is there already wins. */
  adopt(path: string, digest: string): Promise<void>;
}

/** What `manifests/` keeps of a pulled model: JSON that a person can read. */
export interface ModelManifest {
  version: 1;
  id: string;
  /** As it was asked for. */
  source: string;
  /** The hub's commit, or the URL's ETag: what was really pulled. */
  revision?: string;
  task?: ModelTask;
  license?: string;
  pinned: boolean;
  pulledAtMs: number;
  files: { name: string; size: number; digest: string }[];
}

/** No dot, space or combining mark first; no dot or space last. */
function idSegment(): string {
  const character = String.raw`[^/\\:*?"<>|\p{C}\p{Z}\p{DI}\u2044\u2215\u2236\u2800\u29f8\ua789]`;
  return String.raw`(?![. \p{M}])(?:${character}| )+(?<![. ])`;
}
