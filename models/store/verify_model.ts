// Reads every byte of a model again, whatever is known of it: of valid ones, and of those that were refused.
// Caller: library. The model counts as open meanwhile.

import type { VerifiedFile, VerifyOptions } from "../model.ts";
import type { LocalBlobs } from "./blob_store.ts";
import type { FileDigests } from "./digests.ts";
import { describeStat } from "./found.ts";
import type { Leases } from "./leases.ts";
import type { Manifests } from "./manifests.ts";
import type { Entry, ModelIndex } from "./model_index.ts";

export interface VerifyDeps {
  index: ModelIndex;
  digests: FileDigests;
  blobs: LocalBlobs;
  manifests: Manifests;
  leases: Leases;
}

export async function verifyModel(
  deps: VerifyDeps,
  id: string,
  { signal, progress }: VerifyOptions = {},
): Promise<VerifiedFile[]> {
  const { index, digests, leases } = deps;
  // Without an entry `get` throws, and says which ids are close.
  const entry = await index.find(id) ?? await index.get(id).then(() => index.find(id));
  if (entry === undefined) return [];
  const release = leases.take(entry.id);
  try {
    const files = await listFiles(entry, deps);
    const totalBytes = files.reduce((sum, { size }) => sum + size, 0);
    const verified: VerifiedFile[] = [];
    let doneBytes = 0;
    for (const file of files) {
      signal?.throwIfAborted();
      const before = await Deno.lstat(file.path).then(describeStat, () => undefined);
      const expected = file.expected ?? digests.known(before?.fingerprint ?? "");
      const { digest, size } = await digests.read(file, {
        signal,
        progress: (bytes) => progress?.(doneBytes + bytes, totalBytes),
      });
      doneBytes += size;
      const ok = expected === undefined || digest === expected;
      verified.push({ name: file.name, size, expected, digest, ok });
    }
    if (verified.some(({ ok }) => !ok)) await index.refresh();
    return verified;
  } finally {
    release();
  }
}

interface ListedFile {
  name: string;
  path: string;
  size: number;
  expected?: string;
}

/** Of bkg's own models as the manifest has them: a blob that was altered keeps its entry from having any. */
async function listFiles(
  { id, origin, model, record, error }: Entry,
  { manifests, blobs }: VerifyDeps,
): Promise<ListedFile[]> {
  if (origin === "store") {
    const manifest = await manifests.read(id);
    return (manifest?.files ?? []).map(({ name, size, digest }) => ({
      name,
      size,
      path: blobs.pathOf(digest),
      expected: digest,
    }));
  }
  if (model === undefined) throw error;
  const names = new Set(record?.files.map(({ name }) => name));
  return [
    ...model.weights,
    ...model.beside.filter(({ name }) => names.has(name)),
    ...model.sidecars,
  ];
}
