// The files in a tar archive, which is how PGlite's extensions come. Caller: pglite_worker.ts.

export interface TarFile {
  path: string;
  /** A view. */
  bytes: Uint8Array;
}

/** Of plain archives with short names, which is what PGlite's are: anything else is skipped. */
export function* readTar(archive: Uint8Array): Generator<TarFile> {
  const text = (at: number, length: number) =>
    new TextDecoder().decode(archive.subarray(at, at + length)).replace(/\0[^]*$/, "");
  for (let at = 0; at + block <= archive.length && archive[at] !== 0;) {
    const size = parseInt(text(at + 124, 12), 8);
    const start = at + block;
    const kind = text(at + 156, 1);
    if (kind === "0" || kind === "") {
      yield { path: text(at, 100), bytes: archive.subarray(start, start + size) };
    }
    at = start + Math.ceil(size / block) * block;
  }
}

const block = 512;
