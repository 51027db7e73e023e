// For the host's tests: cells in memory (a linked pair with a guest of handlers), and time moved by hand.

import type { Channel, ChannelHandler, IncomingCall } from "../channel/channel.ts";
import { createLinkedPair } from "../channel/linked_pair.ts";
import { createChannel } from "../channel/peer_channel.ts";
import type { Port } from "../channel/port.ts";
import type { JsonSchema } from "../contract/capability.ts";
import { AppError } from "../contract/error.ts";
import { contractVersion } from "../contract/message.ts";
import type { Cell, CellExit, CellExitReason, CellSpec, SpawnCell } from "./cell.ts";
import type { Principal } from "./host.ts";
import type { PluginState } from "./plugin_config.ts";
import { createPluginHost, type PluginHostDeps } from "./plugin_host.ts";
import type { InstalledPlugin } from "./registry.ts";
import type { Timers } from "./timers.ts";

export const operator: Principal = { id: "operator", role: "operator" };

export type TestHandler = (input: never, call: IncomingCall, guest: Channel) => unknown;

/** What the plugin in a test cell does; `init` and `teardown` may be replaced. */
export type TestPlugin = Record<string, TestHandler>;

export interface TestCell extends Cell {
  readonly spec: CellSpec;
  /** The guest's side. */
  readonly guest: Channel;
  /** The guest's port, for what no channel would send. */
  readonly rawPort: Port;
  readonly files: Map<number, string>;
  /** What `init` was given. */
  init: Record<string, unknown> | undefined;
  /** What a ping does; answers at once until replaced. */
  onPing: () => Promise<void>;
  /** Ends the cell as by itself. */
  die(exit: CellExit): void;
}

/** Spawns cells whose guests run `plugins[spec.pluginId]`. */
export function createTestSpawner(plugins: Record<string, TestPlugin>) {
  const cells: TestCell[] = [];
  const spawnCell: SpawnCell = (spec) => {
    const cell = createTestCell(spec, plugins[spec.pluginId] ?? {});
    cells.push(cell);
    return Promise.resolve(cell);
  };
  return { spawnCell, cells, last: () => cells.at(-1) as TestCell };
}

function createTestCell(spec: CellSpec, plugin: TestPlugin): TestCell {
  const [hostPort, guestPort] = createLinkedPair();
  const files = new Map<number, string>();
  let end: (exit: CellExit) => void = () => {};
  const exited = new Promise<CellExit>((resolve) => end = resolve);
  const handler: ChannelHandler = {
    call(method, input, call) {
      if (method === "init") cell.init = input as Record<string, unknown>;
      const handle = Object.hasOwn(plugin, method) ? plugin[method] : undefined;
      if (handle !== undefined) {
        const isCall = method !== "init" && method !== "health" && method !== "teardown";
        const own = isCall ? (input as { input: unknown }).input : input;
        return handle(own as never, call, guest);
      }
      if (method === "init") {
        return { contract: contractVersion, capabilities: Object.keys(plugin) };
      }
      if (method === "teardown" || method === "health") return null;
      throw new AppError("NOT_FOUND", `No handler "${method}"`);
    },
  };
  const guest = createChannel(guestPort, {
    handler,
    maxIncoming: 2048,
    fallbackCode: "PLUGIN_ERROR",
  });
  const finish = (exit: CellExit) => {
    hostPort.close();
    end(exit);
  };
  const cell: TestCell = {
    spec,
    guest,
    rawPort: guestPort,
    files,
    init: undefined,
    onPing: () => Promise.resolve(),
    die: finish,
    port: hostPort,
    pid: 4711,
    enforcement: { memory: ["poll"], cpu: "reported" },
    openFile: (handle, { path }) => void files.set(handle, path),
    closeFile: (handle) => void files.delete(handle),
    ping: () => cell.onPing(),
    usage: () => Promise.resolve({ rssBytes: 1, cpuSeconds: 1, threads: 1, diskBytes: 0 }),
    kill: (reason: CellExitReason, message: string) => finish({ reason, message }),
    exited,
    [Symbol.asyncDispose]: async () => {
      finish({ reason: "stopped", message: "disposed" });
      await exited;
    },
  };
  return cell;
}

/** Time that stands still until it is moved. */
export class ManualTime implements Timers {
  nowMs = 1_000_000;
  readonly now = () => this.nowMs;
  readonly #due = new Set<{ atMs: number; everyMs: number | undefined; run: () => void }>();

  after(delayMs: number, run: () => void): () => void {
    return this.#add({ atMs: this.nowMs + delayMs, everyMs: undefined, run });
  }

  every(everyMs: number, run: () => void): () => void {
    return this.#add({ atMs: this.nowMs + everyMs, everyMs, run });
  }

  /** Moves on in steps of at most a second, and lets what was started run. */
  async advance(totalMs: number): Promise<void> {
    const endMs = this.nowMs + totalMs;
    while (this.nowMs < endMs) {
      this.nowMs = Math.min(endMs, this.nowMs + 1000);
      for (const timer of [...this.#due]) {
        if (timer.atMs > this.nowMs || !this.#due.has(timer)) continue;
        if (timer.everyMs === undefined) this.#due.delete(timer);
        else timer.atMs = this.nowMs + timer.everyMs;
        timer.run();
      }
      await settle();
    }
  }

  #add(timer: { atMs: number; everyMs: number | undefined; run: () => void }): () => void {
    this.#due.add(timer);
    return () => void this.#due.delete(timer);
  }
}

/** Lets pending promises and port messages run. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
}

export interface TestCapability {
  inputSchema?: JsonSchema;
  outputSchema?: JsonSchema;
  resultSchema?: JsonSchema;
  streaming?: boolean;
}

/** An installed plugin with these capabilities; `extra` goes into its manifest. */
export function installed(
  id: string,
  capabilities: Record<string, TestCapability>,
  extra: Record<string, unknown> = {},
  origin: InstalledPlugin["origin"] = "external",
): InstalledPlugin {
  return {
    source: id,
    origin,
    loadCode: () => Promise.resolve("export default {}"),
    manifest: {
      contract: contractVersion,
      id,
      name: id,
      version: "1.0.0",
      capabilities: Object.entries(capabilities).map(([capability, schemas]) => ({
        id: capability,
        title: capability,
        inputSchema: true,
        outputSchema: true,
        ...schemas,
      })),
      ...extra,
    },
  };
}

/** A host on manual time whose cells are in memory. */
export function createTestHost(
  plugins: InstalledPlugin[],
  guests: Record<string, TestPlugin>,
  extra: Partial<PluginHostDeps> = {},
) {
  const time = new ManualTime();
  const spawner = createTestSpawner(guests);
  const saved = new Map<string, PluginState>();
  const host = createPluginHost({
    plugins,
    spawnCell: spawner.spawnCell,
    models: { list: () => Promise.resolve([]), open: notFound },
    threads: 4,
    state: {
      load: (pluginId) => saved.get(pluginId),
      save: (pluginId, state) => void saved.set(pluginId, state),
    },
    now: time.now,
    monotonicNow: time.now,
    random: () => 1,
    timers: time,
    drainMs: 0,
    ...extra,
  });
  return { host, bus: host.bus, time, saved, ...spawner };
}

function notFound(id: string): Promise<never> {
  return Promise.reject(new AppError("NOT_FOUND", `No model "${id}"`));
}

/** Polls until `holds`, at most two seconds. */
export async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200 && !holds(); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  if (!holds()) throw new Error("It did not come to hold within 2 s");
}
