// llama.cpp's machine code: node-llama-cpp's Node-API addon, as far as it is used, without node-llama-cpp's JavaScript
// (docs/decisions/0018). One in a process: its backends and its log are global.

import { join } from "node:path";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type { InstalledEngine } from "./native_engines.ts";

export interface LlamaAddon {
  AddonModel: new (path: string, options: ModelOptions) => AddonModel;
  AddonContext: new (model: AddonModel, options: ContextOptions) => AddonContext;
  AddonSampler: new (model: AddonModel) => AddonSampler;
  /** Takes GBNF; throws where it cannot be read. */
  AddonGrammar: new (text: string, options: object) => AddonGrammar;
  AddonGrammarEvaluationState: new (model: AddonModel, grammar: AddonGrammar) => GrammarState;
  markLoaded(): boolean;
  setLogger(log: (level: number, message: string) => void): void;
  setLoggerLogLevel(level: number): void;
  loadBackends(folder: string): void;
  init(): Promise<void>;
  getGpuType(): "cuda" | "vulkan" | "metal" | false | undefined;
}

interface ModelOptions {
  addonExports: LlamaAddon;
  useMmap: boolean;
  gpuLayers: number;
  hasLoadAbortSignal: boolean;
  /** From 0 to 1. */
  onLoadProgress(loaded: number): void;
  /** Of the header: type 0 is a whole number. */
  overridesList: [key: string, value: number, type: 0][];
}

export interface AddonModel {
  init(): Promise<boolean>;
  abortActiveModelLoad(): void;
  dispose(): Promise<void>;
  /** Without first and last token. */
  tokenize(text: string, specialTokens: boolean): Uint32Array<ArrayBuffer>;
  detokenize(tokens: Uint32Array, specialTokens: boolean): string;
  getTrainContextSize(): number;
  getEmbeddingVectorSize(): number;
  getVocabularyType(): number;
  /** As the vocabulary writes it. */
  getTokenString(token: number): string | undefined;
  getTokenAttributes(token: number): number;
  isEogToken(token: number): boolean;
  /** -1 where there is none. */
  tokenBos(): number;
  tokenEos(): number;
  tokenSep(): number;
  shouldPrependBosToken(): boolean;
  shouldAppendEosToken(): boolean;
  getMemoryBreakdown(): MemoryBreakdown;
}

interface ContextOptions {
  contextSize: number;
  batchSize: number;
  sequences: number;
  threads: number;
  embeddings: boolean;
  flashAttention: "auto";
}

export interface AddonContext {
  init(): Promise<boolean>;
  dispose(): Promise<void>;
  getContextSize(): number;
  initBatch(size: number): void;
  /** Answers where in the batch the logits of the tokens at `logitIndexes` will be. */
  addToBatch(
    sequence: number,
    position: number,
    tokens: Uint32Array,
    logitIndexes: Uint32Array,
  ): Uint32Array;
  decodeBatch(): Promise<void>;
  /** -1 where no token is left to choose. */
  sampleToken(batchIndex: number, sampler: AddonSampler): Promise<number>;
  /** Also the logits: of the `top` likeliest, likeliest first, then of `tokens`; and the sum of exp(logit - largest). */
  sampleToken(
    batchIndex: number,
    sampler: AddonSampler,
    probabilities: false,
    confidence: false,
    logits: [tokens: number[], max: false, min: false, selected: false, top: number],
    weight: true,
  ): Promise<
    [token: number, probabilities: undefined, confidence: number, logits: number[], weight: number]
  >;
  /** False where the model cannot forget a part. */
  removeTokenCellsFromSequence(sequence: number, start: number, end: number): boolean;
  getSequenceKvCacheMinPosition(sequence: number): number;
  disposeSequence(sequence: number): void;
  /** Of the sequence 0. */
  getEmbedding(tokens: number): Float64Array;
  getThreads(): number;
  getMemoryBreakdown(): MemoryBreakdown;
}

interface MemoryBreakdown {
  cpuRam: number;
  gpuVram: number;
}

export interface AddonSampler {
  applyConfig(config: {
    temperature: number;
    topP?: number;
    topK?: number;
    minP?: number;
    seed?: number;
    repeatPenalty?: number;
    repeatPenaltyMaxTokens?: number;
    repeatPenaltyTokens?: Uint32Array;
    repeatPenaltyPresencePenalty?: number;
    repeatPenaltyFrequencyPenalty?: number;
    grammarEvaluationState?: GrammarState;
  }): void;
  dispose(): void;
}

declare const kind: unique symbol;
type AddonGrammar = { readonly [kind]: "grammar" };
type GrammarState = { readonly [kind]: "grammar state" };

export interface OpenedAddon {
  addon: LlamaAddon;
  /** llama.cpp's release that it was made of. */
  build: string;
  log: LlamaLog;
}

/** Loads the machine code. Throws UNSUPPORTED_FEATURE where it does not run here, or finds no GPU that it is made for. */
export async function openAddon(
  { engine, folder, variant, version }: InstalledEngine,
): Promise<OpenedAddon> {
  const { createRequire } = await import("node:module");
  try {
    const binaries = findBinaries(join(folder, "bins"));
    const path = join(binaries, addonName);
    const addon = createRequire(path)(path) as LlamaAddon;
    const log = new LlamaLog();
    addon.markLoaded();
    addon.setLogger((level, message) => log.read(level, message));
    addon.setLoggerLogLevel(logLevel.warn);
    addon.loadBackends(binaries);
    await addon.init();
    if (variant !== "cpu" && addon.getGpuType() !== variant) {
      throw new AppError("UNSUPPORTED_FEATURE", `The native engine "${variant}" finds no GPU here`);
    }
    return { addon, build: readBuild(binaries), log };
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    // For the operator, who can mend it; the plugin need not know where it lies.
    console.error(cause instanceof Error ? cause.message : String(cause));
    const problem = `The native engine "${engine}" ${version} does not start here`;
    throw new AppError("UNSUPPORTED_FEATURE", problem, { cause });
  }
}

/** What llama.cpp says went wrong. It says so on its own thread, and it comes here a moment later. */
export class LlamaLog {
  #error: string | undefined;

  read(level: number, message: string): void {
    const text = message.trim();
    // The first says why, those after it what came of that.
    if (level === logLevel.error && text !== "") this.#error ??= text.slice(0, 500);
  }

  /** The first error since the last time this was asked. */
  async takeError(): Promise<string | undefined> {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const error = this.#error;
    this.#error = undefined;
    return error;
  }
}

const addonName = "llama-addon.node";
/** The addon's own numbers. */
const logLevel = { error: 2, warn: 3 } as const;

/** The one folder of a package that holds the addon: "linux-x64", "linux-x64-vulkan". */
function findBinaries(bins: string): string {
  for (const { name } of Deno.readDirSync(bins)) {
    const folder = join(bins, name);
    if ([...Deno.readDirSync(folder)].some((entry) => entry.name === addonName)) return folder;
  }
  throw new Error(`there is no "${addonName}" in its package`);
}

function readBuild(binaries: string): string {
  const text = Deno.readTextFileSync(join(binaries, "_nlcBuildMetadata.json"));
  const { buildOptions } = JSON.parse(text) as {
    buildOptions?: { llamaCpp?: { release?: string } };
  };
  return buildOptions?.llamaCpp?.release ?? "of unknown version";
}
