// Keeps one plugin: starts its cell on the first call, lends its slots, stops it when idle, puts a new cell in
// the place of an old one, and decides after a crash when it may start again. A caller that leaves never costs
// the plugin its cell. One cell takes calls; cells that were replaced only end those they have.

import { AppError, toAppError, type WireError } from "../contract/error.ts";
import type { Limits } from "../contract/manifest.ts";
import { createCrashBackoff } from "./backoff.ts";
import { CallQueue, type WaitOptions } from "./call_queue.ts";
import type { CellExit, SpawnCell } from "./cell.ts";
import type { PluginStatus } from "./host.ts";
import { bareWire } from "./plugin_error.ts";
import type { PluginLog } from "./plugin_log.ts";
import { type CellPlan, type RunningCell, startCell } from "./running_cell.ts";
import { nextStatus } from "./status.ts";
import type { Timers } from "./timers.ts";

export interface SupervisorDeps {
  pluginId: string;
  /** Why the plugin cannot start as it was found, such as a bad manifest. */
  problem: () => AppError | undefined;
  /** Why no call may start it: CONSENT_REQUIRED. A start that is asked for finds out anew, by `plan`. */
  held: () => AppError | undefined;
  /** Those of the next cell. */
  limits: () => Limits;
  /** Reads the plugin anew for the next cell; throws why there can be none. */
  plan(): Promise<PluginPlan>;
  spawnCell: SpawnCell;
  log: PluginLog;
  /** Ms since the epoch. */
  now: () => number;
  monotonicNow: () => number;
  random: () => number;
  timers: Timers;
  onStatus(): void;
  /** Longest wait for running calls at a stop, ms. */
  drainMs?: number;
}

export interface PluginPlan extends CellPlan {
  /** Called when the new cell is about to take the calls: from now on the plugin is this version of it. */
  adopt(): void;
}

/** Why a stop: a disabled plugin's waiting callers are sent away, an idle one's wait on. */
export type StopCause = "disabled" | "idle" | "shutdown";

export class Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #queue: CallQueue<RunningCell>;
  readonly #backoff: ReturnType<typeof createCrashBackoff>;
  #status: PluginStatus = "stopped";
  /** Takes the calls. */
  #running: RunningCell | undefined;
  /** Were replaced and end their calls; with the ends of their stops. */
  readonly #replaced = new Map<RunningCell, Promise<void>>();
  /** A cell is on its way, beside `#running` or instead of it. */
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #startAbort: AbortController | undefined;
  /** Waits for its turn. */
  #nextRestart: Promise<void> | undefined;
  #lastError: WireError | undefined;
  #retryAtMs: number | undefined;
  /** Set while no call may start the plugin. */
  #blocked: AppError | undefined;
  #closed = false;
  #starts = 0;
  /** Counts stops that were asked for: a start that was asked for before one gives way. */
  #stops = 0;

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
    this.#queue = new CallQueue(deps.timers);
    this.#backoff = createCrashBackoff(deps);
    const problem = deps.problem();
    if (problem !== undefined) {
      this.#status = nextStatus("stopped", "error");
      this.#lastError = bareWire(problem);
    }
  }

  get status(): PluginStatus {
    return this.#status;
  }

  get lastError(): WireError | undefined {
    return this.#lastError;
  }

  get retryAtMs(): number | undefined {
    return this.#retryAtMs;
  }

  get restarts(): number {
    return Math.max(0, this.#starts - 1);
  }

  get running(): RunningCell | undefined {
    return this.#running;
  }

  get queued(): number {
    return this.#queue.size;
  }

  /** Calls that run now, in whatever cell. */
  get active(): number {
    let active = this.#running?.active ?? 0;
    for (const cell of this.#replaced.keys()) active += cell.active;
    return active;
  }

  /** The limits of the running cell; of the next one while none runs. */
  get limits(): Limits {
    return this.#running?.limits ?? this.#deps.limits();
  }

  /** A slot, when one is free at once. It is given back by `release`. */
  tryLease(): RunningCell | undefined {
    const running = this.#running;
    if (running === undefined || running.draining || this.#queue.size > 0) return undefined;
    if (running.active >= running.limits.concurrency) return undefined;
    running.active++;
    return running;
  }

  /** Waits for a slot, and starts the plugin when it does not run. */
  async lease(options: WaitOptions): Promise<RunningCell> {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    const { queue, concurrency } = this.limits;
    // Those who wait for a start will find all slots free.
    const room = this.#running === undefined ? queue + concurrency : queue;
    if (this.#queue.size >= room) {
      throw new AppError(
        "QUEUE_FULL",
        `Plugin "${this.#deps.pluginId}" has ${this.#queue.size} calls waiting already`,
        { details: { retryAfterMs: 1000, limit: room } },
      );
    }
    const waiting = this.#queue.wait(options);
    if (this.#running === undefined && this.#stopping === undefined) this.#startQuietly();
    return await waiting;
  }

  /** Starts now, whatever happened before; throws why it failed. */
  async start(): Promise<void> {
    const stops = this.#stops;
    while (this.#stopping !== undefined || this.#running?.draining) {
      await (this.#stopping ?? this.#running?.ended);
    }
    if (stops !== this.#stops) throw this.#wasStopped();
    this.#forgive();
    if (this.#running === undefined) await this.#ensureStarted();
  }

  /** Lets running calls end, then ends all cells; a start that is under way is called off. */
  async stop(cause: StopCause): Promise<void> {
    if (cause !== "idle") {
      this.#stops++;
      this.#nextRestart = undefined;
      if (cause === "shutdown") this.#closed = true;
      const error = this.#wasStopped();
      this.#queue.rejectAll(error);
      this.#startAbort?.abort(error);
    }
    await (this.#stopping ??= this.#stop(cause).finally(() => {
      this.#stopping = undefined;
      this.#serveWaiting();
    }));
    if (cause !== "idle") await Promise.all(this.#replaced.values());
    const { problem } = this.#deps;
    if (cause === "disabled" && this.#status === "error" && problem() === undefined) {
      this.#setStatus("stopped");
    }
  }

  /**
   * Starts a new cell, which takes the place of the running one once it answers; the old one ends its calls. When
   * the new one does not start the old one stays, and this throws why. Whoever asks while one waits shares it.
   */
  restart(): Promise<void> {
    if (this.#nextRestart !== undefined) return this.#nextRestart;
    const stops = this.#stops;
    const next = this.#turn().then(() => {
      // What starts from here on reads the plugin anew; who asks later waits for the turn after.
      if (this.#nextRestart === next) this.#nextRestart = undefined;
      if (stops !== this.#stops) throw this.#wasStopped();
      this.#forgive();
      return this.#ensureStarted();
    });
    return this.#nextRestart = next;
  }

  /** A start that failed may be tried again: what the plugin needs may be there now. */
  reconsider(): void {
    if (this.#status === "error") this.#forgive();
  }

  #refusal(): AppError | undefined {
    if (this.#closed) return this.#wasStopped();
    // What runs is no start: those who wait for a slot of it wait on.
    const held = this.#running === undefined ? this.#deps.held() : undefined;
    if (held !== undefined) return held;
    const problem = this.#deps.problem();
    if (problem !== undefined) return problem;
    if (this.#blocked !== undefined) return this.#blocked;
    const waitMs = (this.#retryAtMs ?? 0) - this.#deps.now();
    if (waitMs <= 0) return undefined;
    const { pluginId } = this.#deps;
    return new AppError("UNAVAILABLE", `Plugin "${pluginId}" crashed and is tried again soon`, {
      details: { retryAfterMs: Math.ceil(waitMs), lastError: this.#lastError },
    });
  }

  #wasStopped(): AppError {
    return this.#closed
      ? new AppError("UNAVAILABLE", "The host is shutting down")
      : new AppError("PLUGIN_DISABLED", `Plugin "${this.#deps.pluginId}" was stopped`);
  }

  /** Waits until no cell comes or goes. */
  async #turn(): Promise<void> {
    while (true) {
      const pending = this.#stopping ?? this.#starting?.catch(() => {});
      if (pending !== undefined) await pending;
      else if (this.#running?.draining) await this.#running.ended;
      else return;
    }
  }

  #startQuietly(): void {
    // Those who wait get the error; nobody else asked.
    this.#ensureStarted().catch(() => {});
  }

  #ensureStarted(): Promise<void> {
    if (this.#closed) return Promise.reject(this.#wasStopped());
    return this.#starting ??= this.#start();
  }

  async #start(): Promise<void> {
    const { signal } = this.#startAbort = new AbortController();
    this.#retryAtMs = undefined;
    if (this.#running === undefined) this.#setStatus("starting");
    try {
      const plan = await this.#deps.plan();
      signal.throwIfAborted();
      const cell = await startCell({ ...this.#deps, ...plan }, signal);
      try {
        signal.throwIfAborted();
        // It may have died since its handshake; the old one is better than none.
        if (cell.draining) throw await cell.explain(new AppError("CELL_LOST", "The cell is gone"));
        plan.adopt();
      } catch (error) {
        cell.end("stopped", "The start was called off");
        await cell.ended;
        throw error;
      }
      this.#starting = this.#startAbort = undefined;
      this.#install(cell, plan);
    } catch (thrown) {
      this.#starting = this.#startAbort = undefined;
      const error = toAppError(signal.aborted ? signal.reason : thrown, "PLUGIN_ERROR");
      this.#startFailed(error, { calledOff: signal.aborted });
      throw error;
    }
  }

  /** Puts a started cell in the place of the running one, if there is one. */
  #install(cell: RunningCell, { manifest: { id, version } }: CellPlan): void {
    const { log, timers } = this.#deps;
    const old = this.#running;
    this.#running = cell;
    this.#starts++;
    this.#lastError = undefined;
    cell.onRelease = () => this.#pump(cell);
    cell.onHealth = () => {
      if (this.#running === cell) this.#deps.onStatus();
    };
    const stopWatch = timers.every(watchEveryMs, () => this.#watch(cell));
    cell.ended.then((exit) => {
      stopWatch();
      this.#onEnded(cell, exit);
    });
    if (old !== undefined) this.#replace(old);
    log.write("host", "info", `Started ${id} ${version}`);
    if (this.#status === "running") this.#deps.onStatus();
    else this.#setStatus("running");
    this.#pump(cell);
  }

  #replace(old: RunningCell): void {
    const ending = this.#endCell(old, "stopped", "Stopped: replaced by a new cell")
      .finally(() => this.#replaced.delete(old));
    this.#replaced.set(old, ending);
  }

  #startFailed(error: AppError, { calledOff }: { calledOff: boolean }): void {
    if (calledOff) {
      if (this.#running === undefined) this.#setStatus("stopped");
      return;
    }
    if (error.code === "CONSENT_REQUIRED") return this.#heldBack(error);
    this.#deps.log.write("host", "error", `The start failed: ${error.message}`);
    if (this.#running !== undefined) {
      this.#lastError = bareWire(error);
      this.#deps.onStatus();
      return;
    }
    this.#failed(error, { final: error.code === "INVALID_MANIFEST" });
    this.#queue.rejectAll(error);
  }

  /** Nothing is wrong with the plugin, and to try again is of no use. */
  #heldBack(error: AppError): void {
    this.#deps.log.write("host", "warn", error.message);
    if (this.#running !== undefined) return this.#deps.onStatus();
    this.#setStatus("stopped");
    this.#queue.rejectAll(error);
  }

  async #stop(cause: StopCause): Promise<void> {
    await this.#starting?.catch(() => {});
    const running = this.#running;
    if (running !== undefined) {
      if (this.#status === "running") this.#setStatus("stopping");
      await this.#endCell(running, cause === "idle" ? "idle" : "stopped", `Stopped: ${cause}`);
    }
  }

  #endCell(cell: RunningCell, reason: "idle" | "stopped", message: string): Promise<void> {
    return cell.stop(reason, message, this.#deps.drainMs ?? defaultDrainMs);
  }

  #watch(cell: RunningCell): void {
    cell.watch();
    const { idleTimeoutMs } = cell.limits;
    if (idleTimeoutMs === 0 || cell.active > 0 || this.#queue.size > 0) return;
    // A cell on its way will take its place, and begin to be idle anew.
    if (cell.draining || this.#starting !== undefined) return;
    if (this.#deps.monotonicNow() - cell.lastUsedMs >= idleTimeoutMs) this.stop("idle");
  }

  #pump(cell: RunningCell): void {
    while (!cell.draining && cell.active < cell.limits.concurrency) {
      if (!this.#queue.give(cell)) return;
      cell.active++;
    }
  }

  #onEnded(cell: RunningCell, { reason, message }: CellExit): void {
    const { log } = this.#deps;
    const asked = reason === "stopped" || reason === "idle";
    if (!asked) log.write("host", "error", `The cell ended (${reason}): ${message}`);
    else log.write("host", "info", reason === "idle" ? "Stopped: no call for a while" : message);
    if (this.#running !== cell) return;
    this.#running = undefined;
    if (asked) this.#setStatus("stopped");
    else this.#crashed(new AppError(lossCodes[reason] ?? "CELL_LOST", `${reason}: ${message}`));
    this.#serveWaiting();
  }

  /** Starts the plugin for those who wait, or tells them why not; a stop that is under way ends with this. */
  #serveWaiting(): void {
    if (this.#queue.size === 0) return;
    if (this.#running !== undefined || this.#starting !== undefined) return;
    const refusal = this.#refusal();
    if (refusal !== undefined) this.#queue.rejectAll(refusal);
    else if (this.#stopping === undefined) this.#startQuietly();
  }

  #crashed(error: AppError): void {
    if (this.#starting === undefined) return this.#failed(error, { final: false });
    this.#lastError = bareWire(error);
    this.#backoff.crashed();
    this.#setStatus("starting");
  }

  #failed(error: AppError, { final }: { final: boolean }): void {
    this.#lastError = bareWire(error);
    const retryAtMs = this.#backoff.crashed();
    if (final || retryAtMs === undefined) {
      const { pluginId } = this.#deps;
      const why = final ? error.message : `it crashed too often: ${error.message}`;
      this.#blocked = new AppError(
        "UNAVAILABLE",
        `Plugin "${pluginId}" stays stopped until "bkg plugin start ${pluginId}": ${why}`,
        { retryable: false, details: { lastError: this.#lastError } },
      );
    } else this.#retryAtMs = retryAtMs;
    this.#setStatus("error");
  }

  #forgive(): void {
    this.#backoff.reset();
    this.#blocked = undefined;
    this.#retryAtMs = undefined;
  }

  #setStatus(status: PluginStatus): void {
    this.#status = nextStatus(this.#status, status);
    this.#deps.onStatus();
  }
}

const watchEveryMs = 1000;
const defaultDrainMs = 10_000;
const lossCodes: Partial<Record<CellExit["reason"], "OUT_OF_MEMORY" | "PROTOCOL_VIOLATION">> = {
  memory: "OUT_OF_MEMORY",
  protocol: "PROTOCOL_VIOLATION",
};
