// The only wiring: every part of a server, made here and joined here.

import { join } from "node:path";
import { createFolderDigests } from "../models/folder_digests.ts";
import { createFolderStore } from "../models/folder_store.ts";
import { createPluginHost } from "../plugins/runtime/host/plugin_host.ts";
import { createRegistry } from "../plugins/runtime/host/registry.ts";
import { createApp } from "./app.ts";
import { openAccess } from "./auth/access.ts";
import { openSessionStore } from "./auth/session_store.ts";
import { projectRoot } from "./build/bundles.ts";
import { createSpawnCell } from "./cells/spawn.ts";
import { createCellWatch } from "./cells/watch.ts";
import type { ComposeParts, Composition } from "./main.ts";
import { createMetrics } from "./observability/metrics.ts";
import { openAuditStore } from "./services/audit_store.ts";
import { createBackupService } from "./services/backup_service.ts";
import { findInstalledPlugins } from "./services/installed_plugins.ts";
import { createModelFiles } from "./services/model_files.ts";
import { createModelService } from "./services/model_service.ts";
import { openPageFiles } from "./services/page_files.ts";
import { openPluginLogs } from "./services/plugin_logs.ts";
import { openPluginState } from "./services/plugin_state.ts";
import { version } from "./version.ts";

/** Makes a whole server that does not listen yet; disposing it ends every cell. */
export async function compose(
  { config, bundles, database, operatorToken, log }: ComposeParts,
): Promise<Composition> {
  const { dataDir, modelPaths, pluginPaths } = config;
  await Deno.mkdir(join(dataDir, "models"), { recursive: true });
  const modelFolders = await Promise.all(
    [join(dataDir, "models"), ...modelPaths, join(projectRoot, "models/demo")].map(canonical),
  );
  const models = createFolderStore({ folders: modelFolders, log });

  const parts = new AsyncDisposableStack();
  const watch = parts.use(createCellWatch());
  const logStore = parts.use(openPluginLogs({
    folder: join(dataDir, "logs"),
    failed: (error) => log.error("the logs of plugins cannot be written", { error }),
  }));
  const plugins = await findInstalledPlugins({
    bundles: bundles.folder,
    pluginPaths,
    cacheFolder: join(dataDir, "cache", "plugins"),
  });
  // All that needs no database comes first: it is opening beside.
  const registry = createRegistry(plugins, { now: () => performance.now() });
  const db = await database;
  const [audit, access, state] = await Promise.all([
    openAuditStore({
      db,
      oldPaths: ["audit.jsonl", "audit.jsonl.1"].map((name) => join(dataDir, name)),
      failed: (error) => log.error("the audit trail cannot be written", { error }),
    }),
    openSessionStore({
      db,
      oldPath: join(dataDir, "sessions.json"),
      warn: (message) => log.warn(message),
    }).then((sessionStore) => openAccess({ sessionStore, operatorToken })),
    openPluginState({ db, oldPath: join(dataDir, "plugins.json") }),
  ]);
  parts.use(audit);
  const { auth, signIn } = parts.use(access);
  const host = parts.use(createPluginHost({
    plugins,
    registry,
    spawnCell: createSpawnCell({
      bundles: bundles.folder,
      modelFolders,
      watch,
    }),
    models: createModelService(models),
    threads: navigator.hardwareConcurrency,
    state,
    auditSink: (pluginId, entry) => audit.add(pluginId, entry),
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
    backups: createBackupService({ db, dataDir }),
    ui: openPageFiles(join(bundles.folder, "page")),
    config: { ...config, version },
    log,
    metrics: createMetrics(
      db.engine === "pglite" ? { databaseMemoryBytes: () => db.memoryBytes() } : {},
    ),
    database: db,
  });
  return { app, auth, signIn, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

/** Where a path really leads: a cell is allowed folders by name, and files are found below the real one. */
function canonical(path: string): Promise<string> {
  return Deno.realPath(path).catch(() => path);
}
