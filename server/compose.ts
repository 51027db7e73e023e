// The only wiring: every part of a server, made here and joined here.

import { join } from "node:path";
import { createFolderDigests } from "../models/folder_digests.ts";
import { createFolderStore } from "../models/folder_store.ts";
import { createPluginHost } from "../plugins/runtime/host/plugin_host.ts";
import { createApp } from "./app.ts";
import { buildBundles, projectRoot } from "./build/bundles.ts";
import { createSpawnCell } from "./cells/spawn.ts";
import { createCellWatch } from "./cells/watch.ts";
import type { ComposeParts, Composition } from "./main.ts";
import { createMetrics } from "./observability/metrics.ts";
import { findInstalledPlugins } from "./services/installed_plugins.ts";
import { openJsonLines } from "./services/json_lines.ts";
import { createModelFiles } from "./services/model_files.ts";
import { createModelService } from "./services/model_service.ts";
import { openPageFiles } from "./services/page_files.ts";
import { openPluginLogs } from "./services/plugin_logs.ts";
import { openPluginState } from "./services/plugin_state.ts";
import { version } from "./version.ts";

/** Makes a whole server that does not listen yet; disposing it ends every cell. */
export async function compose(
  { config, auth, signIn, log, step }: ComposeParts,
): Promise<Composition> {
  const { dataDir, modelPaths, pluginPaths } = config;
  const bundles = await buildBundles({ log: step });
  await Deno.mkdir(join(dataDir, "models"), { recursive: true });
  const modelFolders = await Promise.all(
    [join(dataDir, "models"), ...modelPaths, join(projectRoot, "models/demo")].map(canonical),
  );
  const models = createFolderStore({ folders: modelFolders, log });

  const parts = new AsyncDisposableStack();
  const watch = parts.use(createCellWatch());
  const auditFile = parts.use(openJsonLines({
    path: join(dataDir, "audit.jsonl"),
    failed: (error) => log.error("the audit file cannot be written", { error }),
  }));
  const logStore = parts.use(openPluginLogs({
    folder: join(dataDir, "logs"),
    failed: (error) => log.error("the logs of plugins cannot be written", { error }),
  }));
  const host = parts.use(createPluginHost({
    plugins: await findInstalledPlugins({
      bundles: bundles.folder,
      pluginPaths,
      cacheFolder: join(dataDir, "cache", "plugins"),
    }),
    spawnCell: createSpawnCell({
      bundles: bundles.folder,
      modelFolders,
      watch,
    }),
    models: createModelService(models),
    threads: navigator.hardwareConcurrency,
    state: openPluginState(join(dataDir, "plugins.json")),
    auditSink: (pluginId, entry) => auditFile.add({ pluginId, ...entry }),
    logStore,
    onLog: (pluginId, { level, source, message, fields }) =>
      log[level](message, { pluginId, source, ...fields }),
    onListenerError: (error) => log.error("a subscriber of events failed", { error }),
  }));
  const app = createApp({
    host,
    auth,
    signIn,
    models,
    modelFiles: createModelFiles({
      store: models,
      digests: createFolderDigests({ cachePath: join(dataDir, "cache", "digests.json"), log }),
    }),
    ui: openPageFiles(join(bundles.folder, "page")),
    config: { ...config, version },
    log,
    metrics: createMetrics(),
  });
  return { app, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

/** Where a path really leads: a cell is allowed folders by name, and files are found below the real one. */
function canonical(path: string): Promise<string> {
  return Deno.realPath(path).catch(() => path);
}
