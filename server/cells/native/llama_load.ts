// Brings a trusted model into llama.cpp: its files by path, its weights read into memory (a file that changes under a
// mapped model would crash the cell), its context.

import { basename } from "node:path";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type { LlamaLoad } from "../../../plugins/runtime/contract/native_llama.ts";
import type { FileReads } from "../file_reads.ts";
import type { AddonContext, AddonModel, OpenedAddon } from "./llama_addon.ts";
import type { NativeVariant } from "../../../plugins/runtime/contract/native_engine.ts";
import { promptStep } from "./llama_scheduler.ts";

export interface LoadedWeights {
  model: AddonModel;
  context: AddonContext;
  /** Tokens that one call may use. */
  contextLength: number;
}

/** Throws FORBIDDEN, INVALID_MODEL, OUT_OF_MEMORY, UNSUPPORTED_FEATURE or CANCELLED. */
export async function loadWeights(
  { addon, log }: OpenedAddon,
  wanted: LlamaLoad,
  { files, variant, signal, progress }: {
    files: FileReads;
    variant: NativeVariant;
    signal: AbortSignal;
    progress(loaded: number): void;
  },
): Promise<LoadedWeights> {
  const path = await findFirstPart(files, wanted.files);
  await log.takeError();
  const model = new addon.AddonModel(path, {
    addonExports: addon,
    useMmap: false,
    gpuLayers: variant === "cpu" ? 0 : allLayers,
    hasLoadAbortSignal: true,
    onLoadProgress: progress,
    // The addon cannot be told how to pool, but what the header says can be added to.
    overridesList: wanted.meanPooling === undefined
      ? []
      : [[`${wanted.meanPooling}.pooling_type`, meanPoolingType, 0]],
  });
  const abort = () => model.abortActiveModelLoad();
  signal.addEventListener("abort", abort, { once: true });
  let context: AddonContext | undefined;
  try {
    signal.throwIfAborted();
    if (!await model.init()) throw new Error("llama.cpp did not take the model");
    signal.throwIfAborted();
    const { parallel, threads, use } = wanted;
    const trained = model.getTrainContextSize();
    const tokens = trained > 0 ? Math.min(wanted.contextLength, trained) : wanted.contextLength;
    const isText = use === "text";
    context = new addon.AddonContext(model, {
      contextSize: tokens * parallel,
      batchSize: isText ? promptStep + parallel : tokens,
      sequences: parallel,
      threads,
      embeddings: !isText,
      flashAttention: "auto",
    });
    if (!await context.init()) throw new Error("there is no memory for its context");
    signal.throwIfAborted();
    const given = Math.floor(context.getContextSize() / parallel);
    // llama.cpp rounds a small context up, but not the batch that it sizes by it: one more token would end the process.
    const contextLength = isText ? Math.min(given, tokens) : tokens;
    return { model, context, contextLength };
  } catch (cause) {
    await context?.dispose();
    await model.dispose();
    if (signal.aborted) throw new AppError("CANCELLED", "The load was cancelled");
    throw toLoadError(cause, await log.takeError(), path);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** More than any model has. */
const allLayers = 99_999;
/** llama.h, LLAMA_POOLING_TYPE_MEAN. */
const meanPoolingType = 1;

/**
 * llama.cpp is given the first part, and finds the others by its name: so each that it will open must be one that the
 * host opened, under the name that llama.cpp will ask for.
 */
async function findFirstPart(files: FileReads, handles: readonly number[]): Promise<string> {
  const paths = await Promise.all(handles.map((handle) => files.trustedPath(handle)));
  const [first] = paths;
  if (first === undefined) throw new AppError("INVALID_MODEL", "The model has no GGUF file");
  const part = /^(.*)-00001-of-(\d{5})\.gguf$/.exec(first);
  const count = part === null ? 1 : Number(part[2]);
  const isNamed = paths.length === count &&
    paths.every((path, at) =>
      count === 1 || path === `${part?.[1]}-${String(at + 1).padStart(5, "0")}-of-${part?.[2]}.gguf`
    );
  if (!isNamed) {
    throw new AppError(
      "UNSUPPORTED_FEATURE",
      "The native backend reads a model of several files only where they lie side by side, by llama.cpp's names",
    );
  }
  return first;
}

function toLoadError(cause: unknown, logged: string | undefined, path: string): AppError {
  if (cause instanceof AppError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const reason = (logged ?? message).replaceAll(path, basename(path));
  if (/alloc|memory/i.test(`${reason} ${message}`)) {
    return new AppError("OUT_OF_MEMORY", `The model does not fit into memory: ${reason}`, {
      cause,
    });
  }
  return new AppError("INVALID_MODEL", `The model did not load: ${reason}`, { cause });
}
