// What the cell's main and the Worker of one native model say. What the main sends was checked; the Worker is trusted.

import type { OnnxOptimization } from "../../../plugins/runtime/contract/native_onnx.ts";
import type { Tensor, TensorInfo } from "../../../plugins/runtime/contract/tensor.ts";

export interface LoadOrder {
  kind: "load";
  /** The package's own folder. */
  folder: string;
  providers: readonly string[];
  model: ArrayBuffer;
  /** By the path that the graph gives it. */
  external: readonly { path: string; data: ArrayBuffer }[];
  threads: number;
  optimization: OnnxOptimization;
}

export interface RunOrder {
  kind: "run";
  inputs: Readonly<Record<string, Tensor>>;
  outputs: readonly string[];
}

export type SessionOrder = LoadOrder | RunOrder | { kind: "end" };

export type SessionReport =
  | { kind: "loaded"; inputs: TensorInfo[]; outputs: TensorInfo[] }
  | { kind: "result"; outputs: Record<string, Tensor>; runMs: number }
  /** Of the order before; `isEngine`: the machine code itself did not load. */
  | { kind: "error"; message: string; isEngine?: boolean }
  /** The memory is free. */
  | { kind: "ended" };
