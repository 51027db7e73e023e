// Downloads the files of a plan into a folder, or goes on with what is there; each ends whole, hashed and checked.
// Caller: the job of a pull. Invariant: a file is handed over only when its digest is what the plan says.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import { fileNameProblem } from "../source.ts";
import { asDiskError, isGone } from "./disk_errors.ts";
import { type FetchedFile, fetchFile, type FetchFileOptions } from "./fetch_file.ts";
import { identityOf, readJournal, removeJournal } from "./journal.ts";
import type { PullNetwork } from "./network.ts";
import type { PlannedFile, PullPlan } from "./plan.ts";
import { type DownloadProgress, trackProgress } from "./progress.ts";
import { FileChanged } from "./range_fetch.ts";

export type { DownloadProgress } from "./progress.ts";

export interface DownloadFolder {
  /** Of this pull alone; absolute, and there. */
  folder: string;
  /** Of the folder's file system. */
  freeBytes(): Promise<number>;
}

export interface DownloadOptions {
  signal: AbortSignal;
  /** Called for each piece of about half a megabyte. */
  progress(progress: DownloadProgress): void;
}

export interface DownloadedFile {
  name: string;
  /** In the folder. */
  path: string;
  size: number;
  /** `sha256:<hex>` */
  digest: string;
}

/**
 * Throws OUT_OF_DISK with `{neededBytes, freeBytes}`, INVALID_MODEL for a wrong digest or a hostile header, what the
 * network throws, and CANCELLED. What arrived stays in the folder, but for what was found to be wrong.
 */
export async function downloadFiles(
  plan: Pick<PullPlan, "files" | "source">,
  deps: PullNetwork & DownloadFolder,
  { signal, progress: tell }: DownloadOptions,
): Promise<DownloadedFile[]> {
  for (const { name } of plan.files) {
    const problem = fileNameProblem(name);
    if (problem === undefined) continue;
    throw new AppError("INVALID_MODEL", `A file of "${plan.source}" has a name that ${problem}`);
  }
  const { folder } = deps;
  const progress = trackProgress(plan.files.map(({ size }) => size), tell);
  try {
    signal.throwIfAborted();
    const unknownFileBytes = await checkSpace(plan, deps);
    using session = deps.open();
    const files: DownloadedFile[] = [];
    for (const planned of plan.files) {
      const path = partPath(folder, planned.name);
      const options = { path, folder, network: deps, session, signal, progress, unknownFileBytes };
      const { size, digest } = await fetchChecked(planned, options);
      progress.finish(size);
      files.push({ name: planned.name, path, size, digest });
    }
    return files;
  } catch (error) {
    if (signal.aborted) throw toCancelled(signal.reason);
    throw toAppError(asDiskError(error));
  }
}

/** A wrong digest may be an accident on the way: the file is thrown away and fetched once more. */
async function fetchChecked(
  planned: PlannedFile,
  options: FetchFileOptions,
): Promise<FetchedFile> {
  let problem = "";
  for (let attempt = 0; attempt < 2; attempt++) {
    const fetched = await fetchOneVersion(planned, options);
    if (fetched.problem === undefined) return fetched;
    problem = fetched.problem;
    await removePart(options.path);
  }
  throw new AppError("INVALID_MODEL", `"${planned.name}" is not what it should be: ${problem}`);
}

async function fetchOneVersion(
  planned: PlannedFile,
  options: FetchFileOptions,
): Promise<FetchedFile> {
  for (let version = 1; version <= maxVersions; version++) {
    try {
      return await fetchFile(planned, options);
    } catch (error) {
      const isWorthless = error instanceof FileChanged ||
        (error instanceof AppError && error.code === "INVALID_MODEL");
      if (isWorthless) await removePart(options.path);
      if (!(error instanceof FileChanged)) throw error;
    }
  }
  throw new AppError(
    "UNAVAILABLE",
    `"${planned.name}" changed at its source again and again while it was downloaded`,
  );
}

/** Throws OUT_OF_DISK; answers what a file of unknown size may take. */
async function checkSpace(
  plan: Pick<PullPlan, "files">,
  deps: PullNetwork & DownloadFolder,
): Promise<number> {
  const { folder, limits } = deps;
  const freeBytes = await deps.freeBytes();
  let neededBytes = limits.reservedDiskBytes;
  for (const planned of plan.files) {
    const there = await readJournal(partPath(folder, planned.name), identityOf(planned));
    neededBytes += (planned.size ?? 0) - (there?.ranges.bytes ?? 0);
  }
  if (neededBytes > freeBytes) {
    throw new AppError("OUT_OF_DISK", "There is not enough space on the disk for this download", {
      details: { neededBytes, freeBytes },
    });
  }
  return Math.min(limits.unknownFileBytes, freeBytes - neededBytes);
}

const maxVersions = 3;

/** A name that a person recognises, and that no other file of the plan has. */
function partPath(folder: string, name: string): string {
  const tail = (name.split("/").at(-1) ?? "").replace(/[^A-Za-z0-9._-]/g, "_").slice(-100);
  const mark = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return join(folder, `${mark}-${tail}.part`);
}

async function removePart(path: string): Promise<void> {
  await removeJournal(path);
  await Deno.remove(path).catch((error) => {
    if (!isGone(error)) throw error;
  });
}

function toCancelled(reason: unknown): AppError {
  if (reason instanceof AppError) return reason;
  return new AppError("CANCELLED", "The download was stopped");
}
