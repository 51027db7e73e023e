// The plugin's settings, as plugin.json declares them with their defaults, and the types of ctx with them.

import type { CallContext, PluginContext } from "@bkg/plugin";
import type { Candle } from "./candle.ts";

// A type, not an interface: ctx wants settings to be a plain record.
export type Settings = {
  backend: "auto" | "wasm" | "webgpu" | "native";
  threads: number;
  maxLoaded: number;
  keepAliveMs: number;
  maxBatch: number;
};

export type Context = PluginContext<Settings>;
export type Call = CallContext<Candle, Settings>;
export type OnnxModel = Awaited<ReturnType<Context["engines"]["onnx"]["load"]>>;
export type Tensor = Parameters<OnnxModel["run"]>[0][string];
export type TensorData = Tensor["data"];
export type TensorType = Tensor["type"];
export type TensorInfo = ReturnType<OnnxModel["info"]>["inputs"][number];

/** What an ONNX and a linear model have in common. */
export interface RunnableModel {
  readonly kind: "onnx" | "linear";
  /** Which of the model's files; of ONNX models of the host alone. */
  readonly file?: string;
  readonly backend: string;
  /** Of a native engine, such as "cpu". */
  readonly variant?: string;
  readonly threads: number;
  /** About what it takes of memory. */
  readonly bytes: number;
  readonly loadMs: number;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** False where rows that run together change each other's numbers. */
  readonly isBatchable: boolean;
  readonly isBroken: boolean;
  run(
    inputs: Readonly<Record<string, Tensor>>,
    options?: { outputs?: readonly string[]; signal?: AbortSignal },
  ): Promise<{ outputs: Record<string, Tensor>; runMs: number }>;
  unload(): Promise<void>;
}
