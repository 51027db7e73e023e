// What a loaded model takes: weights, KV cache, and what the engine itself needs, as bench/fit.ts measured it.
// Caller: fit.ts. Invariant: pure arithmetic; `MemoryTraits` may be guessed, the formulas are not.

import type { ModelShape } from "../model.ts";
import type { FitBackend } from "../fit.ts";

/** What the arithmetic wants to know of a model. */
export interface MemoryTraits {
  engine: "wllama" | "onnx";
  /** Bytes. */
  weights: number;
  /** Bytes of the KV cache for one token; 0 where the model keeps none. */
  kvBytesPerToken: number;
  vocabSize: number;
  /** Bytes of the largest single tensor, which is the embedding in a small model. */
  largestTensor: number;
}

export interface NeedOptions {
  backend: FitBackend;
  contextLength: number;
  parallel: number;
  threads: number;
}

/** Bytes. */
export interface MemoryNeeds {
  weights: number;
  kvCache: number;
  runtime: number;
  /** Of the WebAssembly heap, reserved pages included; 0 where there is none. */
  wasmHeap: number;
}

const mib = 1_048_576;

/** llama.cpp keeps keys and values in f16. */
const kvElementBytes = 2;
/** It gives each sequence a whole number of these, tokens. */
const contextStep = 256;
/** Tokens that are computed at once: `n_ubatch` of the wllama engine. */
const promptStep = 256;

/**
 * A cell with llama.cpp in WebAssembly, by parts: from some 25 runs of 0.3 M to 1.1 B parameters in q8_0, q4_0, f16 and
 * f32, with caches of 128 to 32,768 tokens, 0.3 to 3.7 GB in all. The worst was 7 % off.
 */
const wllama = {
  /** Deno, its three isolates, llama.cpp, and V8 compiling it twice. */
  base: 275 * mib,
  /** A token of the vocabulary: its text, its score, its place in a map. */
  perToken: 300,
  /** Each thread beyond the first is a Worker with an isolate. */
  perThread: 40 * mib,
  /** Read tensors that wait for their garbage collection: the model, up to this. */
  loading: 40 * mib,
  /** Of the heap alone: llama.cpp's graphs and buffers, and how far the heap grows ahead. */
  heapBase: 96 * mib,
} as const;

/** Not measured: llama.cpp outside WebAssembly starts no Worker and compiles nothing. */
const nativeBase = 200 * mib;
/** Not measured: onnxruntime-web holds the file, its own copy, and the activations of a step. */
const onnx = { base: 300 * mib, perWeight: 1.5 } as const;

export function kvBytesPerToken(shape: ModelShape): number {
  return shape.blockCount * shape.headCountKv * (shape.keyLength + shape.valueLength) *
    kvElementBytes;
}

export function computeNeeds(traits: MemoryTraits, options: NeedOptions): MemoryNeeds {
  const { weights } = traits;
  if (traits.engine === "onnx") {
    const runtime = onnx.base + weights * onnx.perWeight;
    return { weights, kvCache: 0, runtime, wasmHeap: 2 * weights + wllama.heapBase };
  }
  const { backend, contextLength, parallel, threads } = options;
  const tokens = Math.ceil(contextLength / contextStep) * contextStep * parallel;
  const kvCache = tokens * traits.kvBytesPerToken;
  // Logits of a whole step are reserved; an answer touches those of its last token alone.
  const logits = promptStep * traits.vocabSize * 4;
  const words = traits.vocabSize * wllama.perToken;
  switch (backend) {
    case "wasm":
      return {
        weights,
        kvCache,
        runtime: wllama.base + words + Math.min(weights, wllama.loading) +
          (threads - 1) * wllama.perThread,
        wasmHeap: weights + kvCache + logits + words + wllama.heapBase,
      };
    case "webgpu":
      // Weights and cache lie on the GPU; the embedding stays with the CPU, and each tensor passes through the heap.
      return {
        weights,
        kvCache,
        runtime: wllama.base + words + logits + 2 * traits.largestTensor,
        wasmHeap: wllama.heapBase + words + 2 * traits.largestTensor,
      };
    case "native":
      return { weights, kvCache, runtime: nativeBase + words + logits, wasmHeap: 0 };
  }
}
