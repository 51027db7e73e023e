// What each engine is made of beside its module "engines/<name>.js": files by the names under which it asks its host for
// them. The build makes them, a cell's main and a page hand them over, and nothing else.

import type { EngineName } from "./manifest.ts";

const onnxruntime = ["onnx_worker.js", "ort.mjs", "ort.wasm"];

export const engineAssets: Readonly<Record<EngineName, readonly string[]>> = {
  wllama: ["wllama.wasm", "chat_template.js"],
  onnx: onnxruntime,
  transformers: onnxruntime,
  webllm: [],
};

/** Of these there is a second build, for browsers whose WebAssembly cannot wait for a promise (JSPI). */
export const asyncifyAssets: ReadonlySet<string> = new Set(onnxruntime);

/** Where an asset lies in the folder of the build. */
export function assetPath(name: string, { canSuspend }: { canSuspend: boolean }): string {
  return `engines/${!canSuspend && asyncifyAssets.has(name) ? "asyncify/" : ""}${name}`;
}
