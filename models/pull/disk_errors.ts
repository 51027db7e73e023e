// What the disk's refusals mean for a pull. Callers: download.ts and its parts.

import { AppError } from "../../plugins/runtime/contract/error.ts";

export function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound;
}

/** A full disk, or a quota that is used up, becomes OUT_OF_DISK; all else stays what it is. */
export function asDiskError(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code !== "ENOSPC" && code !== "EDQUOT") return error;
  return new AppError(
    "OUT_OF_DISK",
    "The disk is full: what was downloaded is kept, and goes on when there is space",
    { cause: error },
  );
}
