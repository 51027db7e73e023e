// One cell from its spawn to its end: handshake, slots, watching, and why its calls were lost.
// The supervisor is the only owner; a cell that ended is never used again.

import type { Channel } from "../channel/channel.ts";
import { createChannel } from "../channel/peer_channel.ts";
import type { Port } from "../channel/port.ts";
import { AppError, toAppError } from "../contract/error.ts";
import type { Limits, Manifest } from "../contract/manifest.ts";
import { contractVersion } from "../contract/message.ts";
import type { Broker } from "./broker.ts";
import type { Cell, CellExit, CellExitReason, SpawnCell } from "./cell.ts";
import type { PluginLog } from "./plugin_log.ts";
import { createMetricStore, type MetricStore } from "./metric_store.ts";
import { disarmError, hostCodes } from "./plugin_error.ts";
import { createServedCalls, type ServedCalls } from "./served_calls.ts";
import type { Timers } from "./timers.ts";

/** One version of a plugin, as the operator wants it to run. */
export interface CellPlan {
  manifest: Manifest;
  limits: Limits;
  settings: unknown;
  loadCode(): Promise<string>;
  /** `calls`: of a plugin that may act for who calls it. */
  openBroker(cell: Cell, calls: ServedCalls | undefined): Broker;
}

export interface StartCellDeps extends CellPlan {
  spawnCell: SpawnCell;
  log: PluginLog;
  /** Ms since the epoch. */
  now: () => number;
  /** Ms that no change of the system's clock moves: silence and idleness are told by it. */
  monotonicNow: () => number;
  timers: Timers;
}

/** Spawns a cell and brings its plugin to where it answers calls; throws with no cell left behind. */
export async function startCell(deps: StartCellDeps, signal: AbortSignal): Promise<RunningCell> {
  const { manifest, limits, log } = deps;
  const code = await deps.loadCode();
  signal.throwIfAborted();
  const spec = {
    pluginId: manifest.id,
    code,
    limits,
    engines: manifest.engines,
    readsModels: manifest.permissions.services.includes("models"),
    output: (stream: "stdout" | "stderr", line: string) => log.write(stream, "info", line),
  };
  const cell = await deps.spawnCell(spec, { signal });
  const digest = digestOf(code);
  const running = new RunningCell(cell, deps);
  const stop = () => running.end("stopped", "The start was called off");
  signal.addEventListener("abort", stop, { once: true });
  try {
    if (signal.aborted) stop();
    await running.initialize();
    running.bundleDigest = await digest;
    return running;
  } catch (error) {
    const failure = await running.explain(error);
    running.end(failure.code === "TIMEOUT" ? "silence" : "crashed", failure.message);
    await running.ended;
    throw failure;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

export class RunningCell {
  readonly cell: Cell;
  readonly channel: Channel;
  readonly limits: Limits;
  readonly metrics: MetricStore;
  /** `sha256:<hex>` of its code; undefined where the platform has no digests (a page without TLS). */
  bundleDigest: string | undefined;
  /** What the last healthcheck said. */
  healthy: boolean | undefined;
  readonly startedAtMs: number;
  /** The same on the monotonic clock. */
  readonly startedMs: number;
  /** Settles when the cell is gone and what it held is given back. */
  readonly ended: Promise<CellExit>;
  /** Gives one slot back; the channel calls it when the guest let go of a call. */
  readonly release: () => void;
  /** Called after each release; the supervisor gives the slot to the next. */
  onRelease: () => void = () => {};
  /** Called when `healthy` changed. */
  onHealth: () => void = () => {};
  /** Calls that hold a slot: cancelled ones too, until the guest lets go. */
  active = 0;
  /** No slot is lent any more. */
  draining = false;
  /** On the monotonic clock. */
  lastUsedMs: number;
  readonly broker: Broker;
  /** Undefined for a plugin that never acts for who calls it. */
  readonly calls: ServedCalls | undefined;
  readonly #deps: StartCellDeps;
  #drained: (() => void) | undefined;
  #pinging = false;
  #lastPingMs: number;
  #lastHealthMs: number;
  #checkingHealth = false;

  constructor(cell: Cell, deps: StartCellDeps) {
    const { log, monotonicNow } = deps;
    this.cell = cell;
    this.#deps = deps;
    this.limits = deps.limits;
    this.metrics = createMetricStore(deps.manifest.metrics.map(({ name }) => name));
    this.startedAtMs = deps.now();
    this.startedMs = monotonicNow();
    this.lastUsedMs = this.#lastPingMs = this.#lastHealthMs = this.startedMs;
    const { services } = deps.manifest.permissions;
    this.calls = services.includes("auth") ? createServedCalls() : undefined;
    this.broker = deps.openBroker(cell, this.calls);
    this.release = () => {
      this.active--;
      this.lastUsedMs = monotonicNow();
      if (this.active === 0) this.#drained?.();
      this.onRelease();
    };
    const port: Port = {
      send: (message, transfer) => cell.port.send(message, transfer),
      open: (receiver) => cell.port.open(receiver),
      // A channel closes its port before it fails its calls: no slot of a lost cell is given on.
      close: () => {
        this.draining = true;
        cell.port.close();
      },
    };
    this.channel = createChannel(port, {
      now: monotonicNow,
      handler: {
        call: (method, input) => this.broker.call(method, input),
        notify: (topic, value) => {
          if (topic === "log") log.receive(value);
          else if (topic === "metric") this.metrics.receive(value);
        },
        silent: (method) =>
          this.end("silence", `"${method}" gave no sign of life for ${deps.limits.timeoutMs} ms`),
      },
    });
    this.ended = cell.exited.then((exit) => {
      this.draining = true;
      this.channel.close(this.#lossOf(exit));
      this.broker.close();
      return exit;
    });
    this.channel.closed.then((error) => this.#onChannelClosed(error));
  }

  /** The handshake: the same contract, and a handler for each capability. */
  async initialize(): Promise<void> {
    const { manifest, limits, settings, timers } = this.#deps;
    const capabilities = manifest.capabilities.map(({ id }) => id);
    const metrics = manifest.metrics.map(({ name }) => name);
    const input = {
      contract: contractVersion,
      pluginId: manifest.id,
      settings,
      limits: { memoryMb: limits.memoryMb },
      capabilities,
      metrics,
    };
    const limitMs = Math.min(limits.timeoutMs, maxStartMs);
    const cancel = timers.after(limitMs, () => {
      const message = `Plugin "${manifest.id}" was not ready within ${limitMs} ms`;
      this.channel.close(new AppError("TIMEOUT", message));
    });
    try {
      const answer = await this.channel.call("init", input).catch((thrown) => {
        const error = toAppError(thrown, "PLUGIN_ERROR");
        // The guest says INVALID_MANIFEST too, and rightly.
        throw disarmError(error, error.code !== "INVALID_MANIFEST" && hostCodes.has(error.code));
      });
      checkHandshake(answer, capabilities);
    } finally {
      cancel();
    }
  }

  /** Why a call failed: a lost cell is told by the reason of its end. */
  async explain(thrown: unknown): Promise<AppError> {
    const error = toAppError(thrown, "PLUGIN_ERROR");
    if (error.code !== "CELL_LOST") return error;
    const exit = await this.#exitWithin(exitGraceMs);
    return exit === undefined ? error : this.#lossOf(exit);
  }

  /** Called about every second: pings the cell while calls are pending, and asks for its health. */
  watch(): void {
    const { manifest, monotonicNow, timers, log } = this.#deps;
    const atMs = monotonicNow();
    if (this.channel.pending === 0) this.#lastPingMs = atMs;
    else if (!this.#pinging && atMs - this.#lastPingMs >= pingEveryMs) {
      this.#pinging = true;
      this.#lastPingMs = atMs;
      this.cell.ping(pingTimeoutMs).then(
        () => this.#pinging = false,
        () => this.#onPingFailed(),
      );
    }
    const { healthcheck } = manifest;
    if (healthcheck === undefined || this.#checkingHealth || this.draining) return;
    if (atMs - this.#lastHealthMs < healthcheck.intervalMs) return;
    this.#checkingHealth = true;
    this.#lastHealthMs = atMs;
    const controller = new AbortController();
    const cancel = timers.after(this.#deps.limits.timeoutMs, () => controller.abort());
    this.channel.call("health", {}, { signal: controller.signal })
      .then(() => this.#setHealthy(true), (error) => {
        if (this.draining) return;
        log.write("host", "warn", `Unhealthy: ${toAppError(error).message}`);
        this.#setHealthy(false);
      })
      .finally(() => {
        cancel();
        this.#checkingHealth = false;
      });
  }

  /** Waits for running calls up to `drainMs`, lets the plugin tear down, ends the cell. */
  async stop(reason: CellExitReason, message: string, drainMs: number): Promise<void> {
    this.draining = true;
    if (this.active > 0 && drainMs > 0) {
      await this.#race(drainMs, new Promise<void>((resolve) => this.#drained = resolve));
    }
    await this.#race(teardownMs, this.channel.call("teardown", {}).catch(() => {}));
    this.end(reason, message);
    await this.ended;
  }

  /** Ends the cell at once; pending calls fail with the reason. Idempotent. */
  end(reason: CellExitReason, message: string): void {
    this.draining = true;
    this.channel.close(this.#lossOf({ reason, message }));
    this.cell.kill(reason, message);
  }

  #setHealthy(healthy: boolean): void {
    if (this.healthy === healthy) return;
    this.healthy = healthy;
    this.onHealth();
  }

  async #onChannelClosed(error: AppError | undefined): Promise<void> {
    if (error === undefined) return;
    if (error.code === "PROTOCOL_VIOLATION") return this.end("protocol", error.message);
    // The pipe of a cell that died closes first; its exit then knows better why.
    if (await this.#exitWithin(exitGraceMs) === undefined) this.end("crashed", error.message);
  }

  async #onPingFailed(): Promise<void> {
    // A cell that died answers no ping either, and knows better why.
    if (await this.#exitWithin(exitGraceMs) !== undefined) return;
    this.end("unresponsive", `The cell did not answer within ${pingTimeoutMs} ms`);
  }

  #exitWithin(limitMs: number): Promise<CellExit | undefined> {
    return this.#race(limitMs, this.ended);
  }

  #race<Value>(limitMs: number, promise: Promise<Value>): Promise<Value | undefined> {
    return new Promise((resolve) => {
      const cancel = this.#deps.timers.after(limitMs, () => resolve(undefined));
      promise.then((value) => {
        cancel();
        resolve(value);
      });
    });
  }

  #lossOf({ reason, message }: CellExit): AppError {
    const { id } = this.#deps.manifest;
    switch (reason) {
      case "memory": {
        const limit = `${this.#deps.limits.memoryMb} MiB`;
        return new AppError("OUT_OF_MEMORY", `Plugin "${id}" crossed its memory limit of ${limit}`);
      }
      case "protocol":
        return new AppError("PROTOCOL_VIOLATION", `Plugin "${id}" broke the protocol: ${message}`);
      case "stopped":
      case "idle":
        return new AppError("CELL_LOST", `Plugin "${id}" was stopped`);
      case "silence":
      case "unresponsive":
        return new AppError("CELL_LOST", `Plugin "${id}" hung and was ended: ${message}`);
      case "disk":
      case "crashed":
        return new AppError("CELL_LOST", `Plugin "${id}" crashed: ${message}`);
    }
  }
}

const maxStartMs = 30_000;
const pingEveryMs = 2000;
const pingTimeoutMs = 5000;
const teardownMs = 2000;
/** Time between the end of a cell's pipe and the news of its exit. */
const exitGraceMs = 1000;

async function digestOf(code: string): Promise<string | undefined> {
  // A page without TLS has none.
  const subtle: SubtleCrypto | undefined = crypto.subtle;
  const digest = await subtle?.digest("SHA-256", new TextEncoder().encode(code));
  if (digest === undefined) return undefined;
  const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0"));
  return `sha256:${hex.join("")}`;
}

function checkHandshake(answer: unknown, wanted: readonly string[]): void {
  const { contract, capabilities } = (answer ?? {}) as Record<string, unknown>;
  const major = typeof contract === "string" ? contract.split(".", 1)[0] : undefined;
  if (major !== contractVersion.split(".", 1)[0]) {
    const spoken = typeof contract === "string" ? `"${contract.slice(0, 20)}"` : "none";
    throw new AppError(
      "INVALID_MANIFEST",
      `The plugin speaks contract ${spoken}, this host "${contractVersion}"`,
    );
  }
  const given = new Set<unknown>(Array.isArray(capabilities) ? capabilities : []);
  const missing = wanted.filter((id) => !given.has(id));
  if (missing.length > 0) {
    throw new AppError(
      "INVALID_MANIFEST",
      `The plugin has no handler for "${missing.join('", "')}"`,
    );
  }
}
