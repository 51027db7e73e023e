// Whether a file is still the one that was looked at: by whoever says what it is, and by the cell that opens it.

/** As Deno.stat tells it. */
export interface StatFacts {
  dev: number;
  ino: number | null;
  size: number;
  mtime: Date | null;
  ctime: Date | null;
}

/** Changes with the size, times or inode of the file. ctime catches a change that was dated back. */
export function fingerprintOf({ dev, ino, size, mtime, ctime }: StatFacts): string {
  const mtimeMs = mtime?.getTime() ?? 0;
  return [dev, ino, size, mtimeMs, ctime?.getTime() ?? mtimeMs].join(":");
}
