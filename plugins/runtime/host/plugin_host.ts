// Wires the parts of the host: registry, one supervisor a plugin, broker, bus, logs, audit, events.
// `compose.ts` makes one for the server, a page makes one for itself.

import { AppError, toAppError } from "../contract/error.ts";
import { type Grant, noPermissions, permissionsSchema } from "../contract/grant.ts";
import type { AuthHost, ModelService } from "./broker.ts";
import { createBus } from "./bus.ts";
import type { SpawnCell } from "./cell.ts";
import { describeGrantChange } from "./consent.ts";
import { createEventJournal } from "./event_journal.ts";
import type { AuditEntry, LogLine, PluginHost, PluginView, Principal } from "./host.ts";
import { HostedPlugin } from "./hosted_plugin.ts";
import {
  type ConfigDecision,
  decideConfig,
  describeConfig,
  namesOfChange,
  type PluginState,
} from "./plugin_config.ts";
import type { LogStore } from "./plugin_log.ts";
import { createRegistry, type InstalledPlugin, type Registry } from "./registry.ts";
import { createThreadBudget, type ThreadBudget } from "./thread_budget.ts";
import { systemTimers, type Timers } from "./timers.ts";

/** Keeps the operator's decisions. */
export interface PluginStateStore {
  /** Undefined for a plugin that nobody decided about. */
  load(pluginId: string): PluginState | undefined;
  save(pluginId: string, state: PluginState): void | Promise<void>;
}

export interface PluginHostDeps {
  plugins: readonly InstalledPlugin[];
  /** Made of `plugins` beforehand. */
  registry?: Registry;
  spawnCell: SpawnCell;
  models: ModelService;
  /** Accounts, for plugins with the service "auth". */
  auth?: AuthHost | undefined;
  /** Threads that all plugins share: the cores of the machine, or a budget that several hosts share. */
  threads: number | ThreadBudget;
  state: PluginStateStore;
  /** Keeps audit entries; called once for each, when its count is final. */
  auditSink?: (pluginId: string, entry: AuditEntry) => void;
  onLog?: (pluginId: string, line: LogLine) => void;
  /** Keeps log lines beyond the end of this host. */
  logStore?: LogStore;
  /** A subscriber threw. */
  onListenerError?: (error: unknown) => void;
  /** Ms since the epoch. */
  now?: () => number;
  /** Ms that no change of the system's clock moves. */
  monotonicNow?: () => number;
  random?: () => number;
  timers?: Timers;
  /** Longest wait for running calls at a stop, ms; default 10,000. */
  drainMs?: number;
}

export function createPluginHost(deps: PluginHostDeps): PluginHost {
  const now = deps.now ?? Date.now;
  const monotonicNow = deps.monotonicNow ?? (() => performance.now());
  const timers = deps.timers ?? systemTimers;
  const threads = typeof deps.threads === "number"
    ? createThreadBudget(deps.threads)
    : deps.threads;
  const registry = deps.registry ?? createRegistry(deps.plugins, { now: monotonicNow });
  const journal = createEventJournal({
    stored: Array.from(
      registry.plugins.keys(),
      (id) => [id, deps.logStore?.load(id) ?? []] as const,
    ),
    now,
    onLine(pluginId, line) {
      deps.logStore?.append(pluginId, line);
      deps.onLog?.(pluginId, line);
    },
    onListenerError: deps.onListenerError,
  });
  const hosted = new Map<string, HostedPlugin>();
  for (const known of registry.plugins.values()) {
    const { id: pluginId } = known;
    const plugin = new HostedPlugin({
      known,
      registry,
      state: deps.state.load(pluginId),
      spawnCell: deps.spawnCell,
      models: deps.models,
      auth: deps.auth,
      threads,
      now,
      monotonicNow,
      random: deps.random ?? Math.random,
      timers,
      ...(deps.drainMs === undefined ? undefined : { drainMs: deps.drainMs }),
      onStatus: (changed) => journal.add(pluginId, { topic: "status", plugin: changed.view() }),
      onTelemetry: (telemetry) => journal.add(pluginId, { topic: "telemetry", telemetry }),
      keepLine: (line) => journal.add(pluginId, { topic: "logs", line }),
      onAudit: (entry) => deps.auditSink?.(pluginId, entry),
    });
    hosted.set(pluginId, plugin);
  }
  for (const { state, known, supervisor } of hosted.values()) {
    // Quietly: why it does not start is in its log and its status.
    if (state.enabled && state.autostart && !known.problem) supervisor.start().catch(() => {});
  }
  const bus = createBus({ registry, now: monotonicNow, target: find });
  const cancelFlush = timers.every(flushEveryMs, () => flush(false));

  return {
    bus,
    list: () => [...hosted.values()].map((plugin) => plugin.view()),
    get: (pluginId) => find(pluginId).view(),
    start(pluginId, principal) {
      return command(pluginId, "start", principal, async (plugin) => {
        await change(plugin, { enabled: true });
        await plugin.supervisor.start();
      });
    },
    stop(pluginId, principal) {
      return command(pluginId, "stop", principal, async (plugin) => {
        await change(plugin, { enabled: false });
        await plugin.supervisor.stop("disabled");
      });
    },
    restart(pluginId, principal) {
      return command(pluginId, "restart", principal, async (plugin) => {
        await change(plugin, { enabled: true });
        await plugin.supervisor.restart();
      });
    },
    manifest: (pluginId) => find(pluginId).known.manifest,
    async loadCode(pluginId) {
      const { known, held } = find(pluginId);
      if (known.problem !== undefined) throw known.problem;
      if (held !== undefined) throw held;
      return await known.installed.loadCode();
    },
    config(pluginId) {
      const { known, state } = find(pluginId);
      return describeConfig(known, state);
    },
    async configure(pluginId, wanted, principal) {
      const plugin = find(pluginId);
      let names = namesOfChange(wanted);
      await command(pluginId, "configure", principal, async () => {
        await plugin.configure(async () => {
          const { known, state: before } = plugin;
          const decision = decideConfig(wanted, { known, state: before });
          names = decision.changed;
          await apply(plugin, decision);
          journal.add(pluginId, { topic: "status", plugin: plugin.view() });
        });
      }, () => names.join(", ").slice(0, 500) || "nothing");
      return describeConfig(plugin.known, plugin.state);
    },
    telemetry: (pluginId) => Promise.resolve(find(pluginId)).then((plugin) => plugin.telemetry()),
    logs(pluginId, lines) {
      find(pluginId).log.flush();
      return journal.lines(pluginId, lines);
    },
    audit: (pluginId, limit) => find(pluginId).audit.tail(limit),
    grants: (pluginId) => find(pluginId).grants,
    async setGrants(pluginId, wanted, principal, { requested, consents = true } = {}) {
      const granted = parseGrant(wanted);
      let object = pluginId;
      await command(pluginId, "grant", principal, async (plugin) => {
        const { grants: before, held } = plugin;
        object = describeGrantChange(before.granted, granted);
        const looked = consents ? requested ?? before.requested : before.consented;
        await change(plugin, { consent: { requested: looked ?? noPermissions, granted } });
        if (held !== undefined) plugin.startIfWanted();
      }, () => object);
    },
    get lastSeq() {
      return journal.lastSeq;
    },
    history(query) {
      if (query.pluginId !== undefined) find(query.pluginId);
      return journal.history(query);
    },
    subscribe: (listener) => journal.subscribe(listener),
    async [Symbol.asyncDispose]() {
      cancelFlush();
      await Promise.all([...hosted.values()].map(({ supervisor }) => supervisor.stop("shutdown")));
      flush(true);
    },
  };

  function find(pluginId: string): HostedPlugin {
    return hosted.get(registry.plugin(pluginId).id) as HostedPlugin;
  }

  /** In force at once, then stored: a store that fails must not keep a revoke from holding. */
  async function change(plugin: HostedPlugin, decision: Partial<PluginState>): Promise<void> {
    const state = { ...plugin.state, ...decision };
    const isNew = Object.entries(decision).some(([key, value]) =>
      plugin.state[key as keyof PluginState] !== value
    );
    if (!isNew) return;
    plugin.change(state);
    journal.add(plugin.known.id, { topic: "status", plugin: plugin.view() });
    await deps.state.save(plugin.known.id, state);
  }

  /** A plugin that does not start with its new settings goes on with the old ones, and they stay stored. */
  async function apply(
    plugin: HostedPlugin,
    { state, concernsCell }: ConfigDecision,
  ): Promise<void> {
    const { state: before, supervisor } = plugin;
    plugin.change(state);
    const runs = supervisor.status === "running" || supervisor.status === "starting";
    try {
      if (concernsCell && state.enabled && runs) await supervisor.restart();
    } catch (error) {
      // Unless a stop called it off: then nothing speaks against them.
      if (plugin.enabled) {
        const { settings, secrets, limits } = before;
        plugin.change({ ...plugin.state, settings, secrets, limits });
        throw error;
      }
    }
    await deps.state.save(plugin.known.id, plugin.state);
    if (before.enabled && !state.enabled) await supervisor.stop("disabled");
  }

  async function command(
    pluginId: string,
    action: string,
    principal: Principal,
    run: (plugin: HostedPlugin) => Promise<void>,
    object: () => string = () => pluginId,
  ): Promise<PluginView> {
    const plugin = find(pluginId);
    try {
      await run(plugin);
      plugin.audit.add(principal.id, action, object(), "ok");
      return plugin.view();
    } catch (error) {
      plugin.audit.add(principal.id, action, object(), "failed");
      throw toAppError(error);
    }
  }

  function flush(all: boolean): void {
    for (const { log, audit } of hosted.values()) {
      log.flush();
      audit.flush(all);
    }
  }
}

const flushEveryMs = 1000;

function parseGrant(granted: unknown): Grant {
  const parsed = permissionsSchema.safeParse(granted);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 20).map((issue) => ({
    path: issue.path.map((part) => `/${String(part)}`).join(""),
    message: issue.message,
  }));
  throw new AppError("INVALID_INPUT", `The grant is not valid: ${issues[0]?.message}`, {
    details: { issues },
  });
}
