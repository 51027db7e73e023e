// Makes bkg's own bundles into dist/, once: a stamp of the sources says whether anything changed.
// cell.js (a cell's trusted main), prelude.js and boot.js (its Worker's root), engines/*, plugins/<id>.js, page/, database/,
// password_worker.js, hash_worker.js, onnxruntime_worker.js (a cell's native models), registry.json.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { bundleStamp } from "./bundle_stamp.ts";
import type { BundleSizes } from "./esbuild.ts";

export interface Bundles {
  folder: string;
  /** Whether anything had to be built. */
  rebuilt: boolean;
  sizes: BundleSizes;
}

/** The project's root, where deno.json lies. */
export const projectRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Whether only what was built is here, as in a binary: nothing can be built then. */
export function isPacked(): boolean {
  return !existsSync(join(projectRoot, "import_map.json"));
}

/** Brings dist/ up to date; a second call with equal sources builds and downloads nothing. */
export async function buildBundles(
  { log, folder = join(projectRoot, "dist") }: { log: (line: string) => void; folder?: string },
): Promise<Bundles> {
  const stampPath = join(folder, "stamp.json");
  const packed = isPacked() ? readStamp(stampPath) : undefined;
  if (packed !== undefined) return { folder, rebuilt: false, sizes: packed.sizes };
  const sources = [
    ...["import_map.json", "models", "plugins", "server/cells", "server/db", "server/build", "ui"],
    ...["server/auth/password_worker.ts", "server/auth/password_message.ts"],
  ];
  const stamp = await bundleStamp(...sources.map((source) => join(projectRoot, source)));
  const known = () => {
    const found = readStamp(stampPath);
    return found?.stamp === stamp ? found : undefined;
  };
  const current = known();
  if (current !== undefined) return { folder, rebuilt: false, sizes: current.sizes };
  // One process builds; whoever started at the same moment waits, and finds it done.
  await Deno.mkdir(folder, { recursive: true });
  using turn = await Deno.open(join(folder, "build.lock"), { write: true, create: true });
  await turn.lock(true);
  const made = known();
  if (made !== undefined) return { folder, rebuilt: false, sizes: made.sizes };
  log("building the bundles of cells, plugins and the page (once, until a source changes)");
  const { bundleOwn } = await loadBundler();
  const sizes = await bundleOwn({ root: projectRoot, folder });
  await Deno.writeTextFile(stampPath, JSON.stringify({ stamp, sizes } satisfies Stamp));
  return { folder, rebuilt: true, sizes };
}

/** Throws UNSUPPORTED_FEATURE where nothing can be built. */
export function loadBundler(): Promise<typeof import("./esbuild.ts")> {
  if (isPacked()) {
    throw new AppError(
      "UNSUPPORTED_FEATURE",
      "This bkg cannot bundle TypeScript: give it plugin.js",
    );
  }
  // By a computed name: what is packed into a binary must not take the bundler in.
  return import(new URL("./esbuild.ts", import.meta.url).href);
}

interface Stamp {
  stamp: string;
  sizes: BundleSizes;
}

function readStamp(path: string): Stamp | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(path)) as Stamp;
  } catch {
    return undefined;
  }
}
