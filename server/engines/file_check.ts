// Whether the files of a package are those that were unpacked: by names and sizes at any time, by digest once.
// Caller: engine_store.ts. A file that was added counts as well: engines load every library beside their own.

import { createHash } from "node:crypto";
import { join } from "node:path";
import type { UnpackedFile } from "./unpack.ts";

/** What is wrong with the first file that is missing, new, or of another size; undefined: none is. */
export async function misplacedFile(
  folder: string,
  files: readonly UnpackedFile[],
): Promise<string | undefined> {
  const sizes = new Map(files.map(({ path, size }) => [path, size]));
  const left = new Set(sizes.keys());
  try {
    for await (const { path, size } of walk(folder, "")) {
      if (!sizes.has(path)) return `${JSON.stringify(path)} does not belong to it`;
      if (sizes.get(path) !== size) return `${JSON.stringify(path)} has another size`;
      left.delete(path);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) return unreadable(error);
  }
  const [missing] = left;
  return missing === undefined ? undefined : `${JSON.stringify(missing)} is missing`;
}

/** The same of the first file whose bytes changed. */
export async function changedFile(
  folder: string,
  files: readonly UnpackedFile[],
): Promise<string | undefined> {
  const buffer = new Uint8Array(1024 * 1024);
  try {
    for (const { path, digest } of files) {
      const hash = createHash("sha256");
      using file = await Deno.open(join(folder, path));
      for (let read; (read = await file.read(buffer)) !== null;) {
        hash.update(buffer.subarray(0, read));
      }
      if (`sha256:${hash.digest("hex")}` !== digest) return `${JSON.stringify(path)} was changed`;
    }
  } catch (error) {
    return unreadable(error);
  }
  return undefined;
}

/** Such as by the wrong user: the engine is damaged, and all else goes on. Without the path, which is the server's own. */
function unreadable(error: unknown): string {
  return `its files cannot be read (${error instanceof Error ? error.name : "unknown"})`;
}

/** Links and their like have no size that fits. */
async function* walk(
  root: string,
  below: string,
): AsyncGenerator<{ path: string; size: number | undefined }> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(join(root, below))) {
    const path = below === "" ? name : `${below}/${name}`;
    if (isDirectory) yield* walk(root, path);
    else yield { path, size: isFile ? (await Deno.lstat(join(root, path))).size : undefined };
  }
}
