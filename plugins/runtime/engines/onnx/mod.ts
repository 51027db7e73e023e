// The onnx engine: any ONNX model through onnxruntime, each in a Worker of its own. The boot loads this as a module.

import type { EngineHost } from "../engine.ts";
import type { OnnxEngine } from "./interface.ts";
import { loadModel } from "./load.ts";

export type * from "./interface.ts";

export function createOnnxEngine(host: EngineHost): OnnxEngine {
  return { load: (model, options = {}) => loadModel(host, model, options) };
}
