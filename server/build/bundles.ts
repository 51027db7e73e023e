// Makes bkg's own bundles into dist/, once: a stamp of the inputs says whether anything changed.
// cell.js (a cell's trusted main), boot.js (its Worker's root), engines/*, plugins/<id>.js.

import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export interface Bundles {
  folder: string;
  /** Whether anything had to be built. */
  rebuilt: boolean;
  /** Bytes of each bundle, by its path in the folder. */
  sizes: Record<string, number>;
}

/** The project's root, where deno.json lies. */
export const projectRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Brings dist/ up to date; a second call with equal inputs builds and downloads nothing. */
export async function buildBundles(
  { log, folder = join(projectRoot, "dist") }: { log: (line: string) => void; folder?: string },
): Promise<Bundles> {
  const stampPath = join(folder, "stamp.json");
  const inputs = stampInputs();
  const known = readStamp(stampPath);
  if (known !== undefined && known.inputs === inputs) {
    return { folder, rebuilt: false, sizes: known.sizes };
  }
  log("building the bundles of the cell and the plugins (once, until a source changes)");
  const { bundleOwn } = await import("./esbuild.ts");
  const sizes = await bundleOwn({ root: projectRoot, folder });
  await Deno.writeTextFile(stampPath, JSON.stringify({ inputs, sizes }));
  return { folder, rebuilt: true, sizes };
}

interface Stamp {
  inputs: string;
  sizes: Record<string, number>;
}

function readStamp(path: string): Stamp | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(path)) as Stamp;
  } catch {
    return undefined;
  }
}

/** Path, size and time of every file that can end in a bundle; cheap enough for every start. */
function stampInputs(): string {
  const lines = ["import_map.json", "deno.lock"].map((file) => describe(join(projectRoot, file)));
  for (const room of ["plugins", "server/cells", "server/build"]) {
    walk(join(projectRoot, room), lines);
  }
  return lines.sort().join("\n");
}

function walk(folder: string, lines: string[]): void {
  for (const entry of Deno.readDirSync(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) walk(path, lines);
    else if (/\.(?:ts|js|json)$/.test(entry.name) && !entry.name.endsWith("_test.ts")) {
      lines.push(describe(path));
    }
  }
}

function describe(path: string): string {
  const { size, mtime } = Deno.statSync(path);
  return `${relative(projectRoot, path)} ${size} ${mtime?.getTime() ?? 0}`;
}
