// The body of an answer, read piece by piece into the reader's own buffers and given up when it falls silent.
// Callers: network.ts makes it; hub_repo.ts and copy_body.ts read it.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { RawResponse } from "./http1.ts";
import type { PullLimits } from "./limits.ts";

export interface PullBody {
  /**
   * Fills `into` from its start; answers how many bytes, 0 at the end. Throws UNAVAILABLE when the connection is lost,
   * TIMEOUT when too little comes.
   */
  read(into: Uint8Array): Promise<number>;
  /** Gives the connection back, or ends it when something is left to be read. */
  close(): void;
}

export interface WatchOptions {
  host: string;
  /** Ends the request. */
  stop: AbortController;
  /** Called once, when the body is done with. */
  release(): void;
  limits: Readonly<PullLimits>;
}

export function watchBody(
  response: Pick<RawResponse, "read">,
  { host, stop, release, limits }: WatchOptions,
): PullBody {
  let isClosed = false;
  /** Since so many bytes came that it was not silent. */
  let waitedMs = 0;
  let bytesSince = 0;

  function giveUp(): void {
    const message = `"${host}" sends nothing more, or hardly anything`;
    stop.abort(new AppError("TIMEOUT", message, { retryable: true }));
  }

  return {
    async read(into) {
      const startMs = performance.now();
      const timer = setTimeout(giveUp, Math.max(0, limits.silenceMs - waitedMs));
      try {
        const bytes = await response.read(into);
        waitedMs += performance.now() - startMs;
        bytesSince += bytes;
        if (bytesSince >= limits.silenceBytes) waitedMs = bytesSince = 0;
        return bytes;
      } catch (cause) {
        if (stop.signal.aborted) throw stop.signal.reason;
        if (cause instanceof AppError) throw cause;
        throw new AppError("UNAVAILABLE", `The connection to "${host}" was lost`, { cause });
      } finally {
        clearTimeout(timer);
      }
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      release();
    },
  };
}

/** The whole body, where it is small. Throws PAYLOAD_TOO_LARGE beyond `limitBytes`. */
export async function readWhole(
  body: PullBody,
  { limitBytes, host }: { limitBytes: number; host: string },
): Promise<Uint8Array<ArrayBuffer>> {
  let buffer = new Uint8Array(Math.min(64 * 1024, limitBytes + 1));
  let filled = 0;
  try {
    while (true) {
      const bytes = await body.read(buffer.subarray(filled));
      filled += bytes;
      if (bytes === 0) return buffer.subarray(0, filled);
      if (filled > limitBytes) {
        throw new AppError(
          "PAYLOAD_TOO_LARGE",
          `"${host}" answers with more than ${limitBytes} bytes`,
        );
      }
      if (filled < buffer.length) continue;
      const larger = new Uint8Array(Math.min(buffer.length * 2, limitBytes + 1));
      larger.set(buffer);
      buffer = larger;
    }
  } finally {
    body.close();
  }
}
