// What is left in a cell's memory when its model is unloaded: resident memory before the first load, with the model, and
// after the last of several unloads, so that what a cell never gives back shows.

import { join } from "node:path";
import { type ServerProcess, startServer } from "../server/testing/server_process.ts";
import { sharedModelsFolder, sharedModelsProblem } from "../server/testing/shared_models.ts";
import { addTestEngines, nativeEngineProblem } from "../server/testing/native_engines.ts";
import { findCell, postJson, trustModel } from "./cell_of.ts";
import { generateGguf } from "./generate_gguf.ts";
import { median, type Row, type Section } from "./report.ts";

const rounds = 3;
/** V8 and the allocators give back a while later. */
const settleMs = 4000;
const keepAliveMs = 200;

export async function measureUnload(): Promise<Section> {
  const folder = await Deno.makeTempDir();
  const rows: Row[] = [];
  try {
    await generateGguf({ path: join(folder, "random-100m.gguf") });
    rows.push(
      await measureCase("100M, q8_0, chat in WebAssembly", {
        folder,
        plugin: "llmserver",
        use: chat,
      }),
    );
    if (nativeEngineProblem("llama") === undefined) {
      rows.push(
        await measureCase("the same, native", {
          folder,
          plugin: "llmserver",
          native: "random-100m",
          use: chat,
        }),
      );
    }
    const problem = sharedModelsProblem();
    if (problem !== undefined) console.error(`skipped MiniLM and YuNet: ${problem}`);
    else {
      const shared = join(sharedModelsFolder, "..");
      rows.push(
        await measureCase("MiniLM, int8, embeddings in WebAssembly", {
          folder: shared,
          plugin: "llmserver",
          use: (server) =>
            postJson(server, "/v1/embeddings", { model: "minilm", input: ["one", "two words"] }),
        }),
        await measureCase("YuNet, candle, WebAssembly", {
          folder: shared,
          plugin: "candle",
          use: (server) =>
            postJson(server, "/api/capabilities/candle.model.run", {
              model: "yunet_n_320_320",
              inputs: {
                input: { data: Array(3 * 320 * 320).fill(0), shape: [1, 3, 320, 320] },
              },
              outputs: ["cls_8"],
            }),
        }),
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return {
    title: "Unload",
    how:
      `Resident memory of the plugin's cell, while the model is loaded, and ${
        settleMs / 1000
      } s after it left for the ` +
      `${rounds}rd time, beside what it was before: ${
        settleMs / 1000
      } s after the first time. A fresh server each. What a ` +
      `cell's first load leaves for good is the engine's compiled code and the pages of the executable that it ` +
      `touched.`,
    rows,
  };
}

function chat(server: ServerProcess): Promise<void> {
  const input = { model: "random-100m", prompt: "Once upon a time", max_tokens: 8 };
  return postJson(server, "/v1/completions", input);
}

async function measureCase(
  what: string,
  { folder, plugin, native, use }: {
    folder: string;
    plugin: string;
    native?: string;
    use: (server: ServerProcess) => Promise<void>;
  },
): Promise<Row> {
  const dataDir = await Deno.makeTempDir();
  if (native !== undefined) await addTestEngines(dataDir);
  await using server = await startServer({ dataDir, env: { BKG_MODEL_PATHS: folder } });
  if (native !== undefined) await trustModel(server, native);
  await postJson(server, `/api/plugins/${plugin}/config`, { settings: { keepAliveMs } });
  await postJson(server, `/api/plugins/${plugin}/start`, {});
  const pid = findCell(server);
  const before = await settledBytes(pid);
  const loaded: number[] = [];
  let once = 0;
  for (let round = 0; round < rounds; round++) {
    await use(server);
    loaded.push(residentBytes(pid));
    await new Promise((resolve) => setTimeout(resolve, keepAliveMs + 500));
    if (round === 0) once = await settledBytes(pid);
  }
  const after = await settledBytes(pid);
  const ratio = after / once;
  await server[Symbol.asyncDispose]();
  await Deno.remove(dataDir, { recursive: true });
  return {
    what,
    measured: `${inMib(after)} (${ratio.toFixed(2)}x)`,
    reference: `before ${inMib(once)}, loaded ${inMib(median(loaded))}; a cell that never loaded ${
      inMib(before)
    } (${(after / before).toFixed(2)}x)`,
    budget: "within 10 % of before",
    met: ratio <= 1.1,
  };
}

async function settledBytes(pid: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  return residentBytes(pid);
}

function residentBytes(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

function inMib(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MiB`;
}
