// One file that is being downloaded: its bytes on the disk, which of them are there, and who waits for them.
// Callers: download.ts opens it, range_fetch.ts writes it.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { ByteReader } from "../gguf.ts";
import { asDiskError } from "./disk_errors.ts";
import {
  createJournal,
  type FileIdentity,
  type FileVersion,
  type JournalWriter,
  noVersion,
  readJournal,
  removeJournal,
  writeAll,
} from "./journal.ts";
import { RangeSet } from "./ranges.ts";

export interface PartialFile extends AsyncDisposable {
  readonly path: string;
  /** Undefined where nobody tells it before the end. */
  readonly size: number | undefined;
  readonly have: RangeSet;
  /** As the server told with the first bytes. */
  version: FileVersion;
  readonly journal: JournalWriter;
  /** Writers have their own place in the file. */
  openWriter(start: number): Promise<PartialWriter>;
  /** The bytes as they come: a read waits for its range, until `fail`. */
  reader(size: number): ByteReader;
  /** No more bytes will come. */
  fail(error: unknown): void;
  /** Forgets all that is there, but which version it was. */
  reset(): Promise<void>;
}

export interface PartialWriter extends Disposable {
  /** Where the next byte goes. */
  readonly position: number;
  /** Throws OUT_OF_DISK. */
  write(bytes: Uint8Array): Promise<void>;
}

export interface OpenPartialOptions {
  identity: FileIdentity;
  checkpointMs: number;
  /** Told after each write. */
  written(): void;
  /** Told when all that was there is worthless. */
  wasReset(): void;
}

export async function openPartial(path: string, options: OpenPartialOptions): Promise<PartialFile> {
  const { identity, checkpointMs, written, wasReset } = options;
  const before = await readJournal(path, identity);
  if (before === undefined) await removeJournal(path);
  const file = await Deno.open(path, {
    ...{ read: true, write: true, create: true, truncate: before === undefined },
  });
  // Sparse: no byte of it takes space before it is written.
  await file.truncate(identity.size ?? 0);
  let have = before?.ranges ?? new RangeSet();
  let version: FileVersion = before?.version ?? noVersion;
  let waiting: { until: number; resolve(): void; reject(error: unknown): void }[] = [];
  let failure: { error: unknown } | undefined;
  const journal = createJournal(file, path, {
    ...{ identity, everyMs: checkpointMs },
    state: () => ({ version, ranges: have }),
  });

  function wakeReaders(): void {
    const { prefix } = have;
    const ready = waiting.filter(({ until }) => until <= prefix);
    if (ready.length === 0) return;
    waiting = waiting.filter(({ until }) => until > prefix);
    for (const { resolve } of ready) resolve();
  }

  function waitFor(until: number): Promise<void> {
    if (until <= have.prefix) return Promise.resolve();
    if (failure !== undefined) return Promise.reject(failure.error);
    return new Promise((resolve, reject) => waiting.push({ until, resolve, reject }));
  }

  return {
    ...{ path, journal, size: identity.size },
    get have() {
      return have;
    },
    get version() {
      return version;
    },
    set version(value) {
      version = value;
    },
    async openWriter(start) {
      const own = await Deno.open(path, { write: true });
      await own.seek(start, Deno.SeekMode.Start);
      let position = start;
      return {
        get position() {
          return position;
        },
        async write(bytes) {
          try {
            await writeAll(own, bytes);
          } catch (error) {
            throw asDiskError(error);
          }
          have.add([position, position + bytes.length]);
          position += bytes.length;
          wakeReaders();
          journal.note();
          written();
        },
        [Symbol.dispose]: () => own.close(),
      };
    },
    reader: (size) => ({
      size,
      async read(offset, length) {
        const end = Math.min(offset + length, size);
        await waitFor(end);
        using own = await Deno.open(path);
        await own.seek(offset, Deno.SeekMode.Start);
        return await readExactly(own, end - offset);
      },
    }),
    fail(error) {
      failure = { error };
      for (const { reject } of waiting) reject(error);
      waiting = [];
    },
    async reset() {
      await removeJournal(path);
      have = new RangeSet();
      await file.truncate(0);
      await file.truncate(identity.size ?? 0);
      wasReset();
    },
    async [Symbol.asyncDispose]() {
      await journal.close();
      file.close();
    },
  };
}

async function readExactly(file: Deno.FsFile, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(0, length));
  for (let done = 0; done < bytes.length;) {
    const read = await file.read(bytes.subarray(done));
    if (read === null) throw new AppError("INTERNAL", "The partial file is shorter than it was");
    done += read;
  }
  return bytes;
}
