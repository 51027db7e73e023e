// The only wiring: every part of a server, made here and joined here.

import { join } from "node:path";
import { createPluginHost } from "../plugins/runtime/host/plugin_host.ts";
import { createRegistry } from "../plugins/runtime/host/registry.ts";
import { createApp } from "./app.ts";
import { openAccess } from "./auth/access.ts";
import { createAccounts } from "./auth/accounts_store.ts";
import { createApiKeys } from "./auth/api_keys_store.ts";
import { createGuardedBus } from "./auth/guarded_bus.ts";
import { createQuotas } from "./auth/quotas.ts";
import { createRateLimits } from "./auth/rate_limits.ts";
import { dayMs } from "./auth/utc_calendar.ts";
import { createSpawnCell } from "./cells/spawn.ts";
import { createCellWatch } from "./cells/watch.ts";
import { openEngineStore } from "./engines/engine_store.ts";
import type { ComposeParts, Composition } from "./main.ts";
import { createMetrics } from "./observability/metrics.ts";
import { openAuditStore } from "./services/audit_store.ts";
import { createAuthHost } from "./services/auth_host.ts";
import { createBackupService } from "./services/backup_service.ts";
import { createChatStore } from "./services/chat_store.ts";
import { findInstalledPlugins } from "./services/installed_plugins.ts";
import { createModelFiles } from "./services/model_files.ts";
import { createModelService } from "./services/model_service.ts";
import { openModels, openModelWork } from "./services/open_models.ts";
import { openPageFiles } from "./services/page_files.ts";
import { openPluginLogs } from "./services/plugin_logs.ts";
import { openPluginState } from "./services/plugin_state.ts";
import { createPresetStore } from "./services/preset_store.ts";
import { startScheduledBackups } from "./services/scheduled_backups.ts";
import { openServerSettings } from "./services/server_settings_store.ts";
import { createTrustedLibrary } from "./services/trusted_models.ts";
import { openUsageStore } from "./services/usage_store.ts";
import { version } from "./version.ts";

/** Makes a whole server that does not listen yet; disposing it ends every cell. */
export async function compose(
  { config, bundles, database, operatorToken, adminPassword, hubToken, freeBytes, enginePins, log }:
    ComposeParts,
): Promise<Composition> {
  const { dataDir, pluginPaths } = config;
  const library = await openModels({ config, log });

  const engines = await openEngineStore({ dataDir, pins: enginePins, log });

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
  const models = createTrustedLibrary({ library, db });
  const [settings, state] = await Promise.all([
    openServerSettings({ db, config, warn: (message) => log.warn(message) }),
    openPluginState({ db, oldPath: join(dataDir, "plugins.json") }),
  ]);
  const setLevel = () => log.setLevel(settings.values.logLevel);
  setLevel();
  settings.watch(setLevel);
  const audit = parts.use(
    await openAuditStore({
      db,
      maxAgeMs: () => settings.values.auditDays * dayMs,
      oldPaths: ["audit.jsonl", "audit.jsonl.1"].map((name) => join(dataDir, name)),
      failed: (error) => log.error("the audit trail cannot be written", { error }),
    }),
  );
  const access = parts.use(
    await openAccess({
      db,
      bundles: bundles.folder,
      operatorToken,
      issuer: config.publicUrl,
      adminPassword,
      audit: (deed) => audit.record(deed),
    }),
  );
  const { auth, signIn, passwords } = access;
  const accounts = createAccounts({ db, identities: auth, passwords });
  const apiKeys = createApiKeys({ db, identities: auth });
  const usage = parts.use(openUsageStore({
    db,
    maxAgeMs: () => settings.values.usageDays * dayMs,
    failed: (error) => log.error("usage cannot be written", { error }),
  }));
  const rates = parts.use(createRateLimits());
  const host = parts.use(createPluginHost({
    plugins,
    registry,
    spawnCell: createSpawnCell({
      bundles: bundles.folder,
      modelFolders: models.readFolders,
      watch,
      nativeEngines: engines.installed,
      gpu: () => engines.isOn("webgpu"),
    }),
    models: createModelService(models),
    auth: createAuthHost({ accounts, apiKeys, auth, signIn, audit }),
    threads: navigator.hardwareConcurrency,
    state,
    auditSink(pluginId, entry) {
      // What people do to plugins is recorded by the routes, which know credential and address.
      if (!managing.has(entry.action)) audit.add(pluginId, entry);
    },
    logStore,
    onLog: (pluginId, { level, source, message, fields }) =>
      log[level](message, { pluginId, source, ...fields }),
    onListenerError: (error) => log.error("a subscriber of events failed", { error }),
  }));
  const scheduledBackups = parts.use(
    await startScheduledBackups({
      db,
      folder: join(dataDir, "backups"),
      plan: () => ({
        everyMs: settings.values.backupHours * hourMs,
        kept: settings.values.backupsKept,
      }),
      failed: (error) => log.error("the database could not be backed up", { error }),
    }),
  );
  const { jobs, keeper: modelKeeper, engineKeeper } = await openModelWork({
    library: models,
    bundles: bundles.folder,
    config,
    db,
    hubToken,
    freeBytes,
    pluginMemoryBytes: () => {
      const loader = host.list().find(({ id }) => id === "llmserver");
      return loader && loader.limits.memoryMb * 1024 * 1024;
    },
    engines,
    async enginesChanged() {
      const using = host.list().filter(({ engines, status }) =>
        engines.length > 0 && (status === "running" || status === "starting")
      );
      for (const { id } of using) {
        // One that does not start again stays as it is, until somebody restarts it.
        await host.restart(id, operator).catch((error) =>
          log.error("a plugin could not take up a change of engines", { pluginId: id, error })
        );
      }
    },
    log,
  });
  parts.use(jobs);
  const app = createApp({
    host,
    bus: createGuardedBus({
      bus: host.bus,
      rates,
      quotas: createQuotas({ tallies: usage }),
      meter: usage,
    }),
    audit,
    usage,
    settings,
    scheduledBackups,
    auth,
    signIn,
    accounts,
    apiKeys,
    models,
    modelFiles: createModelFiles({ library: models }),
    modelKeeper,
    jobs,
    engines: engineKeeper,
    chats: createChatStore({ db }),
    presets: createPresetStore({ db, models }),
    backups: createBackupService({ db, dataDir }),
    ui: openPageFiles(join(bundles.folder, "page")),
    config: { ...config, version },
    log,
    metrics: createMetrics(
      db.engine === "pglite" ? { databaseMemoryBytes: () => db.memoryBytes() } : {},
    ),
    database: db,
  });
  return { app, signIn, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

const hourMs = 60 * 60_000;
const operator = { id: "operator", role: "operator" };
const managing: ReadonlySet<string> = new Set(["start", "stop", "restart", "configure", "grant"]);
