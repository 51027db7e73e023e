// Whether a model fits a machine: predicts the peak of loading it and giving one answer, and names what limits.
// Callers: the catalogue's route, the CLI, the page. Measured against by bench/fit.ts, within 20 %.

import type { CatalogModel } from "./catalog.ts";
import { guessTraits, parseParameters } from "./fit/guess.ts";
import { findLimit } from "./fit/limits.ts";
import { computeNeeds, kvBytesPerToken, type MemoryTraits } from "./fit/needs.ts";
import type { ModelRecord, ModelShape } from "./model.ts";
import { parseSource } from "./source.ts";

export type FitBackend = "wasm" | "webgpu" | "native";

export type FitResource =
  | "memory"
  | "wasm memory"
  | "plugin's memory limit"
  | "file size"
  | "disk"
  | "gpu memory";

export interface FitLimit {
  resource: FitResource;
  neededBytes: number;
  availableBytes: number;
}

/** A machine as far as a model cares; a page fills in what it can know of its own. */
export interface MachineFacts {
  /** Whole ones that this process may keep busy. */
  cores: number;
  memoryBytes: number;
  availableBytes: number;
  diskFreeBytes: number;
  diskTotalBytes: number;
  /** Undefined: not asked, or no answer. */
  webgpu:
    | { available: boolean; adapter?: string; software?: boolean; maxBufferBytes?: number }
    | undefined;
  /** The limit of the plugin that loads language models. */
  pluginMemoryBytes?: number;
  os: string;
  arch: string;
}

/** What is known of a model, here or in the catalogue. */
export interface FitModel {
  engine: "wllama" | "onnx";
  /** Bytes of all files; null: guessed from `parameters` and `quantization`. */
  size: number | null;
  /** Bytes; default `size`. */
  largestFileBytes?: number;
  /** Whether its files are on this machine, so that they need no more disk. */
  installed: boolean;
  shape: ModelShape | undefined;
  /** Tokens that it was trained for. */
  contextLength: number | null;
  parameterCount: number | undefined;
  quantization: string | undefined;
}

export interface FitOptions {
  backend: FitBackend;
  /** Default: a page for webgpu, else the server. Plugins of the server have no GPU. */
  home?: "server" | "browser";
  /** Tokens of one call. Default as llmserver's: 4096. */
  contextLength?: number;
  /** Calls at once, each with a context of its own. Default as llmserver's: 4. */
  parallel?: number;
  /** Default 1. */
  threads?: number;
}

export interface Fit {
  backend: FitBackend;
  home: "server" | "browser";
  /**
   * Bytes. On the server the resident memory of the plugin's process at its peak, all of it: the process itself, the
   * loading, one answer. For webgpu what lies on the GPU is counted too.
   */
  peakBytes: number;
  /** They add up to the peak. `weights` is 0 where neither a size nor a name tells them. */
  parts: { weights: number; kvCache: number; runtime: number };
  fits: boolean;
  /** What there is least of for its need; only when the model does not fit. */
  limitedBy?: FitLimit;
  /** The longest context that fits with so many calls at once, tokens; 0: none does, absent: it keeps none. */
  contextLength?: number;
  /** Whether size and shape are known and the formula was measured; else the figures are rough. */
  exact: boolean;
}

export const fitDefaults = { contextLength: 4096, parallel: 4, threads: 1 } as const;

export function estimateFit(model: FitModel, machine: MachineFacts, options: FitOptions): Fit {
  const { backend, parallel = fitDefaults.parallel, threads = fitDefaults.threads } = options;
  const home = options.home ?? (backend === "webgpu" ? "browser" : "server");
  const { traits, exact } = readTraits(model);
  const trained = model.contextLength ?? maxContextLength;
  const wanted = Math.min(options.contextLength ?? fitDefaults.contextLength, trained);

  const needsAt = (contextLength: number) =>
    computeNeeds(traits, { backend, contextLength, parallel, threads });
  const limitsAt = (contextLength: number) =>
    findLimit({ model, machine, backend, home, traits, needs: needsAt(contextLength) });

  const { weights, kvCache, runtime } = needsAt(wanted);
  const limitedBy = limitsAt(wanted);
  return {
    backend,
    home,
    peakBytes: Math.round(weights + kvCache + runtime),
    parts: { weights, kvCache, runtime: Math.round(runtime) },
    fits: limitedBy === undefined,
    ...(limitedBy === undefined ? {} : { limitedBy }),
    ...(traits.kvBytesPerToken === 0 ? {} : {
      contextLength: findLongest(Math.min(trained, maxContextLength), (length) => {
        return limitsAt(length) === undefined;
      }),
    }),
    exact: exact && backend === "wasm" && home === "server" && model.engine === "wllama",
  };
}

/** What the estimate reads of a model that is here; where its files lie does not matter. */
type KnownFacts =
  & Pick<
    ModelRecord,
    "format" | "size" | "shape" | "contextLength" | "parameterCount" | "quantization"
  >
  & { files: readonly { size: number }[] };

/** What a model of a store is to the estimate. */
export function describeRecord(record: KnownFacts): FitModel {
  return {
    engine: record.format === "gguf" ? "wllama" : "onnx",
    size: record.size,
    largestFileBytes: Math.max(...record.files.map(({ size }) => size)),
    installed: true,
    shape: record.shape,
    contextLength: record.contextLength ?? null,
    parameterCount: record.parameterCount,
    quantization: record.quantization,
  };
}

/** The same for an entry of the catalogue that is not installed. */
export function describeCatalogModel(model: CatalogModel): FitModel {
  const source = parseSource(model.source);
  return {
    engine: model.engine,
    size: model.size,
    installed: false,
    shape: undefined,
    contextLength: model.contextLength,
    parameterCount: model.parameters === undefined ? undefined : parseParameters(model.parameters),
    quantization: source.kind === "hub" ? readQuantization(source.variant) : undefined,
  };
}

function readTraits(model: FitModel): { traits: MemoryTraits; exact: boolean } {
  const { engine, size, shape, quantization } = model;
  const guessed = guessTraits({ parameters: model.parameterCount ?? size ?? 0, quantization });
  const weights = size ?? guessed.weights;
  if (engine === "onnx" || shape === undefined) {
    const kvBytesPerToken = engine === "onnx" ? 0 : guessed.kvBytesPerToken;
    return { traits: { ...guessed, engine, weights, kvBytesPerToken }, exact: false };
  }
  const elements = shape.vocabSize * shape.embeddingLength;
  const bytesPerElement = weights / (model.parameterCount ?? weights);
  const traits: MemoryTraits = {
    engine,
    weights,
    kvBytesPerToken: kvBytesPerToken(shape),
    vocabSize: shape.vocabSize,
    largestTensor: Math.round(elements * bytesPerElement),
  };
  return { traits, exact: size !== null };
}

/** The largest multiple of the step, or the end itself, at which `fits` still holds; 0 when it never does. */
function findLongest(end: number, fits: (length: number) => boolean): number {
  if (fits(end)) return end;
  let low = 0;
  let high = Math.ceil(end / contextStep);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle * contextStep)) low = middle;
    else high = middle;
  }
  return low * contextStep;
}

/** From a quantization, or a file that is named after one: `onnx/model_quantized.onnx`. */
function readQuantization(variant: string | undefined): string | undefined {
  if (variant === undefined || !variant.endsWith(".onnx")) return variant;
  const name = /_(quantized|u?int8|fp16|q4\w*|bnb4)\.onnx$/.exec(variant)?.[1];
  return name === "quantized" ? "int8" : name ?? "F32";
}

/** Above llmserver's largest setting nothing is gained. */
const maxContextLength = 131_072;
const contextStep = 256;
