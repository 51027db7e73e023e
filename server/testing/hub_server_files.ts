// The bytes of a hub server's files: ranges, conditions, throttling, and the faults of bodies. Caller: hub_server.ts.

import { gzipSync } from "node:zlib";
import type { HubFault, HubFaults } from "./hub_server_faults.ts";

export interface ServedFile {
  /** Bytes, or a path. */
  content: Uint8Array<ArrayBuffer> | string;
  size: number;
  /** Hexadecimal. */
  sha256: string;
  /** As git names a blob: SHA-1. */
  gitOid: string;
  /** Whether the hub keeps it apart (LFS), and names its SHA-256. */
  isLarge: boolean;
}

export interface AnswerOptions {
  file: ServedFile;
  path: string;
  faults: HubFaults;
  /** With `etag`. */
  headers: Record<string, string>;
  bytesPerSecond?: number;
  /** Told of each chunk. */
  count(bytes: number): void;
}

/** Answers GET and HEAD of one file. */
export function answerBytes(request: Request, options: AnswerOptions): Response {
  const { file, path, faults, bytesPerSecond } = options;
  const take = <Kind extends HubFault["kind"]>(kind: Kind) => faults.take(kind, { path });
  const headers = new Headers({ "content-type": "application/octet-stream", ...options.headers });
  if (take("gzip")) return answerBomb(headers);
  const changed = take("changed");
  if (changed) headers.set("etag", '"changed"');
  const noRanges = take("noRanges");
  const range = noRanges === undefined ? rangeOf(request, { size: file.size, headers }) : undefined;
  if (range === "unsatisfiable") {
    return new Response(null, {
      status: 416,
      headers: { "content-range": `bytes */${file.size}` },
    });
  }
  const { start, end } = range ?? { start: 0, end: file.size };
  if (noRanges === undefined) headers.set("accept-ranges", "bytes");
  if (noRanges?.length !== false) headers.set("content-length", String(end - start));
  if (range) headers.set("content-range", `bytes ${start}-${end - 1}/${file.size}`);
  const endless = take("endless");
  if (endless) headers.delete("content-length");
  for (const [name, value] of Object.entries(take("headers")?.headers ?? {})) {
    headers.set(name, value);
  }
  const status = range ? 206 : 200;
  if (request.method === "HEAD") return new Response(null, { status, headers });

  const corrupt = take("corrupt");
  const flipped = (changed || corrupt) && (corrupt?.offset ?? file.size - 1);
  const drip = take("drip");
  const body = bodyOf({
    ...{ file, start, end, count: options.count, endless: endless !== undefined },
    ...{ flipped, short: take("short")?.bytes, stall: take("stall")?.bytes },
    chunkBytes: drip?.bytes ?? (bytesPerSecond ? Math.ceil(bytesPerSecond / 50) : 256 * 1024),
    pauseMs: drip || bytesPerSecond ? 20 : 0,
  });
  return new Response(body, { status, headers });
}

function rangeOf(
  request: Request,
  { size, headers }: { size: number; headers: Headers },
): { start: number; end: number } | "unsatisfiable" | undefined {
  const condition = request.headers.get("if-range");
  if (condition !== null && condition !== headers.get("etag")) return undefined;
  const found = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
  if (found === null) return undefined;
  const start = Number(found[1]);
  const end = found[2] === "" ? size : Math.min(Number(found[2]) + 1, size);
  return start < end ? { start, end } : "unsatisfiable";
}

interface BodyOptions {
  file: ServedFile;
  start: number;
  end: number;
  chunkBytes: number;
  pauseMs: number;
  endless: boolean;
  /** The byte that is another. */
  flipped: number | undefined;
  short: number | undefined;
  stall: number | undefined;
  count(bytes: number): void;
}

function bodyOf(options: BodyOptions): ReadableStream<Uint8Array> {
  const { file, start, end, chunkBytes, pauseMs, endless, flipped, short, stall, count } = options;
  const { content } = file;
  let handle: Deno.FsFile | undefined;
  let position = start;
  let wake = () => {};
  const close = () => {
    handle?.close();
    handle = undefined;
    wake();
  };

  async function readChunk(length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (position >= file.size) return new Uint8Array(length);
    if (typeof content !== "string") return content.slice(position, position + length);
    if (handle === undefined) {
      handle = await Deno.open(content);
      await handle.seek(start, Deno.SeekMode.Start);
    }
    const chunk = new Uint8Array(length);
    const read = await handle.read(chunk) ?? 0;
    return chunk.subarray(0, read);
  }

  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const sent = position - start;
      if (pauseMs > 0) await sleep(pauseMs, (cancel) => wake = cancel);
      if (stall !== undefined && sent >= stall) {
        return await new Promise<void>((resolve) => wake = resolve);
      }
      const until = Math.min(short ?? Infinity, stall ?? Infinity);
      if (short !== undefined && sent >= short) {
        close();
        return controller.error(new Error("the body is cut short"));
      }
      const left = endless ? chunkBytes : Math.min(end - position, chunkBytes, until - sent);
      if (left <= 0) {
        close();
        return controller.close();
      }
      const chunk = await readChunk(left);
      if (flipped !== undefined && flipped >= position && flipped < position + chunk.length) {
        chunk[flipped - position]! ^= 255;
      }
      position += chunk.length;
      count(chunk.length);
      controller.enqueue(chunk);
    },
    cancel: close,
  }, { highWaterMark: 0 });
}

function sleep(ms: number, onStart: (cancel: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    onStart(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** 16 MiB of zeros in 16 KiB. */
function answerBomb(headers: Headers): Response {
  headers.set("content-encoding", "gzip");
  return new Response(Uint8Array.from(gzipSync(new Uint8Array(16 * 1024 ** 2))), { headers });
}
