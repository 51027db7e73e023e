// What in bkg's store no model needs: blobs of none, downloads of no job, models that nobody opened for long.
// Caller: library, which lets nothing else write meanwhile. What may just be arriving is left alone.

import { join } from "node:path";
import type { Garbage, GarbageOptions, ModelManifest } from "../model.ts";
import type { LocalBlobs } from "./blob_store.ts";
import { describeStat } from "./found.ts";
import type { Leases } from "./leases.ts";
import type { FoundManifest } from "./manifest_finder.ts";
import {
  digestsIn,
  type Manifests,
  parseManifest,
  readManifestText,
  usedAtOf,
} from "./manifests.ts";
import { createPauses } from "./turns.ts";

export interface GarbageDeps {
  manifests: Manifests;
  blobs: LocalBlobs;
  leases: Leases;
  nowMs: number;
}

export async function collectGarbage(
  { manifests, blobs, leases, nowMs }: GarbageDeps,
  { unusedDays, dryRun = false, keepPartial = new Set() }: GarbageOptions,
): Promise<Garbage> {
  const garbage: Garbage = { freedBytes: 0, models: [], blobs: 0, partials: 0 };
  const needed = new Set(blobs.pending);
  for (const found of await manifests.find()) {
    const text = await readManifestText(found);
    const manifest = tryParse(text, found.id);
    const isUnused = manifest !== undefined && unusedDays !== undefined && !manifest.pinned &&
      !leases.isOpen(found.id) && lastUsedMs(manifest, found) < nowMs - unusedDays * dayMs;
    if (isUnused) {
      garbage.models.push(found.id);
      if (dryRun) continue;
      // Opened since it was looked at: then it is used.
      const isGone = await leases.exclude(found.id, () => manifests.remove(found.id))
        .then(() => true, () => false);
      if (isGone) continue;
      garbage.models.pop();
    }
    for (const digest of digestsIn(text)) needed.add(digest);
  }
  garbage.models.sort();

  for (const { name, path, stat } of await listFolder(join(blobs.folder, "blobs"))) {
    const digest = name.replace("-", ":");
    if (!/^sha256:[0-9a-f]{64}$/.test(digest) || needed.has(digest)) continue;
    if (!stat.isFile || isYoung(stat, nowMs)) continue;
    if (!dryRun) await Deno.remove(path);
    garbage.blobs++;
    garbage.freedBytes += stat.size;
  }

  for (const { name, path } of await listFolder(join(blobs.folder, "partial"))) {
    if (keepPartial.has(name)) continue;
    const size = await measureOld(path, nowMs);
    if (size === undefined) continue;
    if (!dryRun) await Deno.remove(path, { recursive: true });
    garbage.partials++;
    garbage.freedBytes += size;
  }
  return garbage;
}

function lastUsedMs(manifest: ModelManifest, { info }: FoundManifest): number {
  return Math.max(manifest.pulledAtMs, usedAtOf(info) ?? 0);
}

function tryParse(text: string, id: string): ModelManifest | undefined {
  try {
    return parseManifest(text, id);
  } catch {
    return undefined;
  }
}

/** Bytes in a folder in which nothing changed of late; undefined when something did. */
async function measureOld(path: string, nowMs: number): Promise<number | undefined> {
  let bytes = 0;
  const stat = await Deno.lstat(path);
  if (isYoung(stat, nowMs)) return undefined;
  if (!stat.isDirectory) return stat.size;
  for (const entry of await listFolder(path)) {
    const size = await measureOld(entry.path, nowMs);
    if (size === undefined) return undefined;
    bytes += size;
  }
  return bytes;
}

async function listFolder(path: string) {
  const entries: { name: string; path: string; stat: Deno.FileInfo }[] = [];
  const pause = createPauses();
  try {
    for await (const { name } of Deno.readDir(path)) {
      await pause();
      const file = join(path, name);
      const stat = await Deno.lstat(file).catch(() => undefined);
      if (stat !== undefined) entries.push({ name, path: file, stat });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return entries;
}

/** By when it got its name or bytes: a blob that was moved here just now is old by its mtime. */
function isYoung(stat: Deno.FileInfo, nowMs: number): boolean {
  return nowMs - describeStat(stat).changedAtMs < youngMs;
}

const youngMs = 60 * 60_000;
const dayMs = 24 * youngMs;
