// What the engine and its Worker say: one Worker for each loaded model, so that unloading gives memory back and one
// model's crash is no other's. Tensors go as they are, their buffers moved.

import type { Backend } from "../engine.ts";
import type { GpuNames } from "../gpu.ts";
import type { Tensor, TensorInfo } from "./interface.ts";

export interface LoadRequest {
  kind: "load";
  /** onnxruntime's own module and binary. */
  module: string;
  wasm: ArrayBuffer;
  model: ArrayBuffer;
  /** External data by the path that the model gives it. */
  external: readonly { path: string; data: ArrayBuffer }[];
  backend: Exclude<Backend, "native">;
  threads: number;
  optimization: "all" | "basic" | "disabled";
  fixedAxes: Readonly<Record<string, number>>;
}

export type WorkerRequest =
  /** Asks for nothing. */
  | { kind: "wake" }
  | LoadRequest
  | { kind: "run"; id: number; inputs: Record<string, Tensor>; outputs?: readonly string[] };

export type WorkerReply =
  | {
    kind: "loaded";
    version: string;
    backend: Exclude<Backend, "native">;
    threads: number;
    /** What the GPU calls itself, on WebGPU. */
    device?: GpuNames;
    inputs: TensorInfo[];
    outputs: TensorInfo[];
  }
  | { kind: "result"; id: number; outputs: Record<string, Tensor>; runMs: number }
  /** Without `id`: of the load. */
  | { kind: "error"; id?: number; message: string }
  /** The GPU is gone: nothing more runs here. */
  | { kind: "lost"; message: string };
