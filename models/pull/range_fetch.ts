// Fetches what is missing of one file: several ranges at a time, each tried again from where it broke; as one stream
// from a server without ranges. Caller: download.ts. Invariant: bytes of two versions of a file never mix.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { createCopier } from "./copy_body.ts";
import type { PullLimits } from "./limits.ts";
import type { PullResponse, PullSession } from "./network.ts";
import type { FileVersion } from "./journal.ts";
import type { PartialFile } from "./partial_file.ts";
import { createPatience } from "./patience.ts";
import { parseContentRange, type Range } from "./ranges.ts";

export interface RangeFetchOptions {
  session: PullSession;
  url: string;
  file: PartialFile;
  limits: Readonly<PullLimits>;
  signal: AbortSignal;
  waiting?: ((waitMs: number, why: AppError) => void) | undefined;
}

/** The server has another file now than the one that was begun. */
export class FileChanged extends Error {}

/** Resolves when all bytes are written. Throws FileChanged, or the AppError that could not be borne. */
export async function fetchMissing(options: RangeFetchOptions): Promise<void> {
  const { url, file, limits, waiting } = options;
  const { size } = file;
  const host = new URL(url).host;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const request = createLink(options);
  const queue = size === undefined ? [] : file.have.missing(size, limits.segmentBytes);
  if (size !== undefined && queue.length === 0) return;
  const maxUnsafeBytes = 2 * limits.connections * limits.segmentBytes;
  /** Resolves with the first answer: whether ranges work. A whole file answers the condition from then on. */
  const opened = Promise.withResolvers<boolean>();
  let hasRanges = false;

  /** One connection's work. */
  async function work(): Promise<void> {
    const copy = createCopier();
    while (true) {
      const range = queue.shift();
      if (range === undefined) return;
      await fetchRange(range, copy);
      // What a kill would lose stays bounded, however slow the disk is.
      if (file.have.bytes - file.journal.durableBytes > maxUnsafeBytes) await file.journal.flush();
    }
  }

  async function fetchRange([start, end]: Range, copy: Copy): Promise<void> {
    const patience = createPatience({ limits, signal, waiting });
    using writer = await file.openWriter(start);
    let rewardedAt = start;
    while (writer.position < end) {
      try {
        const range = `bytes=${writer.position}-${end - 1}`;
        const response = await request({ range, ...conditionOf(file.version) }, signal);
        const { body } = response;
        try {
          checkVersion(response);
          if (response.status === 206) {
            const until = checkRange(response, { start: writer.position, end });
            hasRanges = true;
            opened.resolve(true);
            await copy(body, writer, { host, bytes: until - writer.position, limitBytes: end });
          } else if (hasRanges) {
            throw new FileChanged();
          } else {
            queue.length = 0;
            return await streamWhole(response, copy);
          }
        } finally {
          body.close();
        }
      } catch (error) {
        if (statusOf(error) === 416) throw new FileChanged();
        if (writer.position - rewardedAt >= rewardBytes) {
          rewardedAt = writer.position;
          patience.reward();
        }
        await patience.bear(error);
      }
    }
  }

  /** All in one; from the beginning again when it breaks. */
  async function streamWhole(first: PullResponse | undefined, copy: Copy): Promise<void> {
    const patience = createPatience({ limits, signal, waiting });
    let response = first;
    while (true) {
      try {
        response ??= await request({}, signal);
        checkVersion(response);
        await file.reset();
        using writer = await file.openWriter(0);
        const bytes = size ?? readLength(response.headers);
        if (size !== undefined && (readLength(response.headers) ?? size) !== size) {
          throw new AppError("UNAVAILABLE", `"${host}" has a file of another size`);
        }
        return await copy(response.body, writer, {
          host,
          bytes,
          limitBytes: limits.unknownFileBytes,
        });
      } catch (error) {
        response?.body.close();
        await patience.bear(error);
      } finally {
        response?.body.close();
        response = undefined;
      }
    }
  }

  function checkVersion({ headers }: PullResponse): void {
    const { etag, lastModified } = file.version;
    const now = versionOf(headers);
    const isOther = etag !== undefined && now.etag !== undefined
      ? etag !== now.etag
      : lastModified !== undefined && lastModified !== now.lastModified;
    if (isOther) throw new FileChanged();
    if (etag === undefined && lastModified === undefined) file.version = now;
  }

  function checkRange({ headers }: PullResponse, asked: { start: number; end: number }): number {
    const range = parseContentRange(headers.get("content-range"));
    const length = readLength(headers);
    const isTrue = range !== undefined && range.start === asked.start && range.end <= asked.end &&
      (range.total === undefined || range.total === size) &&
      (length === undefined || length === range.end - range.start);
    if (isTrue) return range.end;
    throw new AppError("UNAVAILABLE", `"${host}" answers with other bytes than were asked for`);
  }

  const isWhole = size === undefined ||
    (size <= limits.smallFileBytes && file.have.bytes === 0);
  if (isWhole) return await streamWhole(undefined, createCopier());
  const guard = async (working: Promise<void>) => {
    try {
      await working;
    } catch (error) {
      // The others end with it, and the first failure is the one that is told.
      stop.abort(error);
      throw error;
    }
  };
  const first = guard(work()).finally(() => opened.resolve(false));
  first.catch(() => {});
  const others = await opened.promise ? Math.min(limits.connections - 1, queue.length) : 0;
  await Promise.allSettled([first, ...Array.from({ length: others }, () => guard(work()))]);
  stop.signal.throwIfAborted();
}

type Copy = ReturnType<typeof createCopier>;

/** Progress that makes up for a failure. */
const rewardBytes = 256 * 1024;

/**
 * Asks where the last answer came from, past the redirects; from the start again when that failed, for a signed link
 * expires.
 */
function createLink(
  { session, url }: { session: PullSession; url: string },
): (headers: Record<string, string>, signal: AbortSignal) => Promise<PullResponse> {
  let location = url;
  return async (headers, signal) => {
    const asked = location;
    try {
      const response = await session.request(asked, { headers, signal });
      location = response.url;
      return response;
    } catch (error) {
      location = url;
      const isExpired = error instanceof AppError &&
        (error.code === "FORBIDDEN" || error.code === "NOT_FOUND");
      if (asked === url || !isExpired) throw error;
      return await session.request(url, { headers, signal });
    }
  };
}

function versionOf(headers: Headers): FileVersion {
  return {
    etag: headers.get("etag")?.slice(0, 500) || undefined,
    lastModified: headers.get("last-modified")?.slice(0, 100) || undefined,
  };
}

/** A weak ETag is not for ranges. */
function conditionOf({ etag }: FileVersion): Record<string, string> {
  return etag === undefined || etag.startsWith("W/") ? {} : { "if-range": etag };
}

function readLength(headers: Headers): number | undefined {
  const value = headers.get("content-length") ?? "";
  return /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

function statusOf(error: unknown): unknown {
  if (!(error instanceof AppError) || typeof error.details !== "object") return undefined;
  return (error.details as { status?: unknown } | null)?.status;
}
