// The models of this browser: what is held, what is in use, and which are given up for room.
// Two tabs share one storage: a Web Lock on each file keeps one from writing or removing what the other reads.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { LocalStorage } from "./local_host.ts";
import { type ModelFolder, storageProblem } from "./model_folder.ts";
import type { HeldModel, ModelIndex } from "./model_index.ts";
import type { FileReader } from "./spawn_worker.ts";

export interface ModelFiles extends FileReader {
  /** Whether all files are here, whole. */
  has(model: HeldModel): Promise<boolean>;
  /** Bytes of the model that are not here yet. */
  missingBytes(model: HeldModel): Promise<number>;
  /**
   * Removes models that were used longest ago until `neededBytes` fit; OUT_OF_MEMORY, and nothing removed, if they
   * cannot. Without `freeBytes` what the browser estimates counts, which may be far too much.
   */
  makeRoom(model: HeldModel, room: { neededBytes: number; freeBytes?: number }): Promise<void>;
  /** CONFLICT while it is in use, here or in another tab. */
  evict(modelId: string): Promise<void>;
  storage(): Promise<LocalStorage>;
}

/** The name of the Web Lock on one file: shared to read, exclusive to write or remove. */
export function fileLock(digest: string): string {
  return `bkg.file.${digest}`;
}

export function createModelFiles(
  { folder, index, changed }: { folder: ModelFolder; index: ModelIndex; changed: () => void },
): ModelFiles {
  const used = new Map<string, { users: number; file: Promise<File | undefined> | undefined }>();

  return {
    use(digest) {
      const entry = used.get(digest) ?? { users: 0, file: undefined };
      used.set(digest, entry);
      entry.users++;
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      navigator.locks.request(fileLock(digest), { mode: "shared" }, () => released);
      let over = false;
      return () => {
        if (over) return;
        over = true;
        release();
        if (--entry.users === 0) used.delete(digest);
        changed();
      };
    },
    async read(digest, { offset, length }) {
      const entry = used.get(digest);
      const file =
        await (entry === undefined ? folder.find(digest) : entry.file ??= folder.find(digest));
      try {
        if (file === undefined) throw new Error("it is not there");
        return await file.slice(offset, offset + length).arrayBuffer();
      } catch (cause) {
        throw new AppError("INVALID_MODEL", "The model's file was removed from this browser", {
          cause,
        });
      }
    },
    has: async (model) => await missingBytes(model) === 0,
    missingBytes,
    async makeRoom(model, { neededBytes, freeBytes }) {
      let free = freeBytes ?? await estimateFree();
      if (neededBytes <= free) return;
      const inUse = await readInUse();
      const candidates = [];
      let usedBytes = 0;
      for (const entry of index.list().toSorted((a, b) => a.lastUsedAtMs - b.lastUsedAtMs)) {
        const { id, files } = entry.model;
        if (id === model.id) continue;
        const bytes = await heldBytes(entry.model);
        if (files.some(({ digest }) => inUse.has(digest))) usedBytes += bytes;
        else candidates.push({ id, bytes });
      }
      const evictable = candidates.reduce((sum, { bytes }) => sum + bytes, 0);
      if (neededBytes > free + evictable) {
        throw noRoom(model, { neededBytes, free, evictable, usedBytes });
      }
      for (const { id, bytes } of candidates) {
        if (neededBytes <= free) break;
        await evict(id);
        free += bytes;
      }
    },
    evict,
    async storage() {
      const { quota, usage } = await navigator.storage?.estimate?.() ?? {};
      const inUse = storageProblem() === undefined ? await readInUse() : new Set<string>();
      const models = [];
      for (const { model, lastUsedAtMs } of storageProblem() === undefined ? index.list() : []) {
        const bytes = await heldBytes(model);
        // A browser that was short of room may have cleared it.
        if (bytes === 0) continue;
        models.push({
          id: model.id,
          bytes,
          complete: await missingBytes(model) === 0,
          lastUsedAtMs,
          inUse: model.files.some(({ digest }) => inUse.has(digest)),
        });
      }
      return {
        quotaBytes: quota,
        usedBytes: usage,
        persisted: await navigator.storage?.persisted?.() ?? false,
        models,
      };
    },
  };

  async function missingBytes({ files }: HeldModel): Promise<number> {
    let missing = 0;
    for (const { digest, size } of files) {
      const whole = await folder.find(digest);
      // A partial download that has all its bytes is not checked yet.
      if (whole === undefined) missing += Math.max(1, size - await folder.partialBytes(digest));
    }
    return missing;
  }

  async function heldBytes({ files }: HeldModel): Promise<number> {
    let bytes = 0;
    for (const { digest } of files) {
      bytes += (await folder.find(digest))?.size ?? await folder.partialBytes(digest);
    }
    return bytes;
  }

  async function evict(modelId: string): Promise<void> {
    const entry = index.get(modelId);
    if (entry === undefined) {
      throw new AppError("NOT_FOUND", `The model "${modelId}" is not in this browser`);
    }
    const others = new Set(
      index.list().filter(({ model }) => model.id !== modelId)
        .flatMap(({ model }) => model.files.map(({ digest }) => digest)),
    );
    const own = entry.model.files.filter(({ digest }) => !others.has(digest));
    const inUse = await readInUse();
    if (own.some(({ digest }) => inUse.has(digest))) throw isInUse(modelId);
    for (const { digest } of own) {
      await navigator.locks.request(fileLock(digest), { ifAvailable: true }, async (lock) => {
        if (lock === null) throw isInUse(modelId);
        await folder.remove(digest);
      });
    }
    index.remove(modelId);
    changed();
  }

  /** Digests of files that are read or written, in this tab or another. */
  async function readInUse(): Promise<Set<string>> {
    const prefix = fileLock("");
    const { held = [] } = await navigator.locks.query();
    const names = held.map(({ name }) => name ?? "").filter((name) => name.startsWith(prefix));
    return new Set([...used.keys(), ...names.map((name) => name.slice(prefix.length))]);
  }
}

async function estimateFree(): Promise<number> {
  const { quota, usage } = await navigator.storage.estimate();
  // A browser that does not say is tried.
  return quota === undefined ? Infinity : Math.max(0, quota - (usage ?? 0));
}

function isInUse(modelId: string): AppError {
  return new AppError("CONFLICT", `The model "${modelId}" is in use: end what uses it first`);
}

function noRoom(
  { id }: HeldModel,
  { neededBytes, free, evictable, usedBytes }: Record<
    "neededBytes" | "free" | "evictable" | "usedBytes",
    number
  >,
): AppError {
  const rooms = [
    `${megabytes(free)} free`,
    ...(evictable > 0 ? [`${megabytes(evictable)} in models that it could give up`] : []),
    ...(usedBytes > 0 ? [`${megabytes(usedBytes)} in models in use: end what uses them`] : []),
  ];
  return new AppError(
    "OUT_OF_MEMORY",
    `The model "${id}" needs ${megabytes(neededBytes)} more in this browser, which has ${
      rooms.join(", ")
    }`,
    { details: { neededBytes, freeBytes: free, evictableBytes: evictable } },
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
