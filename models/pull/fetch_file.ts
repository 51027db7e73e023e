// One version of one file: fetched, hashed behind its arrival, its header read as soon as it is there.
// Caller: download.ts.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { readGguf } from "../gguf.ts";
import { type FileHash, hashSmallFile, startFileHash } from "./hash.ts";
import { identityOf } from "./journal.ts";
import { copyLocalFile, isLocal } from "./local_file.ts";
import type { PullNetwork, PullSession } from "./network.ts";
import { openPartial, type PartialFile } from "./partial_file.ts";
import type { PlannedFile } from "./plan.ts";
import type { ProgressTracker } from "./progress.ts";
import { fetchMissing } from "./range_fetch.ts";

export interface FetchFileOptions {
  /** Where it grows; `folder` holds it. */
  path: string;
  folder: string;
  network: PullNetwork;
  session: PullSession;
  signal: AbortSignal;
  progress: ProgressTracker;
  /** The most of a file whose size nobody tells. */
  unknownFileBytes: number;
}

export interface FetchedFile {
  size: number;
  /** `sha256:<hex>` */
  digest: string;
  /** What is wrong with it, if anything is. */
  problem: string | undefined;
}

/**
 * Throws FileChanged, INVALID_MODEL for a hostile header, and what the network and the disk throw; what arrived stays
 * and is named by a journal.
 */
export async function fetchFile(
  planned: PlannedFile,
  options: FetchFileOptions,
): Promise<FetchedFile> {
  const { path, folder, network, session, progress, unknownFileBytes } = options;
  const limits = { ...network.limits, unknownFileBytes };
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const isSmall = planned.size !== undefined && planned.size <= limits.smallFileBytes;
  let hash: FileHash | undefined;
  await using file = await openPartial(path, {
    identity: identityOf(planned),
    checkpointMs: limits.checkpointMs,
    written() {
      progress.arrived(file.have.bytes);
      hash?.advance(file.have.prefix);
    },
    // What was hashed is not there any more.
    wasReset: startHash,
  });
  function startHash(): void {
    hash?.[Symbol.dispose]();
    hash = isSmall ? undefined : startFileHash(path, { folder, url: network.hashWorker });
  }
  startHash();
  hash?.advance(file.have.prefix);
  progress.arrived(file.have.bytes);
  const stopHash = () => hash?.[Symbol.dispose]();
  signal.addEventListener("abort", stopHash);

  const header = readHeader(planned, file, signal);
  header.catch((error) => stop.abort(error));
  try {
    await fetchBytes();
    await header;
    progress.checking();
    const size = planned.size ?? file.have.prefix;
    const [found] = await Promise.all([digestOf(size), file.journal.flush()]);
    return { size, digest: found.digest, problem: problemOf(planned, found) };
  } catch (error) {
    file.fail(error);
    await header.catch(() => {});
    // A full disk may have no place for the journal either.
    await file.journal.flush().catch(() => {});
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    signal.removeEventListener("abort", stopHash);
    stopHash();
  }

  async function fetchBytes(): Promise<void> {
    if (isLocal(planned.url)) return await copyLocalFile(planned.url, { file, signal });
    const { url } = planned;
    await fetchMissing({ session, url, file, limits, signal, waiting: progress.waiting });
  }

  async function digestOf(size: number): Promise<{ digest: string; gitOid?: string }> {
    if (hash === undefined) return await hashSmallFile(path);
    return { digest: await hash.finish(size) };
  }
}

/** Refuses a hostile GGUF while the rest is still on its way. */
async function readHeader(
  { name, size }: PlannedFile,
  file: PartialFile,
  signal: AbortSignal,
): Promise<void> {
  if (!/\.gguf$/i.test(name) || size === undefined) return;
  try {
    await readGguf(file.reader(size), { signal });
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "INVALID_MODEL") throw error;
    throw new AppError("INVALID_MODEL", `"${name}" is refused: ${error.message}`, { cause: error });
  }
}

function problemOf(
  { digest, gitOid }: PlannedFile,
  found: { digest: string; gitOid?: string },
): string | undefined {
  if (digest !== undefined && digest !== found.digest) {
    return `its digest is "${found.digest}", not "${digest}"`;
  }
  if (gitOid !== undefined && found.gitOid !== undefined && gitOid !== found.gitOid) {
    return `its git id is "${found.gitOid}", not "${gitOid}"`;
  }
  return undefined;
}
