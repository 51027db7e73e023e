// Which bytes of a partial file are durable: a small file beside it, replaced after the data was forced to the disk.
// Callers: download.ts. Invariant: after a kill or a power cut it names no byte that is not there.

import { z } from "zod";
import { isGone } from "./disk_errors.ts";
import type { PlannedFile } from "./plan.ts";
import { RangeSet } from "./ranges.ts";

/** What a partial file is of; another identity makes it worthless. */
export interface FileIdentity {
  name: string;
  /** Undefined where nobody tells: then nothing is kept. */
  size: number | undefined;
  /** `sha256:<hex>`, where the source tells it. */
  digest: string | undefined;
  /** Or a path; without its query. A file with a digest may come from anywhere. */
  url: string;
}

export function identityOf(
  { name, size, digest, url }: Pick<PlannedFile, "name" | "size" | "digest" | "url">,
): FileIdentity {
  return { name, size, digest, url: url.replace(/[?#].*$/s, "") };
}

/** What a server says of a version of a file. */
export interface FileVersion {
  etag: string | undefined;
  lastModified: string | undefined;
}

export const noVersion: FileVersion = { etag: undefined, lastModified: undefined };

export interface JournalEntry {
  version: FileVersion;
  ranges: RangeSet;
}

/** What the journal of `partPath` says; undefined when there is none, or it is of another file. */
export async function readJournal(
  partPath: string,
  identity: FileIdentity,
): Promise<JournalEntry | undefined> {
  try {
    const [text, { size }] = await Promise.all([
      Deno.readTextFile(journalPath(partPath)),
      Deno.lstat(partPath),
    ]);
    const { ranges, etag, lastModified, ...of } = journalShape.parse(JSON.parse(text));
    if (identity.size === undefined) return undefined;
    const isSame = of.name === identity.name && of.size === identity.size &&
      of.digest === identity.digest && (of.digest !== undefined || of.url === identity.url);
    // Only who said which version it was can go on with it, or who knows the digest.
    if (!isSame || (of.digest === undefined && etag === undefined && lastModified === undefined)) {
      return undefined;
    }
    const known = new RangeSet(ranges);
    if ((known.ranges.at(-1)?.[1] ?? 0) > Math.min(size, identity.size)) return undefined;
    // Whoever knows the digest need not insist on a server's name for the version.
    const version = of.digest === undefined ? { etag, lastModified } : noVersion;
    return { version, ranges: known };
  } catch (error) {
    if (isGone(error) || error instanceof SyntaxError || error instanceof z.ZodError) {
      return undefined;
    }
    throw error;
  }
}

export async function removeJournal(partPath: string): Promise<void> {
  for (const path of [journalPath(partPath), `${journalPath(partPath)}.new`]) {
    await Deno.remove(path).catch((error) => {
      if (!isGone(error)) throw error;
    });
  }
}

export interface JournalWriter {
  /** Soon, and not more often than `everyMs`. A failure is left to the next write of data, or to `flush`. */
  note(): void;
  /** Now: resolves when all that was there at the call is durable. */
  flush(): Promise<void>;
  /** Waits for what is being written; nothing is written afterwards. */
  close(): Promise<void>;
  /** Bytes that are durable. */
  readonly durableBytes: number;
}

export interface JournalOptions {
  identity: FileIdentity;
  /** Asked each time. */
  state(): { version: FileVersion; ranges: RangeSet };
  everyMs: number;
}

/** `file` is the partial file, open; it stays the caller's. */
export function createJournal(
  file: Deno.FsFile,
  partPath: string,
  { identity, state, everyMs }: JournalOptions,
): JournalWriter {
  let running: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let durableBytes = state().ranges.bytes;
  let lastMs = performance.now();

  async function write(): Promise<void> {
    lastMs = performance.now();
    const { version, ranges } = state();
    // Taken before the data is forced out: what comes meanwhile may not be.
    const text = JSON.stringify({ version: 1, ...identity, ...version, ranges: ranges.ranges });
    const { bytes } = ranges;
    await file.syncData();
    const path = journalPath(partPath);
    using next = await Deno.open(`${path}.new`, { create: true, write: true, truncate: true });
    await writeAll(next, new TextEncoder().encode(text));
    await next.syncData();
    await Deno.rename(`${path}.new`, path);
    durableBytes = bytes;
  }

  async function writeInTurn(): Promise<void> {
    while (running !== undefined) await running.catch(() => {});
    running = write().finally(() => running = undefined);
    await running;
  }

  return {
    note() {
      if (identity.size === undefined || timer !== undefined || running !== undefined) return;
      const waitMs = Math.max(0, lastMs + everyMs - performance.now());
      timer = setTimeout(() => {
        timer = undefined;
        writeInTurn().catch(() => {});
      }, waitMs);
    },
    async flush() {
      clearTimeout(timer);
      timer = undefined;
      if (identity.size !== undefined) await writeInTurn();
    },
    async close() {
      clearTimeout(timer);
      await running?.catch(() => {});
    },
    get durableBytes() {
      return durableBytes;
    },
  };
}

export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const journalShape = z.object({
  version: z.literal(1),
  name: z.string(),
  size: count,
  digest: z.string().optional(),
  url: z.string(),
  etag: z.string().optional(),
  lastModified: z.string().optional(),
  ranges: z.array(z.tuple([count, count])).max(100_000),
});

function journalPath(partPath: string): string {
  return `${partPath}.json`;
}
