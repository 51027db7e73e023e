// Brings a GGUF model into llama.cpp: files by range, the backend asked for, and what was really got.

import { type CacheManager, Wllama } from "@wllama/wllama";
import { AppError } from "../../contract/error.ts";
import { chooseBackend, mayTakeWasm } from "../choose_backend.ts";
import type { EngineHost, ModelFile, OpenModel } from "../engine.ts";
import { gpuLost, gpuName, type GpuNames, noGpu, requireGpu } from "../gpu.ts";
import type { WllamaInfo, WllamaLoadOptions, WllamaModel } from "./interface.ts";
import { createModel } from "./model.ts";
import { loadNative } from "./native.ts";
import { type GpuListener, limitHeapGrowth, withWorkerCode } from "./worker_code.ts";

/** Loads `model`; nothing else may load meanwhile. */
export async function loadModel(
  host: EngineHost,
  model: OpenModel,
  options: WllamaLoadOptions,
): Promise<WllamaModel> {
  const started = performance.now();
  const { signal } = options;
  if (signal?.aborted) throw cancelled();
  const chosen = chooseBackend(options.backend, { host, model, engine: "llama" });
  if (chosen.backend === "native") {
    try {
      return await loadNative(host, model, { ...options, ...chosen });
    } catch (error) {
      if (!mayTakeWasm(options.backend, error)) throw error;
    }
  }
  const backend = chosen.backend === "webgpu" ? "webgpu" : "wasm";
  if (backend === "webgpu") await requireGpu(["shader-f16"]);
  const weights = findWeights(model, { ...options, backend });
  const lease = await host.takeThreads(Math.max(options.threads ?? 1, 1));
  const silence = new Silence(backend === "wasm" ? wasmSilenceMs : gpuSilenceMs);
  const gpu = new GpuWatch();
  const log = new EngineLog(silence);
  const reads = new FileReads(weights, (readBytes) => {
    silence.heard();
    options.progress?.(readBytes);
  });
  const ends = [silence.signal, gpu.loss, ...signal === undefined ? [] : [signal]];
  const given = AbortSignal.any(ends);
  const { use = "text" } = options;
  const parallel = use === "vectors" ? 1 : Math.max(options.parallel ?? 1, 1);
  let wllama: Wllama | undefined;
  try {
    const wasm = await host.asset("wllama.wasm");
    const contextLength = Math.min(
      options.contextLength ?? 4096,
      model.contextLength ?? Infinity,
      use === "vectors" ? maxVectorTokens : Infinity,
    );
    const loading = wllama = await withWorkerCode({ wasm, gpu }, async () => {
      // The WASM comes as bytes, so its address says nothing.
      // The empty cache manager keeps it from looking for OPFS; null keeps it from its CDN.
      const created = new Wllama({ default: "data:," }, {
        cacheManager: {} as CacheManager,
        logger: log,
      });
      created.setCompat(null);
      await interruptible(
        created,
        given,
        () =>
          created.loadModel(reads.files as unknown as Blob[], {
            n_ctx: contextLength * parallel,
            n_threads: lease.threads,
            n_parallel: parallel,
            n_gpu_layers: backend === "webgpu" ? 99_999 : 0,
            // It compiles what the GPU runs; WebAssembly has nothing to warm, and is not to be silent for long.
            warmup: backend === "webgpu",
            // Its own cache for each sequence: in a shared one a long call fails all the others.
            kv_unified: false,
            // What was asked before stays where it is, instead of being copied aside at each new call.
            cache_idle_slots: false,
            // How long a step takes: what a cancelled call or another's next token waits for.
            n_batch: use === "vectors" ? contextLength : promptStep,
            n_ubatch: use === "vectors" ? contextLength : promptStep,
            // A text is one step: its vector is made of all its tokens. A language model names no pooling.
            ...(use === "text" ? {} : {
              embeddings: true,
              ...(model.task === "embedding" ? {} : { pooling_type: "mean" as const }),
            }),
            // The answer is text; thoughts stay in it.
            skip_chat_parsing: true,
            reasoning_format: "none",
          }),
      );
      return created;
    });
    const loaded = loading.getLoadedContextInfo() as LoadedInfo;
    if (loaded.success === false) throw new Error("llama.cpp did not take the model");
    if (backend === "webgpu" && log.offloadedLayers === 0) {
      throw noGpu("llama.cpp left the whole model to the CPU");
    }
    limitHeapGrowth(workerOf(loading), (options.heapGrowthMb ?? 256) * 1_048_576);
    const info: WllamaInfo = {
      engine: "wllama",
      engineVersion: `llama.cpp ${Wllama.getLibllamaVersion()}`,
      backend: log.offloadedLayers > 0 ? "webgpu" : "wasm",
      threads: loading.getNumThreads(),
      ...(log.offloadedLayers > 0 ? { device: gpuName(gpu.names) } : {}),
      loadMs: performance.now() - started,
      contextLength: Math.min(Math.floor(loaded.n_ctx / parallel), loaded.n_ctx_train),
      trainedContextLength: loaded.n_ctx_train,
      parallel,
      hasChatTemplate: loading.getChatTemplate() !== null,
      bosToken: loading.getBOS(),
      eosToken: loading.getEOS(),
      vocabularySize: loaded.n_vocab,
      dimensions: loaded.n_embd,
    };
    return createModel({
      wllama: loading,
      info,
      use,
      lost: gpu.loss,
      release: lease.release,
    });
  } catch (cause) {
    await wllama?.exit();
    lease.release();
    if (signal?.aborted) throw cancelled();
    if (gpu.loss.aborted) throw gpu.loss.reason;
    throw reads.error ?? silence.error ?? toLoadError(cause, log);
  } finally {
    silence.end();
  }
}

/** While llama.cpp loads a model it also renders its chat template, which may never end. */
const wasmSilenceMs = 20_000;
const gpuSilenceMs = 120_000;

const promptStep = 256;
/** The memory of a step grows with it. */
const maxVectorTokens = 2048;
const maxFileBytes = 2 ** 31 - 1;
const maxHeapBytes = 2 ** 32;

interface LoadedInfo {
  success?: boolean;
  n_ctx: number;
  n_ctx_train: number;
  n_vocab: number;
  n_embd: number;
}

/** What llama.cpp reads, known by name: a model may bring more, and wllama would take all for its parts. */
function findWeights(
  { id, files }: OpenModel,
  { backend = "wasm" }: WllamaLoadOptions,
): ModelFile[] {
  const weights = files.filter(({ name }) => /\.gguf$/i.test(name));
  if (weights.length === 0) {
    throw new AppError("INVALID_MODEL", `The model "${id}" has no GGUF file`);
  }
  const large = weights.find(({ size }) => size > maxFileBytes);
  if (large !== undefined) {
    throw new AppError(
      "UNSUPPORTED_FEATURE",
      `"${large.name}" has ${large.size} bytes, WebAssembly reads at most ${maxFileBytes} of one file: pull a split or smaller quantisation`,
      { details: { fileBytes: large.size, maxFileBytes } },
    );
  }
  const totalBytes = weights.reduce((sum, { size }) => sum + size, 0);
  // On a GPU the weights lie elsewhere.
  if (backend === "wasm" && totalBytes >= maxHeapBytes) {
    throw new AppError(
      "OUT_OF_MEMORY",
      `The model "${id}" has ${totalBytes} bytes, WebAssembly addresses ${maxHeapBytes}: pull a smaller quantisation`,
      { details: { totalBytes, maxHeapBytes } },
    );
  }
  return weights;
}

/** wllama cannot be told to stop loading; its Worker can be ended, and what waits for it failed. */
async function interruptible(
  wllama: Wllama,
  signal: AbortSignal,
  load: () => Promise<void>,
): Promise<void> {
  const interrupt = () => {
    const { proxy } = wllama as unknown as { proxy?: { abort(text: string, stack: string): void } };
    wllama.exit();
    proxy?.abort("interrupted", "");
  };
  signal.throwIfAborted();
  signal.addEventListener("abort", interrupt, { once: true });
  try {
    await load();
    signal.throwIfAborted();
  } catch (error) {
    await wllama.exit();
    throw error;
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
}

/** Fires when nothing was heard of the engine for too long. */
class Silence {
  error: AppError | undefined;
  readonly #limitMs: number;
  readonly #broken = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
    this.heard();
  }

  get signal(): AbortSignal {
    return this.#broken.signal;
  }

  heard(): void {
    clearTimeout(this.#timer);
    if (this.#ended) return;
    this.#timer = setTimeout(() => {
      this.error = new AppError(
        "INVALID_MODEL",
        `The engine was silent for ${
          this.#limitMs / 1000
        } s while it loaded the model: its chat template may not end`,
        { details: { limitMs: this.#limitMs } },
      );
      this.#broken.abort(this.error);
    }, this.#limitMs);
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }
}

function cancelled(): AppError {
  return new AppError("CANCELLED", "The load was cancelled");
}

function workerOf(wllama: Wllama): Worker {
  return (wllama as unknown as { proxy: { worker: Worker } }).proxy.worker;
}

function toLoadError(cause: unknown, log: EngineLog): AppError {
  if (cause instanceof AppError && cause.code !== "INVALID_INPUT") return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const reason = log.lastError ?? message;
  if (/alloc|out of memory|OOM|heap/i.test(`${reason} ${message}`)) {
    return new AppError("OUT_OF_MEMORY", `The model does not fit into memory: ${reason}`, {
      cause,
    });
  }
  return new AppError("INVALID_MODEL", `The model did not load: ${reason}`, { cause });
}

/** What the engine says, as far as it matters: its last error, and where the layers went. */
class EngineLog {
  offloadedLayers = 0;
  lastError: string | undefined;
  readonly #silence: Silence;

  constructor(silence: Silence) {
    this.#silence = silence;
  }

  debug = (...line: unknown[]) => this.#read(line);
  log = (...line: unknown[]) => this.#read(line);
  warn = (...line: unknown[]) => this.#read(line);
  error = (...line: unknown[]) => {
    const [text] = line;
    if (typeof text === "string" && text.trim() !== "" && !text.startsWith("Stack trace")) {
      this.lastError = text.trim().slice(0, 500);
    }
  };

  #read([text]: unknown[]): void {
    this.#silence.heard();
    const found = typeof text === "string" ? /offloaded (\d+)\/\d+ layers to GPU/.exec(text) : null;
    if (found !== null) this.offloadedLayers = Number(found[1]);
  }
}

/** The GPU that llama.cpp took; `loss` fires with an AppError once it is gone. */
class GpuWatch implements GpuListener {
  readonly #loss = new AbortController();
  readonly loss = this.#loss.signal;
  names: GpuNames | undefined;

  taken = (names: GpuNames) => void (this.names = names);
  lost = (reason: string) => this.#loss.abort(gpuLost(reason));
}

/** The model's files, telling how much was read and why a read failed. */
class FileReads {
  error: unknown;
  readonly files: ModelFile[];

  constructor(files: readonly ModelFile[], progress: ((readBytes: number) => void) | undefined) {
    let readBytes = 0;
    this.files = files.map((file) => ({
      name: file.name,
      size: file.size,
      slice: (start, end) => {
        const part = file.slice(start, end);
        return {
          size: part.size,
          arrayBuffer: async () => {
            try {
              const buffer = await part.arrayBuffer();
              readBytes += buffer.byteLength;
              progress?.(readBytes);
              return buffer;
            } catch (error) {
              this.error ??= error;
              throw error;
            }
          },
        };
      },
    }));
  }
}
