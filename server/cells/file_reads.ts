// Reads for the plugin's Worker: ranges of files that the host opened, and bkg's own engine assets.
// The Worker is not trusted: handles, offsets, lengths and names are checked here.

import { engineAssets } from "../../plugins/runtime/contract/engine_assets.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";

interface OpenFile extends HostFile {
  file: Promise<ReadFile> | undefined;
  /** Seek and read are two steps: reads of one file take turns. */
  turn: Promise<unknown>;
}

interface ReadFile {
  file: Deno.FsFile;
  /** Of its last changes, when it was opened. */
  times: string;
}

/** A file as the host opened it. */
export interface HostFile {
  readonly path: string;
  readonly size: number;
  /** Whether machine code may read it: hostile files attack that. */
  readonly trusted: boolean;
}

export type FileReads = ReturnType<typeof createFileReads>;

const maxReadBytes = 512 * 1024 * 1024;
const assetNames: ReadonlySet<unknown> = new Set(Object.values(engineAssets).flat());

export function createFileReads(assets: string) {
  const files = new Map<unknown, OpenFile>();
  return {
    open(handle: number, { path, size, trusted }: HostFile): void {
      files.set(handle, { path, size, trusted, file: undefined, turn: Promise.resolve() });
    },
    /** For native engines, which read the file themselves. Throws NOT_FOUND, FORBIDDEN, or INVALID_MODEL where it changed. */
    async trustedPath(handle: unknown): Promise<string> {
      const open = files.get(handle);
      if (open === undefined) throw new AppError("NOT_FOUND", "The file is not open");
      if (!open.trusted) throw untrusted();
      open.file ??= openFile(open);
      await open.file.catch(hidePath);
      return open.path;
    },
    close(handle: number): void {
      const open = files.get(handle);
      files.delete(handle);
      open?.turn.then(async () => (await open.file)?.file.close()).catch(() => {});
    },
    read(handle: unknown, offset: unknown, length: unknown): Promise<Uint8Array<ArrayBuffer>> {
      const open = files.get(handle);
      if (open === undefined) throw new AppError("NOT_FOUND", "The file is not open");
      if (!isCount(offset) || !isCount(length) || offset + length > open.size) {
        throw new AppError(
          "INVALID_INPUT",
          `The range ${offset} + ${length} lies outside the file's ${open.size} bytes`,
        );
      }
      if (length > maxReadBytes) {
        throw new AppError("PAYLOAD_TOO_LARGE", `One read takes at most ${maxReadBytes} bytes`);
      }
      const result = open.turn.then(() => readRange(open, offset, length)).catch(hidePath);
      open.turn = result.catch(() => {});
      return result;
    },
    async asset(name: unknown): Promise<Uint8Array<ArrayBuffer>> {
      if (!assetNames.has(name)) throw new AppError("NOT_FOUND", `No asset "${name}"`);
      return await Deno.readFile(`${assets}/${name}`);
    },
  };
}

async function readRange(
  open: OpenFile,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  open.file ??= openFile(open);
  const { file, times } = await open.file;
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) throw changed();
    filled += count;
  }
  // Bytes of two versions make no model.
  const stat = await file.stat();
  if (stat.size !== open.size || describeTimes(stat) !== times) throw changed();
  return bytes;
}

/** The file, if it has the size that the host knows of it. */
async function openFile({ path, size }: OpenFile): Promise<ReadFile> {
  const file = await Deno.open(path, { read: true });
  try {
    const stat = await file.stat();
    if (!stat.isFile || stat.size !== size) throw changed();
    return { file, times: describeTimes(stat) };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The second catches a change that was dated back. */
function describeTimes({ mtime, ctime }: Deno.FileInfo): string {
  return `${mtime?.getTime()} ${ctime?.getTime()}`;
}

function changed(): AppError {
  return new AppError("INVALID_MODEL", "The model file changed: it is not any more what it was");
}

function untrusted(): AppError {
  return new AppError(
    "FORBIDDEN",
    'The native backend opens only models that are trusted: mark it with "bkg model trust"',
  );
}

/** What the system says names the file's path, which the plugin need not know. */
function hidePath(thrown: unknown): never {
  if (thrown instanceof AppError) throw thrown;
  throw new AppError("INVALID_MODEL", "The model file cannot be read", { cause: thrown });
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
