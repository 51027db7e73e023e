// The models in memory: those that write text, those that make vectors, those that score. Each kind has room of its own,
// so that a search does not push out the model that one chats with.

import { MemoryBudget, type OpenModel, PluginError, Residency } from "@bkg/plugin";
import { createWordEmbedder, type Embedder } from "./embedder.ts";
import type { Call, Context, LoadedModel, Settings, TextEncoderModel } from "./settings.ts";

export interface Models {
  readonly writers: Residency<LoadedModel>;
  readonly embedders: Residency<Embedder>;
  readonly scorers: Residency<TextEncoderModel>;
  /** Of all of them together. */
  readonly memory: MemoryBudget;
  /** Models in memory, or on their way into it. */
  readonly size: number;
  close(): Promise<void>;
}

export function createModels(ctx: Context): Models {
  const { maxLoaded, maxEncoders, keepAliveMs } = ctx.settings;
  const loads = new Map<string, number>();
  const memory = new MemoryBudget(ctx.limits.memoryMb * 1_048_576 * budgetShare);
  const place = (use: Use, max: number) => ({
    ctx,
    memory,
    weigh: (opened: OpenModel) => weigh(opened, use, ctx.settings),
    keepAliveMs,
    maxLoaded: max,
    changed(state: { loads: number }) {
      loads.set(use, state.loads);
      ctx.metric("models_loaded", models.size);
      ctx.metric("model_loads", [...loads.values()].reduce((sum, count) => sum + count, 0));
    },
  });
  const logged = <M extends { info(): object }>({ id }: OpenModel, model: M): M => {
    ctx.log.info("model loaded", { id, ...model.info() });
    return model;
  };
  const models: Models = {
    writers: new Residency({
      ...place("text", maxLoaded),
      require: requireText,
      load: async (opened, progress) => logged(opened, await loadText(ctx, opened, progress)),
    }),
    embedders: new Residency({
      ...place("vectors", maxEncoders),
      require: requireVectors,
      load: async (opened, progress) => logged(opened, await loadEmbedder(ctx, opened, progress)),
    }),
    scorers: new Residency({
      ...place("scores", maxEncoders),
      require: requireScores,
      load: async (opened, progress) => logged(opened, await loadEncoder(ctx, opened, progress)),
    }),
    memory,
    get size() {
      return models.writers.size + models.embedders.size + models.scorers.size;
    },
    async close() {
      const { writers, embedders, scorers } = models;
      await Promise.all([writers.close(), embedders.close(), scorers.close()]);
    },
  };
  return models;
}

/** What a model can be used for, by what is known of it before it is loaded. */
export function usesOf({ format, task }: Pick<OpenModel, "format" | "task">): Use[] {
  const uses: Use[] = [];
  if (format === "gguf" && (task === undefined || task === "chat")) uses.push("text", "vectors");
  if (isRunnable(format) && task === "embedding") uses.push("vectors");
  if (format === "onnx" && task === "rerank") uses.push("scores");
  return uses;
}

export type Use = "text" | "vectors" | "scores";

/** Loads the models of the settings that stay, one after the other; those that cannot be are told in the log. */
export async function loadPinned(ctx: Context, models: Models, signal: AbortSignal): Promise<void> {
  const { writers, embedders, scorers } = models;
  for (const id of ctx.settings.pinned) {
    try {
      const opened = await ctx.models.open(id);
      opened.close();
      const [use] = usesOf(opened);
      if (use === undefined) throw unfit(`"${opened.id}" is no model that this plugin runs`);
      const place = { text: writers, vectors: embedders, scores: scorers }[use];
      await place.pin(opened.id, { signal, alive: () => {} });
    } catch (error) {
      if (signal.aborted) return;
      const { code, message } = error as PluginError;
      ctx.log.error("a pinned model is not loaded", { id, code, message });
    }
  }
}

/**
 * Bytes that a model takes of memory, about: its weights, what the engine needs beside them, and of GGUF models the
 * cache of each context. Its header is not read here, so layers are guessed from the size.
 */
function weigh(
  { size, format, contextLength = Infinity }: OpenModel,
  use: Use,
  settings: Settings,
): number {
  if (format !== "gguf") return size * encoderCopies + engineBytes;
  const tokens = use === "text"
    ? Math.min(settings.contextLength, contextLength) * settings.parallel
    : Math.min(settings.contextLength, contextLength, maxVectorTokens);
  return Math.round(size + engineBytes + tokens * (tokenBytes + size / 65_536));
}

/** The rest is for the plugin, its Workers and what a run needs. */
const budgetShare = 0.85;
const engineBytes = 64 * 1_048_576;
/** onnxruntime holds the file and its own form of the weights. */
const encoderCopies = 2;
/** The engine's own limit for vectors. */
const maxVectorTokens = 2048;
const tokenBytes = 8192;

/** Runs `work` with the model, which stays while it does; errors of a call that was left are CANCELLED. */
export async function withModel<Model extends LoadedModel | Embedder | TextEncoderModel, Result>(
  residency: Residency<Model>,
  asked: string,
  call: Pick<Call, "signal" | "alive">,
  work: (model: Model, id: string) => Promise<Result>,
): Promise<Result> {
  const { signal, alive } = call;
  try {
    const lease = await residency.acquire(asked, { signal, alive });
    try {
      return await work(lease.model, lease.id);
    } finally {
      lease.release();
    }
  } catch (error) {
    throw signal.aborted ? new PluginError("CANCELLED", "The call was cancelled") : error;
  }
}

function loadText({ engines, settings }: Context, opened: OpenModel, progress: () => void) {
  const { backend, threads, parallel, contextLength } = settings;
  return engines.wllama.load(opened, { backend, threads, parallel, contextLength, progress });
}

async function loadEmbedder(
  ctx: Context,
  opened: OpenModel,
  progress: () => void,
): Promise<Embedder> {
  if (opened.format === "onnx") return await loadEncoder(ctx, opened, progress);
  const { backend, threads, contextLength } = ctx.settings;
  const options = { use: "vectors", backend, threads, contextLength, progress } as const;
  return createWordEmbedder(await ctx.engines.wllama.load(opened, options));
}

function loadEncoder({ engines, settings }: Context, opened: OpenModel, progress: () => void) {
  const { backend, threads } = settings;
  return engines.transformers.load(opened, { backend, threads, progress });
}

function requireText({ id, format, task }: OpenModel): void {
  if (format !== "gguf") {
    throw unfit(
      `"${id}" is a model in the format "${format}": this plugin writes with GGUF models`,
    );
  }
  if (task === "embedding") throw unfit(`"${id}" is an embedding model: it writes no text`);
  if (task !== undefined && task !== "chat") {
    throw unfit(`"${id}" is a model for the task "${task}": it writes no text`);
  }
}

function requireVectors({ id, format, task }: OpenModel): void {
  requireFormat(id, format);
  if (task === undefined || task === "embedding") return;
  if (task === "chat" && format === "gguf") return;
  throw unfit(`"${id}" is a model for the task "${task}": it makes no vectors of texts`);
}

function requireScores({ id, format, task }: OpenModel): void {
  requireFormat(id, format);
  if (task !== undefined && task !== "rerank") {
    throw unfit(`"${id}" is a model for the task "${task}": it scores no texts`);
  }
  if (format === "onnx") return;
  throw new PluginError(
    "UNSUPPORTED_FEATURE",
    `"${id}" is a GGUF model: this plugin re-ranks with ONNX models`,
    { details: { field: "model" } },
  );
}

function requireFormat(id: string, format: string): void {
  if (isRunnable(format)) return;
  throw unfit(
    `"${id}" is a model in the format "${format}": this plugin runs GGUF and ONNX models`,
  );
}

function isRunnable(format: string): boolean {
  return format === "gguf" || format === "onnx";
}

function unfit(message: string): PluginError {
  return new PluginError("INVALID_INPUT", message, { details: { field: "model" } });
}
