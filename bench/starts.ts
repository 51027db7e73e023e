// Starts: a server to /readyz, warm and on an empty data folder; a cell to its first answer, against a
// bare child process with a Worker.

import { join } from "node:path";
import { createChannel } from "../plugins/runtime/channel/peer_channel.ts";
import { limitsSchema } from "../plugins/runtime/contract/manifest.ts";
import { buildBundles, projectRoot } from "../server/build/bundles.ts";
import { createSpawnCell } from "../server/cells/spawn.ts";
import { createCellWatch } from "../server/cells/watch.ts";
import { startServer } from "../server/testing/server_process.ts";
import { median, type Section } from "./report.ts";

const rounds = 7;

export async function measureStarts(): Promise<Section> {
  const cold: number[] = [];
  const warm: number[] = [];
  const cell: number[] = [];
  const bare: number[] = [];
  const dataDir = await Deno.makeTempDir();
  await timeServerStart(dataDir);
  for (let round = 0; round < rounds; round++) {
    warm.push(await timeServerStart(dataDir));
    cold.push(await timeServerStart());
    cell.push(await timeCellStart());
    bare.push(await timeBareStart());
  }
  await Deno.remove(dataDir, { recursive: true });
  const ms = (values: number[]) => `${Math.round(median(values))} ms`;
  return {
    title: "Starts",
    how:
      `${rounds} rounds, interleaved. A server is started from source with its bundles built, until ` +
      `/readyz answers 200. A cell is started with llmserver's real bundle until it has answered its ` +
      `handshake; the bare start is a child process with a Worker that says one word.`,
    rows: [
      {
        what: "server to /readyz, warm",
        measured: ms(warm),
        reference: "",
        budget: "≤ 700 ms",
        met: median(warm) <= 700,
      },
      {
        what: "server to /readyz, empty data folder",
        measured: ms(cold),
        reference: "",
        budget: "≤ 2,000 ms",
        met: median(cold) <= 2000,
      },
      {
        what: "cell to ready, llmserver's bundle",
        measured: ms(cell),
        reference: `bare child and Worker ${ms(bare)}`,
        budget: "≤ 120 ms",
        met: median(cell) <= 120,
      },
    ],
  };
}

async function timeServerStart(dataDir?: string): Promise<number> {
  const startedAt = performance.now();
  await using server = await startServer(dataDir === undefined ? {} : { dataDir });
  const { status } = await server.fetch("/readyz");
  if (status !== 200) throw new Error(`/readyz answered ${status}`);
  return performance.now() - startedAt;
}

async function timeCellStart(): Promise<number> {
  const { folder: bundles } = await buildBundles({ log: () => {} });
  const code = await Deno.readTextFile(join(bundles, "plugins/llmserver.js"));
  using watch = createCellWatch();
  const spawn = createSpawnCell({ bundles, modelFolders: [], watch });
  const startedAt = performance.now();
  await using cell = await spawn({
    pluginId: "bench",
    code,
    limits: limitsSchema.parse({ memoryMb: 2048 }),
    engines: ["wllama"],
    readsModels: true,
    output: () => {},
  }, { signal: new AbortController().signal });
  const channel = createChannel(cell.port);
  const init = { contract: "1", pluginId: "bench", settings: {}, capabilities: [], metrics: [] };
  await channel.call("init", init);
  const elapsed = performance.now() - startedAt;
  channel.close();
  return elapsed;
}

async function timeBareStart(): Promise<number> {
  const startedAt = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--unstable-worker-options", join(projectRoot, "bench/reference/bare_start.ts")],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  const elapsed = performance.now() - startedAt;
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  return elapsed;
}
