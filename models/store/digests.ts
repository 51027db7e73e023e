// SHA-256 of model files: computed once for each state of a file, kept across restarts.
// Callers: library, services/model_files. Whole files are hashed one at a time: this one thread is what limits it.

import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { quote } from "../format/text.ts";
import { describeStat, type FileState, isSettled } from "./found.ts";
import { checkUnchanged, openUnchanged } from "./open_unchanged.ts";
import { coalesce, createTurns } from "./turns.ts";

export interface FileDigest {
  /** `sha256:<hex>`. */
  digest: string;
  /** Bytes. */
  size: number;
  /** The state of the file that this is the digest of, as `describeStat` tells it. */
  fingerprint: string;
}

export interface FileDigests {
  /** Throws NOT_FOUND, INVALID_MODEL for what is no file, or UNAVAILABLE when it changes under the reading. */
  digest(file: NamedPath): Promise<FileDigest>;
  /** Reads the file whatever is known of it. */
  read(file: NamedPath, options?: ReadOptions): Promise<FileDigest>;
  /** What is known without reading, once `load` has ended. */
  known(fingerprint: string): string | undefined;
  /** Whether any state of any file is known to be this. */
  isKnownDigest(digest: string): boolean;
  /** Somebody hashed the file on its way to the disk. */
  remember(fingerprint: string, digest: string): Promise<void>;
  load(): Promise<void>;
}

export interface ReadOptions {
  signal?: AbortSignal | undefined;
  /** Bytes read so far. */
  progress?: ((doneBytes: number) => void) | undefined;
}

export interface FileDigestsOptions {
  /** Where digests are kept; a cache, so a damaged one is begun anew. */
  cachePath: string;
  log?: { warn(message: string, fields?: Record<string, unknown>): void } | undefined;
  /** Ms since the epoch. */
  now?: (() => number) | undefined;
}

interface NamedPath {
  name: string;
  path: string;
}

export function createFileDigests(options: FileDigestsOptions): FileDigests {
  const { cachePath, log, now = Date.now } = options;
  // By fingerprint, the least recently computed first.
  const digests = new Map<string, string>();
  const counts = new Map<string, number>();
  let loading: Promise<void> | undefined;
  const running = new Map<string, Promise<FileDigest>>();
  const inTurn = createTurns();
  const write = coalesce(() => writeCache(cachePath, digests));

  const load = () => loading ??= readCache(cachePath).then((kept) => kept.forEach(set));

  function set(digest: string, fingerprint: string): void {
    drop(fingerprint);
    digests.set(fingerprint, digest);
    counts.set(digest, (counts.get(digest) ?? 0) + 1);
    const [oldest] = digests.keys();
    if (digests.size > maxKept && oldest !== undefined) drop(oldest);
  }

  function drop(fingerprint: string): void {
    const digest = digests.get(fingerprint);
    if (digest === undefined) return;
    digests.delete(fingerprint);
    const count = (counts.get(digest) ?? 1) - 1;
    if (count === 0) counts.delete(digest);
    else counts.set(digest, count);
  }

  async function remember(fingerprint: string, digest: string): Promise<void> {
    await load();
    set(digest, fingerprint);
    await write().catch((error) => log?.warn("Digests of model files cannot be kept", { error }));
  }

  async function hash(
    file: NamedPath,
    state: FileState,
    options?: ReadOptions,
  ): Promise<FileDigest> {
    const digest = await hashFile(file, state.fingerprint, options);
    if (isSettled(state, now())) await remember(state.fingerprint, digest);
    return { digest, size: state.size, fingerprint: state.fingerprint };
  }

  return {
    async digest(file) {
      const [state] = await Promise.all([readState(file), load()]);
      const { size, fingerprint } = state;
      const kept = digests.get(fingerprint);
      if (kept !== undefined) return { digest: kept, size, fingerprint };
      const key = `${fingerprint} ${file.path}`;
      let computing = running.get(key);
      if (computing === undefined) {
        computing = inTurn(() => hash(file, state)).finally(() => running.delete(key));
        running.set(key, computing);
      }
      return await computing;
    },
    async read(file, options) {
      return await hash(file, await readState(file), options);
    },
    known: (fingerprint) => digests.get(fingerprint),
    isKnownDigest: (digest) => counts.has(digest),
    remember,
    load,
  };
}

async function readState({ name, path }: NamedPath): Promise<FileState> {
  const stat = await Deno.lstat(path).catch((cause) => {
    throw new AppError("NOT_FOUND", `${quote(name)} is gone`, { cause });
  });
  // Whoever opens a pipe waits for one who writes.
  if (!stat.isFile) throw new AppError("INVALID_MODEL", `${quote(name)} is no regular file`);
  return describeStat(stat);
}

/** Reads the next piece while the last one is hashed, so that the disk and the processor both work. */
async function hashFile(
  file: NamedPath,
  fingerprint: string,
  { signal, progress }: ReadOptions = {},
): Promise<string> {
  using open = await openUnchanged(file, fingerprint);
  const hash = createHash("sha256");
  let [piece, spare] = [new Uint8Array(pieceBytes), new Uint8Array(pieceBytes)];
  let doneBytes = 0;
  let reading = open.read(piece);
  try {
    while (true) {
      const count = await reading;
      if (count === null) break;
      signal?.throwIfAborted();
      const filled = piece.subarray(0, count);
      [piece, spare] = [spare, piece];
      reading = open.read(piece);
      hash.update(filled);
      doneBytes += count;
      progress?.(doneBytes);
    }
  } finally {
    // A file is not closed under a read.
    await reading.catch(() => {});
  }
  await checkUnchanged(open, { name: file.name, fingerprint });
  return `sha256:${hash.digest("hex")}`;
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

/** What the loop may be kept from other work for: a millisecond or two. */
const pieceBytes = 1024 * 1024;
const maxKept = 20_000;
