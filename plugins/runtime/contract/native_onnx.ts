// What the onnx engine in a plugin's Worker and onnxruntime in the cell's main say to each other, by the methods
// "onnxruntime.load", "onnxruntime.run" and "onnxruntime.unload". The main checks all of it: it is plugin-authored.

import type { Tensor, TensorInfo } from "./tensor.ts";

export const onnxOptimizations = ["all", "basic", "disabled"] as const;
export type OnnxOptimization = typeof onnxOptimizations[number];

/** Files by the host's numbers of them. */
export interface NativeOnnxLoad {
  graph: number;
  /** Weights beside the graph, by the path that it gives them. */
  external: readonly { path: string; handle: number }[];
  threads: number;
  optimization: OnnxOptimization;
}

export interface NativeOnnxLoaded {
  /** Names the model in the other calls. */
  session: number;
  threads: number;
  inputs: TensorInfo[];
  outputs: TensorInfo[];
}

export interface NativeOnnxRun {
  session: number;
  inputs: Readonly<Record<string, Tensor>>;
  /** Default all. */
  outputs?: readonly string[];
}

export interface NativeOnnxResult {
  outputs: Record<string, Tensor>;
  /** Milliseconds within onnxruntime. */
  runMs: number;
}

export interface NativeOnnxUnload {
  session: number;
}
