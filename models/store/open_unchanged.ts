// Opens files whose bytes are promised to be those of a digest or a header: only in the state that was looked at.
// Callers: digests, headers, services/model_files.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { quote } from "../format/text.ts";
import { describeStat } from "./found.ts";

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

function changed(name: string): AppError {
  return new AppError("UNAVAILABLE", `${quote(name)} changed while it was read; try again`);
}
