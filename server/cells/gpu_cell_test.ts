// The GPU's driver in a cell: not without the operator's word, and with it within the cell's memory, its files gone with it.

import assert from "node:assert/strict";
import { limitsSchema } from "../../plugins/runtime/contract/manifest.ts";
import { createChannel } from "../../plugins/runtime/channel/peer_channel.ts";
import { buildBundles } from "../build/bundles.ts";
import { gpuProblem } from "../testing/engines/gpu_problem.ts";
import { skipUnless } from "../testing/require.ts";
import { createSpawnCell } from "./spawn.ts";
import { createCellWatch } from "./watch.ts";

const { folder: bundles } = await buildBundles({ log: () => {} });
const problem = await gpuProblem();

const code = `
  import { definePlugin } from "@bkg/plugin";
  const find = () => navigator.gpu.requestAdapter();
  export default definePlugin({ capabilities: {
    "test.find": async () => (await find()) !== null,
    "test.grow": async () => {
      const device = await (await find()).requestDevice();
      const kept = [];
      for (;;) {
        const buffer = device.createBuffer({ size: 2 ** 24, usage: 8, mappedAtCreation: true });
        new Uint8Array(buffer.getMappedRange()).fill(1);
        kept.push(buffer);
      }
    },
  } });`;

Deno.test("a cell finds no GPU, unless the operator lets its driver in and its plugin has an engine", async () => {
  assert.equal(await (await startCell({ gpu: false })).find(), false);
  assert.equal(await (await startCell({ gpu: true, engines: [] })).find(), false);
});

const found = "a cell that may load the driver finds the GPU, and keeps none of its files";
Deno.test({
  name: found,
  ignore: skipUnless(found, problem),
  async fn() {
    const cache = `${Deno.env.get("HOME")}/.cache/mesa_shader_cache`;
    const before = await changed(cache);
    assert.equal(await (await startCell({ gpu: true })).find(), true);
    assert.equal(await changed(cache), before);
  },
});

const held = "buffers of a GPU that is the CPU count as the cell's memory";
Deno.test({
  name: held,
  ignore: skipUnless(held, problem),
  async fn() {
    const { cell, channel, dispose } = await startCell({ gpu: true });
    const answer = channel.call("test.grow", { input: null, principal: "test" });
    await assert.rejects(answer, { code: "CELL_LOST" });
    assert.equal((await cell.exited).reason, "memory");
    await dispose();
  },
});

async function changed(path: string): Promise<number | undefined> {
  return (await Deno.stat(path).catch(() => undefined))?.mtime?.getTime();
}

async function startCell({ gpu, engines = ["onnx"] }: { gpu: boolean; engines?: "onnx"[] }) {
  const watch = createCellWatch();
  const spawn = createSpawnCell({ bundles, modelFolders: [], watch, gpu: () => gpu });
  const cell = await spawn({
    pluginId: "test",
    code,
    limits: limitsSchema.parse({ memoryMb: 512 }),
    engines,
    readsModels: false,
    output: () => {},
  }, { signal: new AbortController().signal });
  const channel = createChannel(cell.port, { handler: { call: () => null } });
  await channel.call("init", { contract: "1", pluginId: "test", settings: {}, capabilities: [] });
  const dispose = async () => {
    channel.close();
    await cell[Symbol.asyncDispose]();
    watch[Symbol.dispose]();
  };
  return {
    cell,
    channel,
    dispose,
    async find() {
      try {
        return await channel.call("test.find", { input: null, principal: "test" });
      } finally {
        await dispose();
      }
    },
  };
}
