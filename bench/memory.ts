// Memory: a whole idle server (PSS summed over its processes), and by how much a growing cell passes its
// limit under each way of holding it.

import { buildBundles } from "../server/build/bundles.ts";
import { measureOvershoot } from "../server/cells/memory_overshoot.ts";
import { startServer } from "../server/testing/server_process.ts";
import { median, type Row, type Section } from "./report.ts";

const rounds = 5;

export async function measureMemory(): Promise<Section> {
  const idle = await measureServer(false);
  const running = await measureServer(true);
  const { folder: bundles } = await buildBundles({ log: () => {} });
  const overshoots: Row[] = [];
  for (const hold of ["cgroup", "poll", "rlimit"] as const) {
    const peaks: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const { ended, peakMib } = await measureOvershoot(hold, { bundles });
      if (ended !== undefined) peaks.push(peakMib);
    }
    overshoots.push({
      what: `peak of a cell that grows, held by ${hold} alone`,
      measured: peaks.length === 0 ? "not on this system" : `${Math.round(median(peaks))} MiB`,
      reference: "limit 256 MiB",
      budget: "",
      met: "reported",
    });
  }
  return {
    title: "Memory",
    how:
      `PSS of the server and all its cells, summed, 3 s after the start. Peaks are resident memory ` +
      `(VmHWM, sampled every 2 ms), medians of ${rounds}; they include the executable's shared pages.`,
    rows: [
      {
        what: "idle, plugins known, none running",
        measured: `${idle} MiB`,
        reference: "",
        budget: "≤ 300 MiB",
        met: idle <= 300,
      },
      {
        what: "llmserver running without a model",
        measured: `${running} MiB`,
        reference: "",
        budget: "≤ 500 MiB",
        met: running <= 500,
      },
      ...overshoots,
    ],
  };
}

async function measureServer(startPlugin: boolean): Promise<number> {
  await using server = await startServer();
  if (startPlugin) {
    const { status } = await server.fetch("/api/plugins/llmserver/start", { method: "POST" });
    if (status !== 200) throw new Error(`the start answered ${status}`);
  }
  await new Promise((resolve) => setTimeout(resolve, 3000));
  return Math.round(sumPssMib(server.pid));
}

/** Proportional set size of a process and all below it (proc_pid_smaps_rollup). */
function sumPssMib(pid: number): number {
  const rollup = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
  const own = Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) / 1024;
  const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim();
  return children.split(" ").filter(Boolean).reduce((sum, id) => sum + sumPssMib(Number(id)), own);
}
