// One plugin as its host keeps it: what is known of it, what the operator wants of it, and what it did.
// A plugin that was granted less than it asks starts all the same: the broker denies call by call, and
// `missingGrants` says what is missing. So a plugin may live without what it merely could use.

import { AppError } from "../contract/error.ts";
import {
  type Grant,
  missingPermissions,
  noPermissions,
  permissionsSchema,
} from "../contract/grant.ts";
import { type Limits, limitsSchema } from "../contract/manifest.ts";
import { fillDefaults } from "../contract/schema.ts";
import { type AuditTrail, createAuditTrail } from "./audit_trail.ts";
import { type ModelService, openBroker } from "./broker.ts";
import type { BusTarget } from "./bus.ts";
import type { SpawnCell } from "./cell.ts";
import type { AuditEntry, LogLine, PluginTelemetry, PluginView } from "./host.ts";
import { createLogRing, type LogRing } from "./log_ring.ts";
import { createMetricStore, type MetricStore } from "./metric_store.ts";
import type { KnownPlugin } from "./registry.ts";
import { Supervisor } from "./supervisor.ts";
import type { ThreadBudget } from "./thread_budget.ts";
import type { Timers } from "./timers.ts";

/** What the operator decided about a plugin; kept across restarts of the host. */
export interface PluginState {
  enabled: boolean;
  /** Absent: our own plugins get what they ask for, others nothing. */
  grants?: Grant;
  settings?: Record<string, unknown>;
  limits?: Partial<Limits>;
}

export interface HostedPluginDeps {
  known: KnownPlugin;
  state: PluginState | undefined;
  spawnCell: SpawnCell;
  models: ModelService;
  threads: ThreadBudget;
  onStatus(plugin: HostedPlugin): void;
  onLine(line: LogLine): void;
  onAudit(entry: AuditEntry): void;
  now: () => number;
  monotonicNow: () => number;
  random: () => number;
  timers: Timers;
  drainMs?: number;
}

export class HostedPlugin implements BusTarget {
  readonly known: KnownPlugin;
  readonly supervisor: Supervisor;
  readonly log: LogRing;
  readonly audit: AuditTrail;
  requests = 0;
  errors = 0;
  #state: PluginState;
  #granted: Grant;
  readonly #metrics: MetricStore;
  readonly #now: () => number;
  #lastSample: { atMs: number; cpuSeconds: number; startedAtMs: number } | undefined;

  constructor(deps: HostedPluginDeps) {
    const { known, now, onLine: onLogLine, onAudit: sink } = deps;
    const { manifest } = known;
    this.known = known;
    this.#now = now;
    this.#state = deps.state ?? { enabled: true };
    this.#granted = this.#readGrant();
    this.log = createLogRing({ now, onLine: onLogLine });
    this.audit = createAuditTrail({ now, sink });
    this.#metrics = createMetricStore(manifest.metrics.map(({ name }) => name));
    const brokerDeps = {
      pluginId: known.id,
      grant: () => this.#granted,
      models: deps.models,
      threads: deps.threads,
      audit: this.audit,
    };
    this.supervisor = new Supervisor({
      ...deps,
      manifest,
      problem: known.problem,
      loadCode: () => known.loadCode(),
      limits: () => this.#readLimits(),
      settings: () => this.#readSettings(),
      openBroker: (cell) => openBroker(cell, brokerDeps),
      log: this.log,
      metrics: this.#metrics,
      onStatus: () => deps.onStatus(this),
    });
    if (known.problem !== undefined) this.log.write("host", "error", known.problem.message);
  }

  get state(): PluginState {
    return this.#state;
  }

  get granted(): Grant {
    return this.#granted;
  }

  get enabled(): boolean {
    return this.#state.enabled;
  }

  get missingGrants(): string[] {
    return missingPermissions(this.known.manifest.permissions, this.#granted);
  }

  /** Takes the operator's decision; what is running learns of its grant at once, of the rest at its next start. */
  change(state: PluginState): void {
    this.#state = state;
    this.#granted = this.#readGrant();
    this.supervisor.grantChanged();
  }

  view(): PluginView {
    const { id, origin, manifest } = this.known;
    const { supervisor } = this;
    const { name, version, description, author, license } = manifest;
    return {
      id,
      name,
      version,
      description,
      author,
      license,
      origin,
      enabled: this.enabled,
      status: supervisor.status,
      lastError: supervisor.lastError,
      retryAtMs: supervisor.retryAtMs,
      startedAtMs: supervisor.running?.startedAtMs,
      restarts: supervisor.restarts,
      limits: supervisor.limits,
      enforcement: supervisor.running?.cell.enforcement,
      capabilities: manifest.capabilities,
      permissions: manifest.permissions,
      missingGrants: this.missingGrants,
      browser: manifest.browser,
      engines: manifest.engines,
    };
  }

  async telemetry(): Promise<PluginTelemetry> {
    const { supervisor } = this;
    const { running } = supervisor;
    const usage = await running?.cell.usage().catch(() => undefined);
    const atMs = this.#now();
    return {
      pluginId: this.known.id,
      status: supervisor.status,
      pid: running?.cell.pid,
      usage,
      cpuPercent: running && usage && this.#sampleCpu(atMs, usage.cpuSeconds, running.startedAtMs),
      uptimeMs: running && atMs - running.startedAtMs,
      requests: this.requests,
      errors: this.errors,
      active: running?.active ?? 0,
      queued: supervisor.queued,
      lastError: supervisor.lastError,
      metrics: this.#metrics.snapshot(),
    };
  }

  /** CPU since the last sample of the same cell, or since its start; percent of one core. */
  #sampleCpu(atMs: number, cpuSeconds: number, startedAtMs: number): number | undefined {
    const last = this.#lastSample?.startedAtMs === startedAtMs
      ? this.#lastSample
      : { atMs: startedAtMs, cpuSeconds: 0 };
    this.#lastSample = { atMs, cpuSeconds, startedAtMs };
    const elapsedMs = atMs - last.atMs;
    if (elapsedMs <= 0) return undefined;
    return Math.max(0, (cpuSeconds - last.cpuSeconds) * 100_000 / elapsedMs);
  }

  #readGrant(): Grant {
    const { origin, manifest } = this.known;
    if (this.#state.grants === undefined) {
      return origin === "builtin" ? manifest.permissions : noPermissions;
    }
    const stored = permissionsSchema.safeParse(this.#state.grants);
    return stored.success ? stored.data : noPermissions;
  }

  #readLimits(): Limits {
    const asked = this.known.manifest.limits;
    const merged = limitsSchema.safeParse({ ...asked, ...this.#state.limits });
    return merged.success ? merged.data : asked;
  }

  #readSettings(): unknown {
    const { id, manifest, checkSettings } = this.known;
    const settings = fillDefaults(manifest.settings, this.#state.settings ?? {});
    const [issue] = checkSettings(settings);
    if (issue === undefined) return settings;
    throw new AppError(
      "UNAVAILABLE",
      `The settings of plugin "${id}" do not match their schema at "${issue.path}": ${issue.message}`,
      { retryable: false },
    );
  }
}
