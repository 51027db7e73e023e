// `deno task native`: fetches the native engines that tests use into dist/native, as a server would fetch them.
// Callers: people, and run.ts where every test is required. What is there already stays, links too.

import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { createPullNetwork } from "../../models/pull/network.ts";
import { buildBundles, projectRoot } from "../build/bundles.ts";
import { readConfig, readEnvironment } from "../config.ts";
import { fetchPackage } from "../engines/fetch_package.ts";
import { enginePins, folderName, pinsOf } from "../engines/pins.ts";
import { findRegistry } from "../engines/registry.ts";

/** Throws where the registry cannot be reached, or has other bytes. */
export async function fetchTestEngines(log: (line: string) => void): Promise<void> {
  const root = join(projectRoot, "dist/native");
  const { os, arch } = Deno.build;
  const missing = pinsOf("cpu", { pins: enginePins, system: { os, arch } })
    .filter((pin) => !existsSync(join(root, folderName(pin), "package.json")));
  if (missing.length === 0) return;
  const { folder: bundles } = await buildBundles({ log });
  const config = readConfig(readEnvironment());
  const registry = await findRegistry(config, bundles);
  const network = createPullNetwork({
    offline: config.offline,
    // Whoever builds trusts this registry with all of bkg's packages, and a mirror of one's own is private.
    endpoint: registry ?? config.hubEndpoint,
    allowedPrivateHosts: config.privateHosts,
  });
  const work = join(root, "partial");
  await Deno.mkdir(work, { recursive: true });
  for (const pin of missing) {
    const { name, version, downloadBytes } = pin;
    log(`fetching ${name} ${version} (${Math.round(downloadBytes / 1e6)} MB) for tests`);
    const { folder } = await fetchPackage(pin, {
      ...{ network, registry, work },
      freeBytes: async () => {
        const { bavail, bsize } = await statfs(work);
        return bavail * bsize;
      },
      signal: AbortSignal.timeout(maxMinutes * 60_000),
      tell: () => {},
    });
    const target = join(root, folderName(pin));
    // A link that leads nowhere, or what was interrupted.
    await Deno.remove(target, { recursive: true }).catch(() => {});
    await Deno.rename(folder, target);
  }
  await Deno.remove(work, { recursive: true });
}

const maxMinutes = 10;

if (import.meta.main) await fetchTestEngines((line) => console.log(line));
