// The models as this page's plugins see them: what the server has, fetched when it is first opened, and what is
// held here when the server is away.

import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import { closeNames } from "../../plugins/runtime/contract/close_names.ts";
import type { Manifest } from "../../plugins/runtime/contract/manifest.ts";
import { summarizeModel } from "../../plugins/runtime/contract/model_summary.ts";
import type { ModelService } from "../../plugins/runtime/host/broker.ts";
import type { LocalHost, LocalSource, LocalStorage, Progress, RemoteModel } from "./local_host.ts";
import { downloadModel } from "./model_download.ts";
import { createModelFiles } from "./model_files.ts";
import { openModelFolder } from "./model_folder.ts";
import { createModelIndex, digestSchema, type HeldModel } from "./model_index.ts";
import type { FileReader } from "./spawn_worker.ts";

export interface ModelStorage {
  /** For the cells of this page. */
  readonly reader: FileReader;
  readonly downloads: ReadonlyMap<string, Progress>;
  serviceFor(manifest: Manifest): ModelService;
  /** Learns what the server has; keeps what was known when it is away. */
  refresh(): Promise<void>;
  fetch: LocalHost["fetchModel"];
  storage(): Promise<LocalStorage>;
  evict(modelId: string): Promise<void>;
}

interface Download {
  done: Promise<HeldModel>;
  abort: AbortController;
  /** Who waits for it; it ends when all have left. */
  listeners: Set<(progress: Progress) => void>;
}

export function createModelStorage(
  { source, changed }: { source: LocalSource; changed: () => void },
): ModelStorage {
  const folder = openModelFolder();
  const index = createModelIndex(localStorage);
  const files = createModelFiles({ folder, index, changed });
  const running = new Map<string, Download>();
  const downloads = new Map<string, Progress>();
  let known: readonly RemoteModel[] = [];

  return {
    reader: files,
    downloads,
    serviceFor: (manifest) => ({
      list: async () => {
        await refresh();
        const remote = new Map(known.map((model) => [model.id, model]));
        for (const { model } of index.list()) {
          if (!remote.has(model.id) && await files.has(model)) remote.set(model.id, model);
        }
        return [...remote.values()].map(summarizeModel);
      },
      async open(id) {
        const model = await openHeld(id, waitOf(manifest));
        const releases = model.files.map(({ digest }) => files.use(digest));
        return {
          ...summarizeModel(model),
          files: model.files.map(({ name, size, digest }) => ({ name, size, path: digest })),
          release() {
            for (const release of releases) release();
          },
        };
      },
    }),
    refresh,
    async fetch(modelId, { progress = () => {}, signal } = {}) {
      await join(modelId, { progress, ...(signal === undefined ? {} : { signal }) });
    },
    storage: () => files.storage(),
    evict: (modelId) => files.evict(modelId),
  };

  async function refresh(): Promise<void> {
    try {
      known = await unlessLate(source.models());
    } catch (error) {
      if (toAppError(error).code !== "UNAVAILABLE") throw error;
    }
  }

  /** The whole model; a long download goes on behind an UNAVAILABLE, as no call may be silent for so long. */
  async function openHeld(id: string, waitMs: number): Promise<HeldModel> {
    const model = await describeModel(id);
    if (!await files.has(model)) {
      const enough = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => enough.resolve(undefined), waitMs);
      const fetching = join(id, { progress: () => {} });
      // Whoever comes back finds out how it went.
      fetching.catch(() => {});
      const fetched = await Promise.race([fetching, enough.promise])
        .finally(() => clearTimeout(timer));
      if (fetched === undefined) throw stillFetching(id, downloads.get(id));
    }
    index.save({ model, lastUsedAtMs: Date.now() });
    return model;
  }

  /** Waits for the model's download, which is started when none runs. */
  async function join(
    id: string,
    { progress, signal }: { progress: (progress: Progress) => void; signal?: AbortSignal },
  ): Promise<HeldModel> {
    signal?.throwIfAborted();
    const download = running.get(id) ?? begin(id);
    download.listeners.add(progress);
    const left = Promise.withResolvers<never>();
    const leave = () => {
      download.listeners.delete(progress);
      if (download.listeners.size === 0) download.abort.abort();
      left.reject(new AppError("CANCELLED", "The download was stopped"));
    };
    signal?.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([download.done, left.promise]);
    } finally {
      signal?.removeEventListener("abort", leave);
      download.listeners.delete(progress);
    }
  }

  function begin(id: string): Download {
    const abort = new AbortController();
    const listeners: Download["listeners"] = new Set();
    let toldAtMs = -Infinity;
    let toldStep = "";
    const tell = (progress: Progress) => {
      downloads.set(id, progress);
      const atMs = performance.now();
      if (progress.step === toldStep && atMs - toldAtMs < progressEveryMs) return;
      toldAtMs = atMs;
      toldStep = progress.step;
      for (const listener of listeners) listener(progress);
      changed();
    };
    const run = async () => {
      const model = await describeModel(id);
      index.save({ model, lastUsedAtMs: Date.now() });
      await downloadModel(model, { source, files, folder }, {
        signal: abort.signal,
        progress: tell,
      });
      return model;
    };
    const done = run().catch((error) => {
      throw abort.signal.aborted ? new AppError("CANCELLED", "The download was stopped") : error;
    }).finally(() => {
      running.delete(id);
      downloads.delete(id);
      changed();
    });
    done.catch(() => {});
    const download = { done, abort, listeners };
    running.set(id, download);
    tell({ step: "Asking for the model" });
    return download;
  }

  /** As the server has it now; as it is here, when the server is away or has it no more. */
  async function describeModel(id: string): Promise<HeldModel> {
    const held = index.get(id)?.model;
    try {
      const model = await unlessLate(source.model(id));
      const bad = model.files.find(({ digest }) => !digestSchema.safeParse(digest).success);
      if (bad === undefined && model.files.length > 0) return model;
      throw new AppError("INVALID_MODEL", `The server names no digest for the model "${id}"`);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code !== "UNAVAILABLE" && error.code !== "NOT_FOUND") throw error;
      if (held !== undefined && await files.has(held)) return held;
      if (error.code === "NOT_FOUND") throw error;
      const close = closeNames(id, index.list().map(({ model }) => model.id));
      throw new AppError(
        "UNAVAILABLE",
        `The model "${id}" is not in this browser, and the server cannot be reached`,
        { details: { close }, cause: error },
      );
    }
  }
}

const progressEveryMs = 100;
/** The longest that a server which may be gone is waited for. */
const serverTimeoutMs = 5000;
const longestOpenMs = 20_000;

function waitOf({ limits }: Manifest): number {
  return Math.min(longestOpenMs, limits.timeoutMs / 2);
}

function unlessLate<Value>(promise: Promise<Value>): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new AppError("UNAVAILABLE", "The server does not answer")),
    serverTimeoutMs,
  );
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

function stillFetching(id: string, progress: Progress | undefined): AppError {
  const share = progress?.done === undefined || !progress.total
    ? ""
    : `: ${Math.floor(100 * progress.done / progress.total)} % are here`;
  return new AppError(
    "UNAVAILABLE",
    `The model "${id}" is being fetched into this browser${share}`,
    { details: { retryAfterMs: 5000 } },
  );
}
