// One plugin as its host keeps it: what is known of it, what the operator wants of it, and what it did.
// A plugin that was granted less than it asks starts all the same: the broker denies call by call, and
// `missingGrants` says what is missing. So a plugin may live without what it merely could use.

import {
  type Grant,
  missingPermissions,
  noPermissions,
  permissionsSchema,
} from "../contract/grant.ts";
import { type AuditTrail, createAuditTrail } from "./audit_trail.ts";
import { type Broker, type ModelService, openBroker } from "./broker.ts";
import type { BusTarget } from "./bus.ts";
import type { Cell, SpawnCell } from "./cell.ts";
import type { AuditEntry, LogLine, PluginTelemetry, PluginView } from "./host.ts";
import { limitsOf, type PluginState, settingsOf } from "./plugin_config.ts";
import { createPluginLog, type PluginLog } from "./plugin_log.ts";
import type { KnownPlugin, Registry } from "./registry.ts";
import { type PluginPlan, Supervisor } from "./supervisor.ts";
import type { ThreadBudget } from "./thread_budget.ts";
import type { Timers } from "./timers.ts";
import { createUsageMeter, type UsageMeter, type UsageSample } from "./usage_meter.ts";

export interface HostedPluginDeps {
  known: KnownPlugin;
  registry: Registry;
  state: PluginState | undefined;
  spawnCell: SpawnCell;
  models: ModelService;
  threads: ThreadBudget;
  onStatus(plugin: HostedPlugin): void;
  onTelemetry(telemetry: PluginTelemetry): void;
  keepLine(line: Omit<LogLine, "seq">): void;
  onAudit(entry: AuditEntry): void;
  now: () => number;
  monotonicNow: () => number;
  random: () => number;
  timers: Timers;
  drainMs?: number;
}

export class HostedPlugin implements BusTarget {
  readonly supervisor: Supervisor;
  readonly log: PluginLog;
  readonly audit: AuditTrail;
  requests = 0;
  errors = 0;
  readonly #deps: HostedPluginDeps;
  readonly #meter: UsageMeter;
  /** Of every cell that lives: the one that takes calls, one that starts, those that were replaced. */
  readonly #brokers = new Set<Broker>();
  #known: KnownPlugin;
  #state: PluginState;
  /** What the operator granted, once he decided. */
  #decided: Grant | undefined;
  /** Set while a cell takes calls. */
  #stopSampling: (() => void) | undefined;
  #configuring: Promise<unknown> = Promise.resolve();

  constructor(deps: HostedPluginDeps) {
    const { known, now, keepLine: keep, onAudit: sink } = deps;
    this.#deps = deps;
    this.#known = known;
    this.#state = deps.state ?? { enabled: true };
    this.#decided = readGrant(this.#state);
    this.log = createPluginLog({ now, keep });
    this.audit = createAuditTrail({ now, sink });
    this.#meter = createUsageMeter({ now: deps.monotonicNow });
    this.supervisor = new Supervisor({
      ...deps,
      pluginId: known.id,
      problem: () => this.#known.problem,
      limits: () => limitsOf(this.#known, this.#state),
      plan: () => this.#plan(),
      log: this.log,
      onStatus: () => this.#onStatus(),
    });
    if (known.problem !== undefined) this.log.write("host", "error", known.problem.message);
  }

  get known(): KnownPlugin {
    return this.#known;
  }

  get state(): PluginState {
    return this.#state;
  }

  get granted(): Grant {
    return this.#grantOf(this.#known);
  }

  get enabled(): boolean {
    return this.#state.enabled;
  }

  get missingGrants(): string[] {
    return missingPermissions(this.#known.manifest.permissions, this.granted);
  }

  /** Takes the operator's decision; what is running learns of its grant at once, of the rest at its next start. */
  change(state: PluginState): void {
    this.#state = state;
    this.#decided = readGrant(state);
    for (const broker of this.#brokers) broker.grantChanged();
    this.supervisor.reconsider();
  }

  /** Runs one change of the configuration after the other: a change that fails is taken back. */
  configure<Result>(run: () => Promise<Result>): Promise<Result> {
    const result = this.#configuring.then(run);
    this.#configuring = result.catch(() => {});
    return result;
  }

  view(): PluginView {
    const { id, origin, manifest } = this.#known;
    const { supervisor } = this;
    const { running } = supervisor;
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
      startedAtMs: running?.startedAtMs,
      restarts: supervisor.restarts,
      limits: supervisor.limits,
      enforcement: running?.cell.enforcement,
      capabilities: manifest.capabilities,
      permissions: manifest.permissions,
      missingGrants: this.missingGrants,
      browser: manifest.browser,
      engines: manifest.engines,
      metrics: manifest.metrics,
      bundleDigest: running?.bundleDigest,
      autostart: this.#state.autostart ?? false,
      healthy: running?.healthy,
    };
  }

  async telemetry(): Promise<PluginTelemetry> {
    const { running } = this.supervisor;
    const sample = running && await this.#meter.read(running);
    return this.#telemetryWith(running === this.supervisor.running ? sample : undefined);
  }

  #telemetryWith(sample: UsageSample | undefined): PluginTelemetry {
    const { supervisor } = this;
    const { running } = supervisor;
    return {
      pluginId: this.#known.id,
      status: supervisor.status,
      pid: running?.cell.pid,
      usage: running && sample?.usage,
      cpuPercent: running && sample?.cpuPercent,
      uptimeMs: running && this.#deps.now() - running.startedAtMs,
      requests: this.requests,
      errors: this.errors,
      active: supervisor.active,
      queued: supervisor.queued,
      lastError: supervisor.lastError,
      metrics: running?.metrics.snapshot() ?? {},
    };
  }

  #onStatus(): void {
    this.#deps.onStatus(this);
    const runs = this.supervisor.running !== undefined;
    if (runs === (this.#stopSampling !== undefined)) return;
    if (runs) {
      this.#stopSampling = this.#deps.timers.every(sampleEveryMs, () => void this.#sample());
      return;
    }
    this.#stopSampling?.();
    this.#stopSampling = undefined;
    this.#deps.onTelemetry(this.#telemetryWith(undefined));
  }

  async #sample(): Promise<void> {
    const telemetry = await this.telemetry();
    // The sample of its stop was the last one.
    if (this.supervisor.running !== undefined) this.#deps.onTelemetry(telemetry);
  }

  /** The plugin as it is found now, with what the operator wants of it. */
  async #plan(): Promise<PluginPlan> {
    const { registry } = this.#deps;
    const known = await registry.reread(this.#known.id);
    return {
      manifest: known.manifest,
      limits: limitsOf(known, this.#state),
      settings: settingsOf(known, this.#state),
      loadCode: () => known.installed.loadCode(),
      openBroker: (cell) => this.#openBroker(cell, known),
      adopt: () => {
        registry.adopt(known);
        this.#known = known;
      },
    };
  }

  #openBroker(cell: Cell, known: KnownPlugin): Broker {
    const { models, threads } = this.#deps;
    const broker = openBroker(cell, {
      pluginId: known.id,
      // Its own version's: a cell asks before it has taken the place of the old one, and after it was replaced.
      grant: () => this.#grantOf(known),
      models,
      threads,
      audit: this.audit,
    });
    const tracked: Broker = {
      call: (method, input) => broker.call(method, input),
      grantChanged: () => broker.grantChanged(),
      close: () => {
        this.#brokers.delete(tracked);
        broker.close();
      },
    };
    this.#brokers.add(tracked);
    return tracked;
  }

  /** Our own plugins get what they ask for, until the operator decides. */
  #grantOf({ origin, manifest }: KnownPlugin): Grant {
    return this.#decided ?? (origin === "builtin" ? manifest.permissions : noPermissions);
  }
}

const sampleEveryMs = 2000;

function readGrant({ grants }: PluginState): Grant | undefined {
  if (grants === undefined) return undefined;
  const stored = permissionsSchema.safeParse(grants);
  return stored.success ? stored.data : noPermissions;
}
