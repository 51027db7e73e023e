// The wllama engine: GGUF models through llama.cpp in WebAssembly. The boot loads this as a module of its own.

import type { EngineHost, OpenModel } from "../engine.ts";
import type { WllamaEngine, WllamaLoadOptions } from "./interface.ts";
import { loadModel } from "./load.ts";

export type * from "./interface.ts";

export function createWllamaEngine(host: EngineHost): WllamaEngine {
  let last: Promise<unknown> = Promise.resolve();
  return {
    load(model: OpenModel, options: WllamaLoadOptions = {}) {
      const loading = last.then(() => loadModel(host, model, options));
      last = loading.catch(() => {});
      return loading;
    },
  };
}
