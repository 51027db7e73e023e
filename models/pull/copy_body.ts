// Moves a body to a file: the next piece is read while the last one is written, within two buffers that are used again
// and again. Caller: range_fetch.ts.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { PullBody } from "./body.ts";
import type { PartialWriter } from "./partial_file.ts";

export interface CopyOptions {
  host: string;
  /** Of the whole body; undefined where it is not known, and then `limitBytes` is the most. */
  bytes: number | undefined;
  limitBytes: number;
}

/**
 * Copies bodies one after the other. Throws UNAVAILABLE when one is shorter or longer than it said; what came before
 * is written then too.
 */
export function createCopier(): (
  body: PullBody,
  writer: PartialWriter,
  options: CopyOptions,
) => Promise<void> {
  const buffers = [new Uint8Array(bufferBytes), new Uint8Array(bufferBytes)];
  let turn = 0;

  return async (body, writer, { host, bytes, limitBytes }) => {
    let filled = 0;
    let received = 0;
    let writing = Promise.resolve();
    let writtenMs = performance.now();

    /** Hands the filled buffer to the disk, and takes the other one. */
    async function write(): Promise<void> {
      const full = buffers[turn]!.subarray(0, filled);
      [turn, filled, writtenMs] = [1 - turn, 0, performance.now()];
      await writing;
      writing = writer.write(full);
      // It is awaited with the next piece, or at the end.
      writing.catch(() => {});
    }

    try {
      while (true) {
        const piece = await body.read(buffers[turn]!.subarray(filled));
        if (piece === 0) break;
        received += piece;
        if (received > (bytes ?? limitBytes)) throw unlikeItSaid(host, "more");
        filled += piece;
        // A slow body is written as it comes, so that little is lost when all of this is killed.
        if (filled === bufferBytes || performance.now() - writtenMs >= longestHeldMs) await write();
      }
      if (received < (bytes ?? 0)) throw unlikeItSaid(host, "less");
    } finally {
      if (filled > 0) await write();
      await writing;
    }
  };
}

const bufferBytes = 512 * 1024;
const longestHeldMs = 100;

function unlikeItSaid(host: string, what: "more" | "less"): AppError {
  return new AppError("UNAVAILABLE", `"${host}" sent ${what} than it said`);
}
