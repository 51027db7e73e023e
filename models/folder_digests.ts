// SHA-256 of model files: computed once for each state of a file, kept across restarts.
// Caller: services/model_files. Reads in pieces, one file at a time: hashing is bound by this one thread.

import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { z } from "zod";
import { AppError } from "../plugins/runtime/contract/error.ts";
import { describeStat } from "./folder_walk.ts";
import { quote } from "./gguf/refuse.ts";

export interface FileDigest {
  /** `sha256:<hex>`. */
  digest: string;
  /** Bytes. */
  size: number;
  /** The state of the file that this is the digest of, as `describeStat` tells it. */
  fingerprint: string;
}

export interface FolderDigests {
  /** Throws NOT_FOUND, or UNAVAILABLE when the file changes under the reading. */
  digest(file: { name: string; path: string }): Promise<FileDigest>;
}

export interface FolderDigestsOptions {
  /** Where digests are kept; a cache, so a damaged one is begun anew. */
  cachePath: string;
  log?: { warn(message: string, fields?: Record<string, unknown>): void };
  /** Ms since the epoch. */
  now?: () => number;
}

export function createFolderDigests(options: FolderDigestsOptions): FolderDigests {
  const { cachePath, log, now = Date.now } = options;
  // By fingerprint, the least recently computed first.
  let known: Promise<Map<string, string>> | undefined;
  const running = new Map<string, Promise<FileDigest>>();
  let last: Promise<unknown> = Promise.resolve();

  async function compute(file: { name: string; path: string }, state: FileState) {
    const digest = await hashFile(file, state.fingerprint);
    // A second write within the same second, of the same size and dated back, would go unseen.
    if (Math.abs(now() - state.changedAtMs) > settleMs) await keep(state.fingerprint, digest);
    return { digest, size: state.size, fingerprint: state.fingerprint };
  }

  async function keep(fingerprint: string, digest: string): Promise<void> {
    const digests = await (known ??= readCache(cachePath));
    digests.set(fingerprint, digest);
    const [oldest] = digests.keys();
    if (digests.size > maxKept && oldest !== undefined) digests.delete(oldest);
    await writeCache(cachePath, digests).catch((error) =>
      log?.warn("Digests of model files cannot be kept", { error })
    );
  }

  return {
    async digest(file) {
      const info = await Deno.lstat(file.path).catch((cause) => {
        throw new AppError("NOT_FOUND", `${quote(file.name)} is gone`, { cause });
      });
      const state = describeStat(info);
      const { size, fingerprint } = state;
      const digests = await (known ??= readCache(cachePath));
      const kept = digests.get(fingerprint);
      if (kept !== undefined) return { digest: kept, size, fingerprint };
      const key = `${fingerprint} ${file.path}`;
      let computing = running.get(key);
      if (computing === undefined) {
        computing = last.then(() => compute(file, state)).finally(() => running.delete(key));
        last = computing.catch(() => {});
        running.set(key, computing);
      }
      return await computing;
    },
  };
}

/**
 * Opens a file that is still what its fingerprint says; throws UNAVAILABLE when it is not, or when the path leads
 * elsewhere by now, through a link that took a folder's place.
 */
export async function openUnchanged(
  { name, path }: { name: string; path: string },
  fingerprint: string,
): Promise<Deno.FsFile> {
  const file = await Deno.open(path).catch((cause) => {
    throw new AppError("NOT_FOUND", `${quote(name)} is gone`, { cause });
  });
  try {
    const same = describeStat(await file.stat()).fingerprint === fingerprint;
    if (!same || await Deno.realPath(path) !== path) throw changed(name);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Throws UNAVAILABLE when the bytes of an open file changed since `fingerprint` was taken. */
export async function checkUnchanged(
  file: Deno.FsFile,
  { name, fingerprint }: { name: string; fingerprint: string },
): Promise<void> {
  if (describeStat(await file.stat()).fingerprint !== fingerprint) throw changed(name);
}

type FileState = ReturnType<typeof describeStat>;

async function hashFile(
  file: { name: string; path: string },
  fingerprint: string,
): Promise<string> {
  using open = await openUnchanged(file, fingerprint);
  const hash = createHash("sha256");
  const piece = new Uint8Array(pieceBytes);
  while (true) {
    const count = await open.read(piece);
    if (count === null) break;
    hash.update(piece.subarray(0, count));
  }
  await checkUnchanged(open, { name: file.name, fingerprint });
  return `sha256:${hash.digest("hex")}`;
}

function changed(name: string): AppError {
  return new AppError("UNAVAILABLE", `${quote(name)} changed while it was read; try again`);
}

async function readCache(path: string): Promise<Map<string, string>> {
  try {
    const digests = cacheSchema.parse(JSON.parse(await Deno.readTextFile(path)));
    return new Map(Object.entries(digests));
  } catch {
    return new Map();
  }
}

async function writeCache(path: string, digests: ReadonlyMap<string, string>): Promise<void> {
  const draft = `${path}.partial`;
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(draft, JSON.stringify(Object.fromEntries(digests)) + "\n", {
    mode: 0o600,
  });
  await Deno.rename(draft, path);
}

const cacheSchema = z.record(
  z.string().regex(/^[\d.:-]+$/),
  z.string().regex(/^sha256:[0-9a-f]{64}$/),
);

/** What the loop may be kept from other work for: about a millisecond. */
const pieceBytes = 512 * 1024;
const settleMs = 1500;
const maxKept = 10_000;
