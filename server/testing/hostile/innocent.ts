// The bystander: an innocent plugin in its own cell, called every 5 ms while the hostile ones run.
// Latency counts from when a call was due, so that a host that stood still cannot hide it.

import { createPluginHost } from "../../../plugins/runtime/host/plugin_host.ts";
import type { SpawnCell } from "../../../plugins/runtime/host/cell.ts";
import { hostDeps, installed, operator } from "./plugins.ts";

export interface Bystander extends AsyncDisposable {
  /** Latencies since the last call of this, ms, in order of size. */
  takeLatencies(): number[];
  failures(): readonly string[];
}

const everyMs = 5;

const code = `
import { definePlugin } from "@bkg/plugin";
export default definePlugin({ capabilities: { "good.echo": (input) => input } });`;

export async function startBystander(spawnCell: SpawnCell): Promise<Bystander> {
  const good = installed({ id: "good", code, capabilities: ["good.echo"] });
  const host = createPluginHost({ ...hostDeps(spawnCell), plugins: [good] });
  await host.start("good", operator);
  let latencies: number[] = [];
  const failures: string[] = [];
  const pending = new Set<Promise<void>>();
  let dueMs = performance.now();

  async function callOnce(startedMs: number): Promise<void> {
    try {
      await host.bus.call("good.echo", { text: "hello" }, { principal: operator });
      latencies.push(performance.now() - startedMs);
    } catch (error) {
      failures.push(String(error));
    }
  }

  const timer = setInterval(() => {
    const nowMs = performance.now();
    while (dueMs <= nowMs) {
      const call = callOnce(dueMs).finally(() => pending.delete(call));
      pending.add(call);
      dueMs += everyMs;
    }
  }, everyMs);

  return {
    takeLatencies() {
      const taken = latencies.sort((a, b) => a - b);
      latencies = [];
      return taken;
    },
    failures: () => failures,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await Promise.all(pending);
      await host[Symbol.asyncDispose]();
    },
  };
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
