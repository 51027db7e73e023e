// Makes, removes and pins the models of bkg's own store, one change at a time. Caller: library.
// Invariant: a manifest is written after its blobs and removed before them, so that a crash leaves garbage, never a
// broken model.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { quote } from "../format/text.ts";
import type { ModelLibrary, ModelManifest } from "../model.ts";
import type { LocalBlobs } from "./blob_store.ts";
import { collectGarbage } from "./garbage.ts";
import type { Leases } from "./leases.ts";
import { checkManifest, type Manifests, usedAtOf } from "./manifests.ts";
import type { Entry, ModelIndex } from "./model_index.ts";
import { createStoreModel, statBlobs } from "./store_place.ts";
import { createTurns } from "./turns.ts";

export interface StoreWriterDeps {
  index: ModelIndex;
  manifests: Manifests;
  blobs: LocalBlobs;
  leases: Leases;
  /** Ms since the epoch. */
  now: () => number;
}

export type StoreWriter = Pick<ModelLibrary, "put" | "remove" | "pin" | "collectGarbage">;

export function createStoreWriter(deps: StoreWriterDeps): StoreWriter {
  const { index, manifests, blobs, leases, now } = deps;
  const inTurn = createTurns();

  /** The entry of a model that may be changed. */
  const findOwn = async (id: string): Promise<Entry> => {
    // Without an entry `get` throws, and says which ids are close.
    const entry = await index.find(id) ?? await index.get(id).then(() => index.find(id));
    if (entry?.origin === "store") return entry;
    const message = `Model ${quote(id)} is not in bkg's own store, but at "${entry?.path}"`;
    throw new AppError("CONFLICT", message, { details: { origin: entry?.origin } });
  };

  /** Throws INVALID_MODEL for blobs that are gone, altered, or no model. */
  const judge = async (manifest: ModelManifest): Promise<void> => {
    const files = statBlobs(manifest, blobs);
    await Promise.all(files.map((file) => blobs.check(file)));
    const marker = manifests.pathOf(manifest.id);
    const { error } = await index.judge(createStoreModel(manifest, files, { marker }));
    if (error !== undefined) throw error;
  };

  const put = async (asked: ModelManifest) => {
    const manifest = checkManifest(asked);
    const { id } = manifest;
    const before = findTwin(id, await index.refresh());
    const old = before?.origin === "store" ? await readManifest(before.id) : undefined;
    if (before?.record !== undefined && old !== undefined && isSameModel(old, manifest)) {
      return await index.get(id);
    }
    if (before !== undefined) checkReplaceable(before, { old, manifest });
    await judge(manifest);
    const pinned = manifest.pinned || (old?.pinned ?? false);
    await leases.exclude(id, () => manifests.write({ ...manifest, pinned }));
    await index.refresh();
    return await index.get(id);
  };

  /** The blobs are some model's by now, or garbage. */
  const settle = ({ files }: ModelManifest) => {
    for (const { digest } of files) blobs.pending.delete(digest);
  };

  const remove = async (id: string, force: boolean) => {
    const entry = await findOwn(id);
    const manifest = await readManifest(entry.id);
    if (manifest?.pinned && !force) {
      const message = `Model ${quote(entry.id)} is pinned: unpin it first, or force its removal`;
      throw new AppError("CONFLICT", message, { details: { pinned: true } });
    }
    const freedBytes = await leases.exclude(entry.id, async () => {
      // First: nothing is removed while what the others need cannot be read.
      const others = await manifests.listDigests({ except: entry.id });
      await manifests.remove(entry.id);
      const needed = new Set([...blobs.pending, ...others]);
      let bytes = 0;
      for (const digest of new Set(manifest?.files.map(({ digest }) => digest))) {
        if (!needed.has(digest)) bytes += await blobs.remove(digest);
      }
      return bytes;
    });
    await index.refresh();
    return { freedBytes };
  };

  const pin = async (id: string, pinned: boolean) => {
    const entry = await findOwn(id);
    const manifest = await manifests.read(entry.id);
    if (manifest !== undefined && manifest.pinned !== pinned) {
      // When it was last opened is not to be forgotten over this.
      const usedAtMs = usedAtOf(await Deno.lstat(manifests.pathOf(entry.id)));
      await manifests.write({ ...manifest, pinned });
      if (usedAtMs !== undefined) await manifests.touch(entry.id, usedAtMs);
    }
    await index.refresh();
    return await index.get(entry.id);
  };

  /** Undefined for one that is gone or damaged. */
  const readManifest = (id: string) => manifests.read(id).catch(() => undefined);

  return {
    put: (manifest) =>
      inTurn(async () => {
        try {
          return await put(manifest);
        } finally {
          settle(manifest);
        }
      }),
    remove: (id, { force = false } = {}) => inTurn(() => remove(id, force)),
    pin: (id, pinned) => inTurn(() => pin(id, pinned)),
    collectGarbage: (options = {}) =>
      inTurn(async () => {
        const garbage = await collectGarbage({ manifests, blobs, leases, nowMs: now() }, options);
        if (garbage.models.length > 0) await index.refresh();
        return garbage;
      }),
  };
}

/** The entry with that id; or, since some file systems take them for the same, with its letters in another case. */
function findTwin(id: string, entries: ReadonlyMap<string, Entry>): Entry | undefined {
  const exact = entries.get(id);
  if (exact !== undefined) return exact;
  const lower = id.toLowerCase();
  for (const entry of entries.values()) {
    if (entry.origin === "store" && entry.id.toLowerCase() === lower) return entry;
  }
  return undefined;
}

/** A model may take the place of an older pull of the same source, and of one that is broken. */
function checkReplaceable(
  before: Entry,
  { old, manifest }: { old: ModelManifest | undefined; manifest: ModelManifest },
): void {
  // Other programs' models, and the demo, give way to bkg's own.
  if (before.origin !== "store" && before.origin !== "folder") return;
  const isOwn = before.origin === "store" && before.id === manifest.id;
  if (isOwn && (before.error !== undefined || old?.source === manifest.source)) return;
  const message = `There is another model ${quote(before.id)} already, at "${before.path}"`;
  throw new AppError("CONFLICT", message, { details: { modelId: before.id } });
}

function isSameModel(one: ModelManifest, other: ModelManifest): boolean {
  const describe = ({ id, files }: ModelManifest) =>
    JSON.stringify([id, files.map(({ name, digest }) => [name, digest]).sort()]);
  return describe(one) === describe(other);
}
