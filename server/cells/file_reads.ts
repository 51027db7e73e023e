// Reads for the plugin's Worker: ranges of files that the host opened, and bkg's own engine assets.
// The Worker is not trusted: handles, offsets, lengths and names are checked here.

import { engineAssets } from "../../plugins/runtime/contract/engine_assets.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { fingerprintOf } from "../../plugins/runtime/contract/file_fingerprint.ts";
import type { CellFile } from "../../plugins/runtime/host/cell.ts";

interface OpenFile extends CellFile {
  file: Promise<ReadFile> | undefined;
  /** Seek and read are two steps: reads of one file take turns. */
  turn: Promise<unknown>;
}

interface ReadFile {
  file: Deno.FsFile;
  /** When it was opened. */
  fingerprint: string;
}

export type FileReads = ReturnType<typeof createFileReads>;

const maxReadBytes = 512 * 1024 * 1024;
const assetNames: ReadonlySet<unknown> = new Set(Object.values(engineAssets).flat());

export function createFileReads(assets: string) {
  const files = new Map<unknown, OpenFile>();
  /** The file, where machine code may read it. */
  const findTrusted = async (handle: unknown): Promise<OpenFile> => {
    const open = files.get(handle);
    if (open === undefined) throw new AppError("NOT_FOUND", "The file is not open");
    if (!open.trusted) throw untrusted();
    open.file ??= openFile(open);
    await open.file.catch(hidePath);
    return open;
  };
  const readInto = (bytes: Uint8Array<ArrayBuffer>, open: OpenFile, offset: number) => {
    const result = open.turn.then(() => readRange(open, offset, bytes)).catch(hidePath);
    open.turn = result.catch(() => {});
    return result;
  };
  return {
    open(handle: number, { path, size, trusted, fingerprint }: CellFile): void {
      const state = { file: undefined, turn: Promise.resolve() };
      files.set(handle, { path, size, trusted, fingerprint, ...state });
    },
    /** For native engines, which read the file themselves. Throws NOT_FOUND, FORBIDDEN, or INVALID_MODEL where it changed. */
    async trustedPath(handle: unknown): Promise<string> {
      const open = await findTrusted(handle);
      // By its path it may be another one by now.
      const found = await Deno.stat(open.path).catch(hidePath);
      if (fingerprintOf(found) !== (await open.file)?.fingerprint) throw changed();
      return open.path;
    },
    /** The whole file, for native engines that take bytes. Throws as trustedPath does, and OUT_OF_MEMORY. */
    async trustedBytes(handle: unknown): Promise<Uint8Array<ArrayBuffer>> {
      const open = await findTrusted(handle);
      return await readInto(allocate(open.size), open, 0);
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
      return readInto(allocate(length), open, offset);
    },
    async asset(name: unknown): Promise<Uint8Array<ArrayBuffer>> {
      if (!assetNames.has(name)) throw new AppError("NOT_FOUND", `No asset "${name}"`);
      return await Deno.readFile(`${assets}/${name}`);
    },
  };
}

function allocate(size: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new AppError("OUT_OF_MEMORY", `There is no memory for ${size} bytes of a file`, {
      cause,
    });
  }
}

/** Fills `bytes`. */
async function readRange(
  open: OpenFile,
  offset: number,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  open.file ??= openFile(open);
  const { file, fingerprint } = await open.file;
  await file.seek(offset, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < bytes.length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) throw changed();
    filled += count;
  }
  // Bytes of two versions make no model.
  if (fingerprintOf(await file.stat()) !== fingerprint) throw changed();
  return bytes;
}

/** The file, if it is what the host knows of it. */
async function openFile({ path, size, fingerprint }: OpenFile): Promise<ReadFile> {
  const file = await Deno.open(path, { read: true });
  try {
    const stat = await file.stat();
    const found = fingerprintOf(stat);
    if (!stat.isFile || stat.size !== size) throw changed();
    if (fingerprint !== undefined && fingerprint !== found) throw changed();
    return { file, fingerprint: found };
  } catch (error) {
    file.close();
    throw error;
  }
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
