// What a plugin sees of the onnx engine (onnxruntime; any ONNX model, named tensors in and out).

import type { Tensor, TensorInfo } from "../../contract/tensor.ts";
import type { EngineInfo, LoadOptions, OpenModel } from "../engine.ts";

export type { Tensor, TensorData, TensorInfo, TensorType } from "../../contract/tensor.ts";

export interface OnnxEngine {
  /** Loads an ONNX model; throws INVALID_MODEL, OUT_OF_MEMORY, UNSUPPORTED_FEATURE or CANCELLED. */
  load(model: OpenModel, options?: OnnxLoadOptions): Promise<OnnxModel>;
}

export interface OnnxLoadOptions extends LoadOptions {
  /** Which of the model's ONNX files; needed where it brings several. */
  file?: string;
  /** Default "all". */
  optimization?: "all" | "basic" | "disabled";
  /** Fixes dynamic axes by their names, such as `{batch: 1}`: some backends run faster then (native checks it alone). */
  fixedAxes?: Readonly<Record<string, number>>;
  /** Called as the model's files are read. */
  progress?(readBytes: number): void;
}

export interface OnnxInfo extends EngineInfo {
  inputs: readonly TensorInfo[];
  outputs: readonly TensorInfo[];
}

export interface OnnxModel {
  info(): OnnxInfo;
  /** True once the engine has died or its device was lost (then calls throw UNAVAILABLE); load it anew. */
  readonly isBroken: boolean;
  /**
   * Runs the model; calls wait for each other. INVALID_INPUT names the input, what was expected and what came.
   * A cancelled run rejects at once, and what it computes is dropped.
   */
  run(inputs: Readonly<Record<string, Tensor>>, options?: RunOptions): Promise<OnnxResult>;
  /** Ends all calls and frees the memory; idempotent. */
  unload(): Promise<void>;
}

export interface RunOptions {
  /** The outputs to return; default all. */
  outputs?: readonly string[];
  signal?: AbortSignal;
}

export interface OnnxResult {
  outputs: Record<string, Tensor>;
  /** Milliseconds within onnxruntime. */
  runMs: number;
}
