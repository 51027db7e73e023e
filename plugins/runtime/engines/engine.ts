// What every engine offers to a plugin; the backend is data, and the one really used is reported.

import type { ModelSummary } from "../contract/model_summary.ts";
import type { NativeEngine, NativeVariant } from "../contract/native_engine.ts";

/** A Blob-like whose bytes are read by range: a file of a model on the server, OPFS in a page. */
export interface ModelFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer>; readonly size: number };
  /** The host's number of it, by which a native engine opens it; a page's files have none that matter. */
  readonly handle?: number;
}

/** A model that the host opened for the plugin, and what the host knows of it. */
export interface OpenModel extends Readonly<ModelSummary> {
  readonly files: readonly ModelFile[];
  /** Until then nobody can remove the model. */
  close(): void;
}

/** What an engine can run on: WebAssembly anywhere, the GPU by WebGPU, the machine's own code. */
export const backends = ["wasm", "webgpu", "native"] as const;
export type Backend = typeof backends[number];

/** `auto`: native where the operator added that engine and the model is trusted, else wasm. */
export type WantedBackend = Backend | "auto";

export interface LoadOptions {
  /** Wanted backend; default "wasm". UNSUPPORTED_FEATURE where it cannot be had: no other is taken in its place. */
  backend?: WantedBackend;
  /** Wanted threads; the host's one budget for all plugins decides what is given. Default 1. */
  threads?: number;
  signal?: AbortSignal;
}

/** What an engine says of a loaded model: observed, not asked for. */
export interface EngineInfo {
  engine: string;
  engineVersion: string;
  backend: Backend;
  /** What the machine's own code is made for; of the native backend alone. */
  variant?: NativeVariant;
  threads: number;
  /** What the GPU calls itself, on WebGPU: a driver that reckons on the CPU, such as "llvmpipe", says so here. */
  device?: string;
  /** Milliseconds that loading took. */
  loadMs: number;
}

/** What an engine needs of whoever hosts it. */
export interface EngineHost {
  /** Reads one of bkg's own assets, such as "wllama.wasm". */
  asset(name: string): Promise<ArrayBuffer>;
  /** Takes up to `wanted` threads of the host's budget (at least 1); `release` gives them back. */
  takeThreads(wanted: number): Promise<{ threads: number; release(): void }>;
  /** Absent in a page. */
  readonly native?: NativeHost;
}

/** The native engines in the trusted main of the cell, which alone can load machine code. */
export interface NativeHost {
  readonly engines: readonly NativeEngine[];
  /** `method` is "llama.load"; the main answers, or rejects AppError. */
  call(method: string, input: unknown, options?: NativeCallOptions): Promise<unknown>;
  stream(
    method: string,
    input: unknown,
    options?: NativeCallOptions,
  ): AsyncGenerator<unknown, unknown>;
}

export interface NativeCallOptions {
  signal?: AbortSignal;
  /** Takes a result that came after the caller had left. */
  onLate?: (value: unknown) => void;
  transfer?: Transferable[];
}
