// Files of this machine as the source of a model: they are copied, so that what is checked is what is served.
// Callers: plan.ts, fetch_file.ts.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { isGone } from "./disk_errors.ts";
import type { PartialFile } from "./partial_file.ts";

/** Whether a planned file's `url` is an absolute path. */
export function isLocal(url: string): boolean {
  return url.startsWith("/");
}

/** Bytes. Throws NOT_FOUND, and INVALID_INPUT for what is no regular file. */
export async function readLocalSize(path: string): Promise<number> {
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile) throw new AppError("INVALID_INPUT", `"${path}" is no file`);
    return size;
  } catch (error) {
    if (isGone(error)) throw new AppError("NOT_FOUND", `There is no file "${path}"`);
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new AppError("FORBIDDEN", `The file "${path}" may not be read by bkg`);
    }
    throw error;
  }
}

export async function copyLocalFile(
  path: string,
  { file, signal }: { file: PartialFile; signal: AbortSignal },
): Promise<void> {
  await file.reset();
  using source = await Deno.open(path);
  using writer = await file.openWriter(0);
  const buffer = new Uint8Array(1024 * 1024);
  while (true) {
    signal.throwIfAborted();
    const read = await source.read(buffer);
    if (read === null) break;
    await writer.write(buffer.subarray(0, read));
  }
  if (writer.position !== file.size) {
    throw new AppError("CONFLICT", `The file "${path}" changed while it was copied`);
  }
}
