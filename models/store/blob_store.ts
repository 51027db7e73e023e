// Files by their digest: `blobs/sha256-<hex>`. The puller hashes what it brings and hands it over; here it is only
// moved, durably. Invariant: a blob that is there is what its name says, or is known not to be.

import { basename, dirname, join } from "node:path";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { quote } from "../format/text.ts";
import type { BlobStore } from "../model.ts";
import type { FileDigests } from "./digests.ts";
import { makeFolder, syncFile, syncFolder } from "./durable.ts";
import { describeStat, type FoundFile } from "./found.ts";

/**
 * "sound": hashed in this state. "damaged": hashed in this state, and it is another. "changed": was sound in another
 * state. "unknown": nothing is remembered of it, as when the cache of digests was lost.
 */
export type BlobCondition = "sound" | "damaged" | "changed" | "unknown";

export interface LocalBlobs extends BlobStore {
  pathOf(digest: string): string;
  condition(blob: { expected?: string; fingerprint: string }): BlobCondition;
  /** Reads a blob that changed; throws INVALID_MODEL when it is not what it should be. */
  check(blob: FoundFile): Promise<void>;
  /** Adopted, but of no model yet: neither `rm` nor `gc` takes it away. */
  readonly pending: Set<string>;
  /** Answers the bytes that became free. */
  remove(digest: string): Promise<number>;
}

export function createBlobStore(
  { folder, digests }: { folder: string; digests: FileDigests },
): LocalBlobs {
  const blobs = join(folder, "blobs");
  const partials = join(folder, "partial");
  const pending = new Set<string>();

  const pathOf = (digest: string) => join(blobs, checkDigest(digest).replace(":", "-"));
  const partialPathOf = (key: string) => {
    if (/^[a-z0-9-]{1,80}$/.test(key)) return join(partials, key);
    throw new AppError("INVALID_INPUT", `${quote(key)} is no key of a partial download`);
  };
  const condition: LocalBlobs["condition"] = ({ expected = "", fingerprint }) => {
    const known = digests.known(fingerprint);
    if (known !== undefined) return known === expected ? "sound" : "damaged";
    return digests.isKnownDigest(expected) ? "changed" : "unknown";
  };
  const find = async (digest: string): Promise<FoundFile | undefined> => {
    const path = pathOf(digest);
    const stat = await Deno.lstat(path).catch(ignoreMissing);
    if (!stat?.isFile) return undefined;
    const blob = { name: "blob", path, expected: digest, ...describeStat(stat) };
    return await check(blob).then(() => blob, ignoreDamage);
  };
  const check = async (blob: FoundFile): Promise<void> => {
    if (condition(blob) === "sound") return;
    const { digest } = await digests.digest(blob);
    if (digest !== blob.expected) throw damaged(blob);
  };

  return {
    folder,
    pending,
    pathOf,
    condition,
    find,
    check,
    async openPartial(key) {
      const path = partialPathOf(key);
      await makeFolder(path);
      return path;
    },
    async removePartial(key) {
      await Deno.remove(partialPathOf(key), { recursive: true }).catch(ignoreMissing);
    },
    async adopt(path, digest) {
      const target = pathOf(digest);
      await makeFolder(blobs);
      pending.add(digest);
      if (await find(digest) !== undefined) return await Deno.remove(path);
      if ((await Deno.lstat(target).catch(ignoreMissing))?.isDirectory) {
        const name = quote(`blobs/${basename(target)}`);
        throw new AppError("CONFLICT", `${name} in the store is a folder; remove it`);
      }
      await syncFile(path);
      // By hand nobody writes into a file that other models share.
      if (Deno.build.os !== "windows") await Deno.chmod(path, 0o444);
      await Deno.rename(path, target);
      await Promise.all([syncFolder(blobs), syncFolder(dirname(path))]);
      const { fingerprint } = describeStat(await Deno.lstat(target));
      await digests.remember(fingerprint, digest);
    },
    async remove(digest) {
      const path = pathOf(digest);
      const stat = await Deno.lstat(path).catch(ignoreMissing);
      // A folder is no blob, whatever its name.
      if (stat === undefined || stat.isDirectory) return 0;
      await Deno.remove(path);
      return stat.isFile ? stat.size : 0;
    },
  };
}

/** Throws INVALID_INPUT for what is not `sha256:<hex>`. */
function checkDigest(digest: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(digest)) return digest;
  throw new AppError("INVALID_INPUT", `${quote(digest)} is no digest "sha256:<hex>"`);
}

export function damaged({ name }: { name: string }): AppError {
  return new AppError(
    "INVALID_MODEL",
    `${quote(name)} was altered on this disk: it is not any more what its digest says; pull the ` +
      `model again`,
    { details: { file: name } },
  );
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof Deno.errors.NotFound) return undefined;
  throw error;
}

function ignoreDamage(error: unknown): undefined {
  if (error instanceof AppError && error.code === "INVALID_MODEL") return undefined;
  throw error;
}
