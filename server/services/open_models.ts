// The models and native engines of a server and the work on them, joined: the library on its disk, the way to a hub,
// jobs. Caller: compose.

import { join } from "node:path";
import { statfs } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { catalog } from "../../models/catalog.ts";
import { createPullNetwork } from "../../models/pull/network.ts";
import { type OpenModelLibrary, openModelLibrary } from "../../models/store/library.ts";
import { projectRoot } from "../build/bundles.ts";
import type { Config } from "../config.ts";
import type { Db } from "../db/db.ts";
import type { EngineStore } from "../engines/engine_store.ts";
import { findRegistry } from "../engines/registry.ts";
import type { Logger } from "../log.ts";
import { createEngineAdds } from "./engine_adds.ts";
import { createEngineKeeper } from "./engine_keeper.ts";
import { openJobs } from "./job_runner.ts";
import { createJobStore } from "./job_store.ts";
import { createMachine } from "./machine.ts";
import { createModelChecks } from "./model_checks.ts";
import { createModelKeeper } from "./model_keeper.ts";
import { createModelPulls } from "./model_pulls.ts";
import { readServerId } from "./server_id.ts";
import type { TrustedLibrary } from "./trusted_models.ts";

type ModelsConfig = Pick<
  Config,
  | "dataDir"
  | "modelPaths"
  | "modelCaches"
  | "hubEndpoint"
  | "privateHosts"
  | "offline"
  | "npmRegistry"
>;

/** What needs no database: it is opened beside. */
export function openModels(
  { config, log }: { config: ModelsConfig; log: Logger },
): Promise<OpenModelLibrary> {
  const { dataDir, modelPaths, modelCaches } = config;
  return openModelLibrary({
    folder: join(dataDir, "models"),
    modelPaths,
    caches: modelCaches,
    demoFolder: join(projectRoot, "models/demo"),
    digestCache: join(dataDir, "cache", "digests.json"),
    log,
  });
}

export interface ModelWorkOptions {
  library: TrustedLibrary;
  config: ModelsConfig;
  db: Db;
  /** HF_TOKEN; a secret. */
  hubToken?: string | undefined;
  /** Of the disks of models and engines; tests have less than there is. */
  freeBytes?: (() => Promise<number>) | undefined;
  /** The folder of what was built. */
  bundles: string;
  /** The memory limit of the plugin that loads language models. */
  pluginMemoryBytes(): number | undefined;
  engines: EngineStore;
  /** Lets plugins that run take up engines that came or went. */
  enginesChanged(): Promise<void>;
  log: Logger;
}

/** The jobs, which go on at once, and what people do to models. */
export async function openModelWork(options: ModelWorkOptions) {
  const { library, config, db, hubToken, engines, enginesChanged: changed, log } = options;
  const { dataDir, hubEndpoint: endpoint, privateHosts, offline } = config;
  const folder = join(dataDir, "models");
  const freeAt = (path: string) =>
    options.freeBytes ?? (async () => (await measureDisk(path)).freeBytes);
  const machine = createMachine({ dataDir, pluginMemoryBytes: options.pluginMemoryBytes });
  const network = createPullNetwork({
    offline,
    endpoint,
    allowedPrivateHosts: privateHosts,
    hashWorker: pathToFileURL(join(options.bundles, "hash_worker.js")),
    ...(hubToken === undefined ? {} : { token: hubToken }),
  });
  const failed = (error: unknown) => log.error("a job, or what is told of it, failed", { error });
  const jobs = await openJobs({
    store: createJobStore({ db, server: await readServerId(dataDir), failed }),
    kinds: {
      "model.pull": createModelPulls({
        ...{ library, network, catalog, endpoint },
        freeBytes: freeAt(folder),
      }),
      "model.verify": createModelChecks({ library }),
      "engine.add": createEngineAdds({
        ...{ store: engines, network, changed },
        freeBytes: freeAt(dataDir),
        registry: await findRegistry(config, options.bundles),
      }),
    },
    failed,
  });
  const keeper = createModelKeeper({
    library,
    jobs,
    facts: () => machine.facts(),
    measureDisk: async () => ({
      ...await measureDisk(folder),
      storeBytes: await sumFiles([join(folder, "blobs"), join(folder, "partial")]),
    }),
    catalog,
    offline,
    endpoint,
  });
  const engineKeeper = createEngineKeeper({ store: engines, jobs, offline, changed });
  await engineKeeper.sweep().catch(failed);
  jobs.start();
  return { jobs, keeper, engineKeeper };
}

async function measureDisk(folder: string): Promise<{ freeBytes: number; totalBytes: number }> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** What is not whole yet has holes. */
function sizeOnDisk({ blocks, size }: Deno.FileInfo): number {
  return blocks === null ? size : Math.min(size, blocks * 512);
}

async function sumFiles(folders: readonly string[]): Promise<number> {
  let total = 0;
  for (const folder of folders) {
    try {
      for await (const { name, isDirectory } of Deno.readDir(folder)) {
        const path = join(folder, name);
        total += isDirectory ? await sumFiles([path]) : sizeOnDisk(await Deno.lstat(path));
      }
    } catch (error) {
      // Not there yet, or gone while it was looked at.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return total;
}
