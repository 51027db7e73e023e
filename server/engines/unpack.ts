// Takes files out of a packed package (tar, gzip), as if a stranger had packed it: regular files and folders alone,
// plain names, everything counted. Caller: fetch_package.ts, which has compared its checksum before.

import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { syncFolder } from "../../models/store/durable.ts";

export interface UnpackedFile {
  /** Below the folder, with "/". */
  path: string;
  size: number;
  /** `sha256:<hex>` */
  digest: string;
}

export interface UnpackOptions {
  /** Where the kept files go; it is made, and must not be there. */
  folder: string;
  /** Files, or folders with "/" at the end. */
  keep: readonly string[];
  signal: AbortSignal;
  limits?: Partial<UnpackLimits>;
}

export interface UnpackLimits {
  /** Files and folders. */
  entries: number;
  fileBytes: number;
  /** Of all that is in the package, kept or not. */
  totalBytes: number;
}

/** ONNX Runtime's package has 301 MB, the largest that is known. */
export const unpackLimits: Readonly<UnpackLimits> = {
  entries: 1000,
  fileBytes: 1024 ** 3,
  totalBytes: 2 * 1024 ** 3,
};

/** Answers what was kept, durable when this returns. Throws INVALID_PACKAGE; what was unpacked by then stays. */
export async function unpackPackage(
  archive: string,
  { folder, keep, signal, limits: given }: UnpackOptions,
): Promise<UnpackedFile[]> {
  const limits = { ...unpackLimits, ...given };
  const file = await Deno.open(archive);
  const unzipped = file.readable.pipeThrough(new DecompressionStream("gzip"), { signal });
  const source = createSource(unzipped.getReader());
  const files: UnpackedFile[] = [];
  const seen = new Set<string>();
  const folders = new Set([folder]);
  let totalBytes = 0;
  await Deno.mkdir(folder, { mode: 0o700 });
  try {
    while (true) {
      signal.throwIfAborted();
      const entry = readHeader(await source.exactly(blockBytes));
      if (entry === undefined) break;
      const { path, kind, size } = entry;
      if (seen.has(path)) throw hostile(`it has "${path}" twice`);
      seen.add(path);
      totalBytes += size;
      if (seen.size > limits.entries) throw hostile(`it has more than ${limits.entries} files`);
      if (size > limits.fileBytes || totalBytes > limits.totalBytes) {
        throw hostile("it is larger than any package that bkg knows");
      }
      const isKept = kind === "file" &&
        keep.some((kept) => kept.endsWith("/") ? path.startsWith(kept) : path === kept);
      const paddingBytes = (blockBytes - size % blockBytes) % blockBytes;
      if (!isKept) {
        await source.skip(size + paddingBytes);
        continue;
      }
      const target = join(folder, path);
      await Deno.mkdir(dirname(target), { recursive: true, mode: 0o700 });
      for (let above = dirname(target); above !== folder; above = dirname(above)) {
        folders.add(above);
      }
      files.push({ path, size, digest: await writeFile(target, source.pieces(size)) });
      await source.skip(paddingBytes);
    }
  } catch (error) {
    signal.throwIfAborted();
    // What the decompression throws for bytes that are none of gzip's.
    if (error instanceof TypeError) throw hostile("it is no gzip, or breaks off");
    const { AlreadyExists, IsADirectory, NotADirectory } = Deno.errors;
    const isClash = [AlreadyExists, IsADirectory, NotADirectory].some((kind) =>
      error instanceof kind
    );
    throw isClash ? hostile("a file in it is a folder too") : error;
  } finally {
    await source.close();
  }
  for (const path of folders) await syncFolder(path);
  return files;
}

const blockBytes = 512;

interface Entry {
  /** Without the package's own folder. */
  path: string;
  kind: "file" | "folder";
  size: number;
}

/** Undefined at the archive's end. Extensions of the format are refused: the packages that bkg knows have none. */
function readHeader(block: Uint8Array): Entry | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  let sum = 0;
  // The checksum's own field counts as spaces.
  block.forEach((byte, at) => sum += at >= 148 && at < 156 ? 32 : byte);
  if (octal(block, [148, 156]) !== sum) throw hostile("a header's checksum is wrong");
  const flag = text(block, [156, 157]);
  const kind = flag === "0" || flag === "" ? "file" : flag === "5" ? "folder" : undefined;
  const prefix = text(block, [345, 500]);
  const name = `${prefix === "" ? "" : `${prefix}/`}${text(block, [0, 100])}`;
  if (kind === undefined) {
    throw hostile(`${JSON.stringify(name)} is neither a file nor a folder`);
  }
  const segments = (kind === "folder" ? name.replace(/\/$/, "") : name).split("/");
  const isPlain = segments.every((part) => /^[A-Za-z0-9_@+-][A-Za-z0-9_@+.-]*$/.test(part));
  // npm puts all of a package into one folder of this name.
  if (!isPlain || segments[0] !== "package" || (kind === "file" && segments.length < 2)) {
    throw hostile(`it has a file named ${JSON.stringify(name)}`);
  }
  const size = octal(block, [124, 136]);
  if (kind === "folder" && size !== 0) throw hostile("a folder in it has bytes");
  return { path: segments.slice(1).join("/"), kind, size };
}

function text(block: Uint8Array, [start, end]: [number, number]): string {
  const bytes = block.subarray(start, end);
  const length = bytes.indexOf(0);
  return new TextDecoder("latin1").decode(length === -1 ? bytes : bytes.subarray(0, length));
}

function octal(block: Uint8Array, range: [number, number]): number {
  const digits = text(block, range).trim();
  if (!/^[0-7]{1,11}$/.test(digits)) throw hostile("a number in a header is none");
  return parseInt(digits, 8);
}

/** The bytes in pieces as they are wanted. */
function createSource(reader: ReadableStreamDefaultReader<Uint8Array>) {
  let rest: Uint8Array = new Uint8Array();

  async function* pieces(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0;) {
      if (rest.length === 0) {
        const { done, value } = await reader.read();
        if (done) throw hostile("it breaks off");
        rest = value;
        continue;
      }
      const piece = rest.subarray(0, left);
      rest = rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  return {
    pieces,
    async exactly(length: number): Promise<Uint8Array> {
      const bytes = new Uint8Array(length);
      let filled = 0;
      for await (const piece of pieces(length)) {
        bytes.set(piece, filled);
        filled += piece.length;
      }
      return bytes;
    },
    async skip(length: number): Promise<void> {
      for await (const _ of pieces(length));
    },
    /** Closes the file too. */
    close: () => reader.cancel().catch(() => {}),
  };
}

async function writeFile(path: string, pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  for await (const piece of pieces) {
    hash.update(piece);
    for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
  }
  await file.sync();
  return `sha256:${hash.digest("hex")}`;
}

function hostile(why: string): AppError {
  return new AppError("INVALID_PACKAGE", `The package is refused: ${why}`);
}
