// Keeps one plugin: starts its cell on the first call, lends its slots, stops it when idle, and decides
// after a crash when it may start again. A caller that leaves never costs the plugin its cell.

import { AppError, toAppError, type WireError } from "../contract/error.ts";
import type { Limits, Manifest } from "../contract/manifest.ts";
import { createCrashBackoff } from "./backoff.ts";
import type { Broker } from "./broker.ts";
import { CallQueue, type WaitOptions } from "./call_queue.ts";
import type { Cell, CellExit, SpawnCell } from "./cell.ts";
import type { PluginStatus } from "./host.ts";
import type { LogRing } from "./log_ring.ts";
import type { MetricStore } from "./metric_store.ts";
import { type RunningCell, startCell } from "./running_cell.ts";
import { nextStatus } from "./status.ts";
import type { Timers } from "./timers.ts";

export interface SupervisorDeps {
  manifest: Manifest;
  /** Why the plugin can never start, such as a bad manifest. */
  problem: AppError | undefined;
  loadCode(): Promise<string>;
  /** Read at each start. */
  limits: () => Limits;
  /** Read at each start; throws when the stored settings do not match their schema. */
  settings: () => unknown;
  spawnCell: SpawnCell;
  openBroker(cell: Cell): Broker;
  log: LogRing;
  metrics: MetricStore;
  /** Ms since the epoch. */
  now: () => number;
  monotonicNow: () => number;
  random: () => number;
  timers: Timers;
  onStatus(): void;
  /** Longest wait for running calls at a stop, ms. */
  drainMs?: number;
}

/** Why a stop: a disabled plugin's waiting callers are sent away, a restarted or idle one's wait on. */
export type StopCause = "disabled" | "restart" | "idle" | "shutdown";

export class Supervisor implements AsyncDisposable {
  readonly #deps: SupervisorDeps;
  readonly #queue: CallQueue<RunningCell>;
  readonly #backoff: ReturnType<typeof createCrashBackoff>;
  #status: PluginStatus = "stopped";
  #running: RunningCell | undefined;
  #limits: Limits;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #startAbort: AbortController | undefined;
  #stopWatch: (() => void) | undefined;
  #lastError: WireError | undefined;
  #retryAtMs: number | undefined;
  /** Set while no call may start the plugin. */
  #blocked: AppError | undefined;
  #starts = 0;

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
    this.#queue = new CallQueue(deps.timers);
    this.#backoff = createCrashBackoff(deps);
    this.#limits = deps.limits();
    if (deps.problem !== undefined) {
      this.#status = nextStatus("stopped", "error");
      this.#lastError = bareWire(deps.problem);
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

  /** The limits of the running cell; of the next one while none runs. */
  get limits(): Limits {
    return this.#running === undefined ? this.#deps.limits() : this.#limits;
  }

  /** A slot, when one is free at once. It is given back by `release`. */
  tryLease(): RunningCell | undefined {
    const running = this.#running;
    if (running === undefined || running.draining || this.#queue.size > 0) return undefined;
    if (running.active >= this.#limits.concurrency) return undefined;
    running.active++;
    return running;
  }

  /** Waits for a slot, and starts the plugin when it does not run. */
  async lease(options: WaitOptions): Promise<RunningCell> {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    const { queue, concurrency } = this.#limits;
    // Those who wait for a start will find all slots free.
    const room = this.#running === undefined ? queue + concurrency : queue;
    if (this.#queue.size >= room) {
      throw new AppError(
        "QUEUE_FULL",
        `Plugin "${this.#deps.manifest.id}" has ${this.#queue.size} calls waiting already`,
        { details: { retryAfterMs: 1000, limit: room } },
      );
    }
    const waiting = this.#queue.wait(options);
    if (this.#running === undefined && this.#stopping === undefined) this.#startQuietly();
    return await waiting;
  }

  /** Starts now, whatever happened before; throws why it failed. */
  async start(): Promise<void> {
    if (this.#deps.problem !== undefined) throw this.#deps.problem;
    await this.#stopping;
    if (this.#running?.draining) await this.#running.ended;
    this.#forgive();
    if (this.#running === undefined) await this.#ensureStarted();
  }

  /** Lets running calls end, then ends the cell. */
  async stop(cause: StopCause): Promise<void> {
    const { id } = this.#deps.manifest;
    if (cause === "shutdown") {
      this.#blocked = new AppError("UNAVAILABLE", "The host is shutting down");
      this.#queue.rejectAll(this.#blocked);
    } else if (cause === "disabled") {
      this.#queue.rejectAll(new AppError("PLUGIN_DISABLED", `Plugin "${id}" was stopped`));
    }
    this.#startAbort?.abort();
    await this.#starting?.catch(() => {});
    await (this.#stopping ??= this.#stop(cause).finally(() => this.#stopping = undefined));
    if (cause === "disabled" && this.#status === "error" && this.#deps.problem === undefined) {
      this.#setStatus("stopped");
    }
  }

  async restart(): Promise<void> {
    await this.stop("restart");
    await this.start();
  }

  /** Closes what the running cell holds and the grant covers no more; a failed start may be tried again. */
  grantChanged(): void {
    this.#running?.broker.grantChanged();
    if (this.#status === "error") this.#forgive();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("shutdown");
  }

  #refusal(): AppError | undefined {
    if (this.#deps.problem !== undefined) return this.#deps.problem;
    if (this.#blocked !== undefined) return this.#blocked;
    const waitMs = (this.#retryAtMs ?? 0) - this.#deps.now();
    if (waitMs <= 0) return undefined;
    const { id } = this.#deps.manifest;
    return new AppError("UNAVAILABLE", `Plugin "${id}" crashed and is tried again soon`, {
      details: { retryAfterMs: Math.ceil(waitMs), lastError: this.#lastError },
    });
  }

  #startQuietly(): void {
    // Those who wait get the error; nobody else asked.
    this.#ensureStarted().catch(() => {});
  }

  #ensureStarted(): Promise<void> {
    return this.#starting ??= this.#start().finally(() => this.#starting = undefined);
  }

  async #start(): Promise<void> {
    const { manifest, log, timers } = this.#deps;
    const abort = this.#startAbort = new AbortController();
    this.#retryAtMs = undefined;
    this.#setStatus("starting");
    let running: RunningCell;
    try {
      this.#limits = this.#deps.limits();
      const settings = this.#deps.settings();
      const deps = { ...this.#deps, limits: this.#limits, settings };
      running = await startCell(deps, abort.signal);
    } catch (thrown) {
      const error = toAppError(thrown, "PLUGIN_ERROR");
      if (abort.signal.aborted) this.#setStatus("stopped");
      else {
        log.write("host", "error", `The start failed: ${error.message}`);
        this.#failed(error, { final: error.code === "INVALID_MANIFEST" });
        this.#queue.rejectAll(error);
      }
      throw error;
    } finally {
      this.#startAbort = undefined;
    }
    this.#running = running;
    this.#starts++;
    this.#lastError = undefined;
    running.onRelease = () => this.#pump(running);
    running.ended.then((exit) => this.#onEnded(running, exit));
    this.#stopWatch = timers.every(watchEveryMs, () => this.#watch(running));
    log.write("host", "info", `Started ${manifest.id} ${manifest.version}`);
    this.#setStatus("running");
    this.#pump(running);
  }

  async #stop(cause: StopCause): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    if (this.#status === "running") this.#setStatus("stopping");
    const reason = cause === "idle" ? "idle" : "stopped";
    await running.stop(reason, `Stopped: ${cause}`, this.#deps.drainMs ?? defaultDrainMs);
    // `#onEnded` runs on the same promise; whoever waits for the stop sees its result.
    await Promise.resolve();
  }

  #watch(running: RunningCell): void {
    running.watch();
    const { idleTimeoutMs } = this.#limits;
    if (idleTimeoutMs === 0 || running.active > 0 || this.#queue.size > 0) return;
    if (running.draining || this.#deps.monotonicNow() - running.lastUsedMs < idleTimeoutMs) return;
    this.stop("idle");
  }

  #pump(running: RunningCell): void {
    while (!running.draining && running.active < this.#limits.concurrency) {
      if (!this.#queue.give(running)) return;
      running.active++;
    }
  }

  #onEnded(running: RunningCell, { reason, message }: CellExit): void {
    if (this.#running !== running) return;
    this.#running = undefined;
    this.#stopWatch?.();
    const { log } = this.#deps;
    if (reason === "stopped" || reason === "idle") {
      log.write("host", "info", reason === "idle" ? "Stopped: no call for a while" : message);
      this.#setStatus("stopped");
    } else {
      log.write("host", "error", `The cell ended (${reason}): ${message}`);
      const code = reason === "memory"
        ? "OUT_OF_MEMORY"
        : reason === "protocol"
        ? "PROTOCOL_VIOLATION"
        : "CELL_LOST";
      this.#failed(new AppError(code, `${reason}: ${message}`), { final: false });
    }
    if (this.#queue.size === 0) return;
    const refusal = this.#refusal();
    if (refusal !== undefined) this.#queue.rejectAll(refusal);
    // After the stop that led here is over: a start must not meet it.
    else Promise.resolve(this.#stopping).then(() => this.#running ?? this.#startQuietly());
  }

  #failed(error: AppError, { final }: { final: boolean }): void {
    this.#lastError = bareWire(error);
    const retryAtMs = this.#backoff.crashed();
    if (final || retryAtMs === undefined) {
      const { id } = this.#deps.manifest;
      const why = final ? error.message : `it crashed too often: ${error.message}`;
      this.#blocked = new AppError(
        "UNAVAILABLE",
        `Plugin "${id}" stays stopped until "bkg plugin start ${id}": ${why}`,
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

/** Without details: they are plugin-authored and of any size. */
function bareWire({ code, message, retryable }: AppError): WireError {
  return { code, message: message.slice(0, 1000), retryable };
}
