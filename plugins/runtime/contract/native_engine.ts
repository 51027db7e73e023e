// Native engines: what the operator added to the server, run by a cell's main for models that are trusted.
// The engines in the plugin's Worker ask for them by name; a page has none.

export const nativeEngineNames = ["llama", "onnxruntime"] as const;
export type NativeEngineName = typeof nativeEngineNames[number];

/** What the machine's code is made for: its CPU, or a GPU. */
export const nativeVariants = ["cpu", "vulkan", "cuda"] as const;
export type NativeVariant = typeof nativeVariants[number];

/** A native engine that a cell may use. */
export interface NativeEngine {
  engine: NativeEngineName;
  variant: NativeVariant;
  /** Of its package. */
  version: string;
}

/** Methods of a native engine, as the Worker calls them in the cell's main: "llama.load". */
export function nativeEngineOf(method: string): NativeEngineName | undefined {
  return nativeEngineNames.find((name) => method.startsWith(`${name}.`));
}
