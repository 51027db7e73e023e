// The transformers engine: text encoders on the onnx engine. The boot loads this as a module of its own.

import type { EngineHost } from "../engine.ts";
import { createOnnxEngine } from "../onnx/mod.ts";
import type { TransformersEngine } from "./interface.ts";
import { loadTextEncoder } from "./load.ts";

export type * from "./interface.ts";

export function createTransformersEngine(host: EngineHost): TransformersEngine {
  const onnx = createOnnxEngine(host);
  return { load: (model, options = {}) => loadTextEncoder(onnx, model, options) };
}
