// One package from the registry, or a folder of this machine, to files in a folder: nothing of it is looked into before
// its SHA-512 is what bkg knows. Callers: the job that adds engines, the tests' own fetch.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { downloadFiles } from "../../models/pull/download.ts";
import { asDiskError } from "../../models/pull/disk_errors.ts";
import { readLocalSize } from "../../models/pull/local_file.ts";
import type { PullNetwork } from "../../models/pull/network.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { type EnginePin, folderName } from "./pins.ts";
import { tarballUrl } from "./registry.ts";
import { type UnpackedFile, type UnpackLimits, unpackPackage } from "./unpack.ts";

export interface FetchPackageOptions {
  network: PullNetwork;
  /** Undefined: only `from` will do. */
  registry: string | undefined;
  /** A folder of this machine that has the packed files; absolute. */
  from?: string | undefined;
  /** Of this work alone; absolute, and there. What is in it is gone on with. */
  work: string;
  /** Of the work folder's file system. */
  freeBytes(): Promise<number>;
  signal: AbortSignal;
  tell(progress: { step: string; doneBytes?: number }): void;
  limits?: Partial<UnpackLimits> | undefined;
}

export interface FetchedPackage {
  /** In the work folder. */
  folder: string;
  files: UnpackedFile[];
}

/**
 * Throws INVALID_PACKAGE for what is not the known package, NOT_FOUND, what the network throws, OUT_OF_DISK, and the
 * signal's reason. A download that breaks off stays, to go on with.
 */
export async function fetchPackage(
  pin: EnginePin,
  { network, registry, from, work, freeBytes, signal, tell, limits }: FetchPackageOptions,
): Promise<FetchedPackage> {
  const named = `"${pin.name}" ${pin.version}`;
  const url = from === undefined ? addressOf(pin, registry) : await findLocal(pin, from);
  const file = { name: `${folderName(pin)}.tgz`, url, size: pin.downloadBytes, digest: undefined };
  const [downloaded] = await downloadFiles(
    { source: named, files: [file] },
    { ...network, folder: work, freeBytes },
    { signal, progress: ({ step, doneBytes }) => tell({ step, doneBytes }) },
  );
  const { path } = downloaded!;
  tell({ step: "Checking", doneBytes: pin.downloadBytes });
  if (await integrityOf(path, signal) !== pin.integrity) {
    await Deno.remove(path);
    throw new AppError(
      "INVALID_PACKAGE",
      `The package ${named} is not the one that bkg knows: its SHA-512 differs, and nothing of it was used`,
    );
  }
  tell({ step: "Unpacking" });
  const folder = join(work, folderName(pin));
  // Left by a run that was killed.
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  try {
    const files = await unpackPackage(path, {
      folder,
      keep: pin.keep,
      signal,
      ...(limits === undefined ? {} : { limits }),
    });
    for (const kept of pin.keep) {
      if (files.some((file) => file.path === kept || file.path.startsWith(kept))) continue;
      throw new AppError("INVALID_PACKAGE", `The package ${named} has no "${kept}"`);
    }
    await Deno.remove(path);
    return { folder, files };
  } catch (error) {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    throw asDiskError(error);
  }
}

function addressOf(pin: EnginePin, registry: string | undefined): string {
  if (registry !== undefined) return tarballUrl(registry, pin);
  throw new AppError(
    "UNAVAILABLE",
    "This bkg knows no registry of packages: set NPM_CONFIG_REGISTRY, or add the engine from a folder",
    { retryable: false },
  );
}

/** By the name that `npm pack` gives it, or that the registry does. */
async function findLocal({ name, version, downloadBytes }: EnginePin, folder: string) {
  const names = [
    `${name.replace("@", "").replace("/", "-")}-${version}.tgz`,
    `${name.split("/").at(-1)}-${version}.tgz`,
  ];
  for (const file of names) {
    const path = join(folder, file);
    try {
      const size = await readLocalSize(path);
      if (size === downloadBytes) return path;
      throw new AppError(
        "INVALID_PACKAGE",
        `"${path}" is not the package that bkg knows: it has ${size} bytes, not ${downloadBytes}`,
      );
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "NOT_FOUND") throw error;
    }
  }
  throw new AppError("NOT_FOUND", `There is no file "${names[0]}" in the folder "${folder}"`);
}

async function integrityOf(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha512");
  using file = await Deno.open(path);
  const buffer = new Uint8Array(1024 * 1024);
  while (true) {
    signal.throwIfAborted();
    const read = await file.read(buffer);
    if (read === null) return `sha512-${hash.digest("base64")}`;
    hash.update(buffer.subarray(0, read));
  }
}
