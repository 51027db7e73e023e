// One plugin as its host keeps it: what is known of it, what the operator wants of it, and what it did.
// A stranger's plugin starts only when an administrator has looked at all that it asks for. Granted less than that
// it starts all the same: the broker denies call by call. So a plugin may live without what it merely could use.

import type { AppError, WireError } from "../contract/error.ts";
import type { Consent, Grant } from "../contract/grant.ts";
import { missingPermissions } from "../contract/permission_list.ts";
import { type AuditTrail, createAuditTrail } from "./audit_trail.ts";
import { type AuthHost, type Broker, type ModelService, openBroker } from "./broker.ts";
import type { BusTarget } from "./bus.ts";
import type { Cell, SpawnCell } from "./cell.ts";
import { grantOf, readConsent, withoutConsent } from "./consent.ts";
import type { AuditEntry, LogLine, PluginGrants, PluginTelemetry, PluginView } from "./host.ts";
import { limitsOf, type PluginState, settingsOf } from "./plugin_config.ts";
import { bareWire } from "./plugin_error.ts";
import { createPluginLog, type PluginLog } from "./plugin_log.ts";
import type { KnownPlugin, Registry } from "./registry.ts";
import type { ServedCalls } from "./served_calls.ts";
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
  auth: AuthHost | undefined;
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
  /** As it was read last: another version than the known one, when that one could not take its place. */
  #found: KnownPlugin;
  #state: PluginState;
  /** What an administrator decided about its permissions, if one did. */
  #consent: Consent | undefined;
  #held: AppError | undefined;
  /** A start was refused for want of consent; it is made up for when consent comes. */
  #owesStart = false;
  /** Set while a cell takes calls. */
  #stopSampling: (() => void) | undefined;
  #configuring: Promise<unknown> = Promise.resolve();

  constructor(deps: HostedPluginDeps) {
    const { known, now, keepLine: keep, onAudit: sink } = deps;
    this.#deps = deps;
    this.#known = this.#found = known;
    this.#state = deps.state ?? { enabled: true };
    this.#consent = readConsent(this.#state);
    this.#held = withoutConsent(known, this.#consent);
    this.log = createPluginLog({ now, keep });
    this.audit = createAuditTrail({ now, sink });
    this.#meter = createUsageMeter({ now: deps.monotonicNow });
    this.supervisor = new Supervisor({
      ...deps,
      pluginId: known.id,
      problem: () => this.#known.problem,
      held: () => this.#held,
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
    return grantOf(this.#known, this.#consent);
  }

  get enabled(): boolean {
    return this.#state.enabled;
  }

  get missingGrants(): string[] {
    return missingPermissions(this.#known.manifest.permissions, this.granted);
  }

  /** Why it may not start as it was found last, until an administrator consents. */
  get held(): AppError | undefined {
    return this.#held;
  }

  get grants(): PluginGrants {
    const { manifest: { version, permissions: requested } } = this.#found;
    const granted = grantOf(this.#found, this.#consent);
    return {
      version,
      requested,
      granted,
      missing: missingPermissions(requested, granted),
      consented: this.#consent?.requested,
      consent: this.#held !== undefined
        ? "needed"
        : this.#consent === undefined
        ? "none-needed"
        : "given",
    };
  }

  get lastError(): WireError | undefined {
    const { status, lastError } = this.supervisor;
    return status === "stopped" && this.#held !== undefined ? bareWire(this.#held) : lastError;
  }

  /** Takes the operator's decision; what is running learns of its grant at once, of the rest at its next start. */
  change(state: PluginState): void {
    this.#state = state;
    this.#consent = readConsent(state);
    this.#held = withoutConsent(this.#found, this.#consent);
    for (const broker of this.#brokers) broker.grantChanged();
    this.supervisor.reconsider();
    if (!state.enabled) this.#owesStart = false;
  }

  /** After a consent that it waited for. */
  startIfWanted(): void {
    const { enabled, autostart = false } = this.#state;
    if (this.#held !== undefined || !enabled || !(autostart || this.#owesStart)) return;
    // Quietly: why it does not start is in its log and its status.
    this.supervisor.start().catch(() => {});
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
      lastError: this.lastError,
      retryAtMs: supervisor.retryAtMs,
      startedAtMs: running?.startedAtMs,
      restarts: supervisor.restarts,
      limits: supervisor.limits,
      enforcement: running?.cell.enforcement,
      capabilities: manifest.capabilities,
      permissions: manifest.permissions,
      missingGrants: this.missingGrants,
      needsConsent: this.#held !== undefined,
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
      lastError: this.lastError,
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
    const known = this.#found = await registry.reread(this.#known.id);
    this.#held = withoutConsent(known, this.#consent);
    this.#owesStart = this.#held !== undefined && this.supervisor.running === undefined;
    if (this.#held !== undefined) throw this.#held;
    return {
      manifest: known.manifest,
      limits: limitsOf(known, this.#state),
      settings: settingsOf(known, this.#state),
      loadCode: () => known.installed.loadCode(),
      openBroker: (cell, calls) => this.#openBroker(cell, known, calls),
      adopt: () => {
        registry.adopt(known);
        this.#known = known;
      },
    };
  }

  #openBroker(cell: Cell, known: KnownPlugin, calls: ServedCalls | undefined): Broker {
    const { models, auth, threads } = this.#deps;
    const broker = openBroker(cell, {
      pluginId: known.id,
      // Its own version's: a cell asks before it has taken the place of the old one, and after it was replaced.
      grant: () => grantOf(known, this.#consent),
      models,
      auth,
      calls,
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
}

const sampleEveryMs = 2000;
