// Measures by how much a cell that grows as fast as it can passes its limit before one way of holding
// memory, alone, ends it. Called by the test and by the benchmark.

import { createChannel } from "../../plugins/runtime/channel/peer_channel.ts";
import { limitsSchema } from "../../plugins/runtime/contract/manifest.ts";
import type { CellExit } from "../../plugins/runtime/host/cell.ts";
import type { MemoryHold } from "./memory_limit.ts";
import { createSpawnCell } from "./spawn.ts";
import { createCellWatch } from "./watch.ts";

export interface Overshoot {
  /** How the growth ended; undefined when this system does not have this way of holding memory. */
  ended: "refused" | CellExit["reason"] | undefined;
  limitMib: number;
  /** The most resident memory that was seen, MiB; sampled every 2 ms. */
  peakMib: number;
}

const grow = `
  import { definePlugin } from "@bkg/plugin";
  export default definePlugin({ capabilities: { "test.grow": () => {
    const kept = [];
    for (;;) kept.push(new Uint8Array(1_000_000).fill(1));
  } } });`;

export async function measureOvershoot(
  hold: MemoryHold,
  { bundles, limitMib = 256 }: { bundles: string; limitMib?: number },
): Promise<Overshoot> {
  using watch = createCellWatch();
  const spawn = createSpawnCell({ bundles, modelFolders: [], watch, memoryHolds: [hold] });
  const cell = await spawn({
    pluginId: "grow",
    code: grow,
    limits: limitsSchema.parse({ memoryMb: limitMib }),
    engines: [],
    readsModels: false,
    output: () => {},
  }, { signal: new AbortController().signal });
  if (!cell.enforcement.memory.includes(hold)) {
    await cell[Symbol.asyncDispose]();
    return { ended: undefined, limitMib, peakMib: 0 };
  }
  let peakMib = 0;
  const sampler = setInterval(() => {
    peakMib = Math.max(peakMib, readPeakMib(cell.pid));
  }, 2);
  const channel = createChannel(cell.port);
  await channel.call("init", { contract: "1", pluginId: "grow", settings: {}, capabilities: [] });
  await channel.call("test.grow", { input: null, principal: "test" }).catch(() => {});
  // RLIMIT_DATA refuses an allocation, which the plugin may survive; the others end the cell.
  const survived = new Promise<"refused">((resolve) => setTimeout(resolve, 1000, "refused"));
  const ended = await Promise.race([cell.exited.then(({ reason }) => reason), survived]);
  clearInterval(sampler);
  channel.close();
  await cell[Symbol.asyncDispose]();
  return { ended, limitMib, peakMib };
}

function readPeakMib(pid: number | undefined): number {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
