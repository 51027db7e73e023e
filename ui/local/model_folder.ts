// The models' files in this site's private storage (OPFS), each under its digest: a file is there whole and checked,
// or as a partial download. Written by model_writer.ts alone.

import { AppError } from "../../plugins/runtime/contract/error.ts";

export interface ModelFolder {
  /** A whole file; undefined when it is not here. */
  find(digest: string): Promise<File | undefined>;
  /** Bytes of the partial download; 0 when there is none. */
  partialBytes(digest: string): Promise<number>;
  /** Removes the file and its partial download. */
  remove(digest: string): Promise<void>;
}

/** Below the storage's root. */
export const modelFolderName = "bkg-models";

export function fileName(digest: string): string {
  return digest.replace(":", "-");
}

export function partialName(digest: string): string {
  return `${fileName(digest)}.partial`;
}

/** Why no model can be kept in this browser; undefined when they can. */
export function storageProblem(): AppError | undefined {
  if (typeof navigator.storage?.getDirectory === "function" && navigator.locks !== undefined) {
    return undefined;
  }
  const advice = globalThis.isSecureContext
    ? "use a newer browser, outside a private window"
    : "open bkg by https, or at localhost";
  return new AppError(
    "UNSUPPORTED_FEATURE",
    `This browser offers this page no private file storage, where models would be kept: ${advice}`,
    { details: { feature: "opfs" } },
  );
}

export function openModelFolder(): ModelFolder {
  return {
    find: (digest) => readFile(fileName(digest)),
    partialBytes: async (digest) => (await readFile(partialName(digest)))?.size ?? 0,
    async remove(digest) {
      const folder = await openFolder();
      for (const name of [fileName(digest), partialName(digest)]) {
        await folder.removeEntry(name).catch(ignoreAbsent);
      }
    },
  };
}

async function readFile(name: string): Promise<File | undefined> {
  const folder = await openFolder();
  const handle = await folder.getFileHandle(name).catch(ignoreAbsent);
  return await handle?.getFile();
}

async function openFolder(): Promise<FileSystemDirectoryHandle> {
  const problem = storageProblem();
  if (problem !== undefined) throw problem;
  try {
    const root = await navigator.storage.getDirectory();
    return await root.getDirectoryHandle(modelFolderName, { create: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError(
      "UNSUPPORTED_FEATURE",
      `This browser does not let this page keep files, as in a private window: ${reason}`,
      { details: { feature: "opfs" }, cause },
    );
  }
}

function ignoreAbsent(error: unknown): undefined {
  if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
  throw error;
}
