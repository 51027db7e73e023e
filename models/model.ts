// What bkg knows of a model on this host, and the interface that finds it.
// Stores: the folder store (Deno), OPFS (page). Only files whose header was validated become records.

import type { AppError } from "../plugins/runtime/contract/error.ts";

export interface ModelRecord {
  /** The file name without `.gguf`; for a split model the name that its parts share. */
  id: string;
  format: "gguf";
  /** Bytes of all files. */
  size: number;
  /** More than one for a split model: its parts in order. */
  files: ModelFile[];
  name?: string;
  description?: string;
  license?: string;
  architecture: string;
  parameterCount: number;
  quantization: string;
  /** Tokens; undefined when the file does not say. */
  contextLength: number | undefined;
  /** Whether the file brings a chat template. */
  chatTemplate: boolean;
  createdAtMs: number;
}

export interface ModelFile {
  name: string;
  /** Where the store finds it; absolute in the folder store. */
  path: string;
  /** Bytes. */
  size: number;
}

export interface ModelStore {
  /** Every valid model, sorted by id. */
  list(): Promise<ModelRecord[]>;
  /** Throws NOT_FOUND, naming close ids, or INVALID_MODEL with why the file was refused. */
  get(id: string): Promise<ModelRecord>;
  /** Files and folders that were refused, and why. */
  problems(): Promise<ModelProblem[]>;
}

export interface ModelProblem {
  /** Control and bidi characters are escaped. */
  path: string;
  error: AppError;
}
