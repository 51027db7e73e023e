import assert from "node:assert/strict";
import { createFarHandlers, testChannel } from "../../plugins/runtime/channel/conformance.ts";
import type { ChannelHandler } from "../../plugins/runtime/channel/channel.ts";
import { createChannel } from "../../plugins/runtime/channel/peer_channel.ts";
import { limitsSchema } from "../../plugins/runtime/contract/manifest.ts";
import type { Cell, CellSpec } from "../../plugins/runtime/host/cell.ts";
import { buildBundles } from "../build/bundles.ts";
import { createSpawnCell, type SpawnDeps } from "./spawn.ts";
import { createCellWatch } from "./watch.ts";

const { folder: bundles } = await buildBundles({ log: () => {} });

/** The suite's far side as a plugin; its text carries the handlers of conformance.ts. */
const conformancePlugin = `
  import { definePlugin, PluginError as AppError } from "@bkg/plugin";
  ${createFarHandlers.toString()}
  const handlers = createFarHandlers(() => { throw new AppError("NOT_FOUND", "no way back"); });
  const wrapped = Object.entries(handlers).map(([id, run]) => [id, (input, call) => run(input, call)]);
  export default definePlugin({ capabilities: Object.fromEntries(wrapped) });
`;

testChannel("a cell's pipe", async (near) => {
  const { cell, dispose } = await startCell({ code: conformancePlugin }, near);
  return { channel: cell.channel, [Symbol.asyncDispose]: dispose };
}, { callsBack: false });

Deno.test("spawnCell ends a cell whose memory crosses its limit, and says how it was held", async () => {
  const grow = `
    import { definePlugin } from "@bkg/plugin";
    export default definePlugin({ capabilities: { "test.grow": () => {
      const kept = [];
      for (;;) kept.push(new Uint8Array(4_000_000).fill(1));
    } } });`;
  const { cell } = await startCell({ code: grow, memoryMb: 256 }, {});
  const answer = cell.channel.call("test.grow", { input: null, principal: "test" });
  await assert.rejects(answer, { code: "CELL_LOST" });
  const exit = await cell.exited;
  assert.equal(exit.reason, "memory");
  assert.ok(cell.enforcement.memory.includes("poll"), String(cell.enforcement.memory));
});

Deno.test("spawnCell leaves no process, folder or descriptor after 20 cells", async () => {
  const echo = `
    import { definePlugin } from "@bkg/plugin";
    export default definePlugin({ capabilities: { "test.echo": (input) => input } });`;
  const run = async () => {
    const { cell, dispose } = await startCell({ code: echo }, {});
    assert.equal(await cell.channel.call("test.echo", { input: 7, principal: "test" }), 7);
    await dispose();
    return cell.pid;
  };
  await run();
  const before = openDescriptors();
  for (let i = 0; i < 20; i++) {
    const pid = await run();
    assert.throws(() => Deno.statSync(`/proc/${pid}`), Deno.errors.NotFound);
  }
  assert.ok(openDescriptors() <= before + 1, `${before} before, ${openDescriptors()} after`);
});

Deno.test("spawnCell answers a ping while the plugin's Worker is busy", async () => {
  const busy = `
    import { definePlugin } from "@bkg/plugin";
    export default definePlugin({ capabilities: { "test.spin": () => {
      const until = Date.now() + 1500;
      while (Date.now() < until);
      return "spun";
    } } });`;
  const { cell, dispose } = await startCell({ code: busy }, {});
  const spin = cell.channel.call("test.spin", { input: null, principal: "test" });
  await cell.ping(1000);
  assert.equal(await spin, "spun");
  await dispose();
});

Deno.test("spawnCell reads one state of a file: what changes while it is open is refused", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/model.gguf`;
  await Deno.writeTextFile(path, "0123456789");
  const reader = `
    import { definePlugin } from "@bkg/plugin";
    let model;
    export default definePlugin({ capabilities: { "test.read": async (input, { ctx }) => {
      model ??= await ctx.models.open("model");
      return new TextDecoder().decode(await model.files[0].slice(0, 4).arrayBuffer());
    } } });`;
  const near: ChannelHandler = {
    call(method) {
      if (method !== "models.open") return null;
      started.cell.openFile(5, { path, size: 10, trusted: false });
      return { id: "model", handle: 6, files: [{ name: "model.gguf", size: 10, handle: 5 }] };
    },
  };
  const started = await startCell({ code: reader, readsModels: true }, near, [folder]);
  const read = () => started.cell.channel.call("test.read", { input: null, principal: "test" });
  assert.equal(await read(), "0123");
  assert.equal(await read(), "0123");
  await Deno.writeTextFile(path, "9876543210");
  await Deno.utime(path, 1, 1);
  await assert.rejects(read(), { code: "INVALID_MODEL" });
  await started.dispose();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("spawnCell reads ranges of the files that the host opened, and of no others", async () => {
  const folder = await Deno.makeTempDir();
  let path = `${folder}/model.gguf`;
  await Deno.writeTextFile(path, "0123456789");
  const reader = `
    import { definePlugin } from "@bkg/plugin";
    export default definePlugin({ capabilities: { "test.read": async (input, { ctx }) => {
      const model = await ctx.models.open("model");
      const bytes = await model.files[0].slice(input.from, input.to).arrayBuffer();
      return new TextDecoder().decode(bytes);
    } } });`;
  const near: ChannelHandler = {
    call(method) {
      if (method !== "models.open") return null;
      started.cell.openFile(5, { path, size: 10, trusted: false });
      return { id: "model", handle: 5, files: [{ name: "model.gguf", size: 10, handle: 5 }] };
    },
  };
  const started = await startCell({ code: reader, readsModels: true }, near, [folder]);
  const read = (from: number, to: number) =>
    started.cell.channel.call("test.read", { input: { from, to }, principal: "test" });
  assert.equal(await read(2, 6), "2345");
  assert.equal(await read(8, 100), "89");
  // Of another size than the host knows, shorter or longer.
  for (const text of ["01234", "0123456789A"]) {
    await Deno.writeTextFile(path, text);
    await assert.rejects(read(2, 4), { code: "INVALID_MODEL" });
  }
  path = `${folder}/gone.gguf`;
  await assert.rejects(read(2, 9), {
    code: "INVALID_MODEL",
    message: "The model file cannot be read",
  });
  await started.dispose();
  await Deno.remove(folder, { recursive: true });
});

async function startCell(
  spec: { code: string; memoryMb?: number; readsModels?: boolean },
  near: ChannelHandler,
  modelFolders: string[] = [],
  deps: Partial<SpawnDeps> = {},
) {
  const watch = createCellWatch();
  const spawn = createSpawnCell({ bundles, modelFolders, watch, ...deps });
  const cellSpec: CellSpec = {
    pluginId: "test",
    code: spec.code,
    limits: limitsSchema.parse({ memoryMb: spec.memoryMb ?? 1024 }),
    engines: [],
    readsModels: spec.readsModels ?? false,
    output: () => {},
  };
  const cell = await spawn(cellSpec, { signal: new AbortController().signal });
  const channel = createChannel(cell.port, { handler: near });
  await channel.call("init", { contract: "1", pluginId: "test", settings: {}, capabilities: [] });
  const dispose = async () => {
    channel.close();
    await cell[Symbol.asyncDispose]();
    watch[Symbol.dispose]();
  };
  return { cell: Object.assign(cell as Cell, { channel }), dispose };
}

function openDescriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}
