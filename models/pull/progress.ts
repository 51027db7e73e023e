// How far a pull is: bytes of all files that never go back, though a file may have to be fetched again.
// Caller: download.ts.

import type { AppError } from "../../plugins/runtime/contract/error.ts";

export interface DownloadProgress {
  /** Of all files; never less than before. */
  doneBytes: number;
  /** Undefined while a file's size is. */
  totalBytes?: number;
  /** For people: "Downloading", "Checking", `Waiting 20 s: ...`. */
  step: string;
}

export interface ProgressTracker {
  /** Of the file that is being fetched, so many bytes are there. */
  arrived(bytes: number): void;
  /** It is whole and checked. */
  finish(bytes: number): void;
  checking(): void;
  waiting(waitMs: number, why: AppError): void;
}

export function trackProgress(
  sizes: readonly (number | undefined)[],
  tell: (progress: DownloadProgress) => void,
): ProgressTracker {
  const known = sizes.filter((size) => size !== undefined);
  const totalBytes = known.length === sizes.length
    ? known.reduce((sum, size) => sum + size, 0)
    : undefined;
  let finishedBytes = 0;
  let doneBytes = 0;

  function emit(fileBytes: number, step: string): void {
    doneBytes = Math.max(doneBytes, finishedBytes + fileBytes);
    tell({ doneBytes, ...(totalBytes === undefined ? {} : { totalBytes }), step });
  }

  return {
    arrived: (bytes) => emit(bytes, "Downloading"),
    finish(bytes) {
      finishedBytes += bytes;
      emit(0, "Downloading");
    },
    checking: () => emit(0, "Checking"),
    waiting: (waitMs, why) => emit(0, `Waiting ${Math.ceil(waitMs / 1000)} s: ${why.message}`),
  };
}
