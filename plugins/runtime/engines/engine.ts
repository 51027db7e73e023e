// What every engine offers to a plugin; the backend is data, and the one really used is reported.

import type { ModelSummary } from "../contract/model_summary.ts";

/** A Blob-like whose bytes are read by range: a file of a model on the server, OPFS in a page. */
export interface ModelFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer>; readonly size: number };
}

/** A model that the host opened for the plugin, and what the host knows of it. */
export interface OpenModel extends Readonly<ModelSummary> {
  readonly files: readonly ModelFile[];
  /** Until then nobody can remove the model. */
  close(): void;
}

export type Backend = "wasm" | "webgpu" | "native";

export interface LoadOptions {
  /** Wanted backend; default "wasm". */
  backend?: Backend;
  /** Wanted threads; the host's one budget for all plugins decides what is given. Default 1. */
  threads?: number;
  signal?: AbortSignal;
}

/** What an engine says of a loaded model: observed, not asked for. */
export interface EngineInfo {
  engine: string;
  engineVersion: string;
  backend: Backend;
  threads: number;
  /** Milliseconds that loading took. */
  loadMs: number;
}

/** What an engine needs of whoever hosts it. */
export interface EngineHost {
  /** Reads one of bkg's own assets, such as "wllama.wasm". */
  asset(name: string): Promise<ArrayBuffer>;
  /** Takes up to `wanted` threads of the host's budget (at least 1); `release` gives them back. */
  takeThreads(wanted: number): Promise<{ threads: number; release(): void }>;
}
