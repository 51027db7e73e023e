// One hash for the sources of a bundle: path, size and time of each file, cheap enough for every start.

import { join, relative } from "node:path";

const sourceFile = /\.(?:ts|js|json|css|html|sql|svg)$/;

/** SHA-256, hex, over all source files below the given files and folders. */
export async function bundleStamp(...places: string[]): Promise<string> {
  const lines = places.flatMap((place) => describe(place, place)).sort();
  const bytes = new TextEncoder().encode(lines.join("\n"));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function describe(place: string, path: string): string[] {
  const { isDirectory, size, mtime } = Deno.statSync(path);
  if (!isDirectory) return [`${place} ${relative(place, path)} ${size} ${mtime?.getTime() ?? 0}`];
  return [...Deno.readDirSync(path)]
    .filter((entry) => entry.isDirectory || isSource(entry))
    .flatMap((entry) => describe(place, join(path, entry.name)));
}

function isSource(entry: Deno.DirEntry): boolean {
  return entry.isFile && sourceFile.test(entry.name) && !entry.name.endsWith("_test.ts");
}
