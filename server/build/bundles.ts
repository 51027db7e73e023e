// Makes bkg's own bundles into dist/, once: a stamp of the sources says whether anything changed.
// cell.js (a cell's trusted main), prelude.js and boot.js (its Worker's root), engines/*, plugins/<id>.js.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleStamp } from "./bundle_stamp.ts";

export interface Bundles {
  folder: string;
  /** Whether anything had to be built. */
  rebuilt: boolean;
  /** Bytes of each bundle, by its path in the folder. */
  sizes: Record<string, number>;
}

/** The project's root, where deno.json lies. */
export const projectRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Brings dist/ up to date; a second call with equal sources builds and downloads nothing. */
export async function buildBundles(
  { log, folder = join(projectRoot, "dist") }: { log: (line: string) => void; folder?: string },
): Promise<Bundles> {
  const stampPath = join(folder, "stamp.json");
  const sources = ["import_map.json", "plugins", "server/cells", "server/build"];
  const stamp = await bundleStamp(...sources.map((source) => join(projectRoot, source)));
  const known = readStamp(stampPath);
  if (known?.stamp === stamp) return { folder, rebuilt: false, sizes: known.sizes };
  log("building the bundles of cells, engines and plugins (once, until a source changes)");
  const { bundleOwn } = await import("./esbuild.ts");
  const sizes = await bundleOwn({ root: projectRoot, folder });
  await Deno.writeTextFile(stampPath, JSON.stringify({ stamp, sizes } satisfies Stamp));
  return { folder, rebuilt: true, sizes };
}

interface Stamp {
  stamp: string;
  sizes: Record<string, number>;
}

function readStamp(path: string): Stamp | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(path)) as Stamp;
  } catch {
    return undefined;
  }
}
