// llmserver in a real cell, on the models of a real library: what is held, what is read, and what goes wrong below it.

import assert from "node:assert/strict";
import { join } from "node:path";
import { openModelLibrary } from "../../models/store/library.ts";
import type { AppError, ErrorCode } from "../../plugins/runtime/contract/error.ts";
import type { SpawnCell } from "../../plugins/runtime/host/cell.ts";
import { createPluginHost } from "../../plugins/runtime/host/plugin_host.ts";
import { operator } from "../../plugins/runtime/host/testing.ts";
import { buildBundles, projectRoot } from "../build/bundles.ts";
import { createSpawnCell } from "../cells/spawn.ts";
import { createCellWatch } from "../cells/watch.ts";
import { findInstalledPlugins } from "./installed_plugins.ts";
import { createModelService } from "./model_service.ts";

const { folder: bundles } = await buildBundles({ log: () => {} });
const demo = await Deno.readFile(join(projectRoot, "models/demo/demo-stories-q8_0.gguf"));

Deno.test("a model in use cannot be removed, by whatever spelling it was loaded, until it is unloaded", async () => {
  await using world = await startWorld();
  await world.put("Owner/Demo-GGUF:Q8_0");
  // The cell was running before there was any blob.
  const answer = await world.ask("owner/demo-gguf");
  assert.equal(answer.model, "Owner/Demo-GGUF:Q8_0");
  assert.ok(answer.text.length > 20, answer.text);
  for (const options of [{}, { force: true }]) {
    await assert.rejects(
      world.library.remove("Owner/Demo-GGUF:Q8_0", options),
      withCode("CONFLICT"),
    );
  }
  assert.equal((await world.ask("Owner/Demo-GGUF:Q8_0")).text, answer.text);
  await world.host.stop("llmserver", operator);
  const { freedBytes } = await world.library.remove("Owner/Demo-GGUF:Q8_0");
  assert.equal(freedBytes, demo.length);
  await world.host.start("llmserver", operator);
  await assert.rejects(world.ask("Owner/Demo-GGUF:Q8_0"), withCode("NOT_FOUND"));
});

Deno.test("a model that is idle for long, or whose cell dies, can be removed", async () => {
  await using world = await startWorld({ keepAliveMs: 1 });
  await world.put("owner/idle:Q8_0");
  await world.ask("owner/idle:Q8_0");
  await world.removeSoon("owner/idle:Q8_0");
  await using other = await startWorld();
  await other.put("owner/lost:Q8_0");
  await other.ask("owner/lost:Q8_0");
  Deno.kill(other.pid(), "SIGKILL");
  await other.removeSoon("owner/lost:Q8_0");
});

Deno.test("a revoked grant gives the model back at once", async () => {
  await using world = await startWorld();
  await world.put("owner/demo:Q8_0");
  await world.ask("owner/demo:Q8_0");
  const { granted } = world.host.grants("llmserver");
  await world.host.setGrants("llmserver", { ...granted, models: ["owner/other"] }, operator);
  assert.ok((await world.library.remove("owner/demo:Q8_0")).freedBytes > 0);
});

Deno.test("a model's file is read once, however many ask for it at once", async () => {
  await using world = await startWorld();
  await world.put("owner/demo:Q8_0");
  const readBytes = async (asked: readonly string[]) => {
    const before = world.readBytes();
    await Promise.all(asked.map((model) => world.ask(model, { maxTokens: 1 })));
    return world.readBytes() - before;
  };
  const first = await readBytes(["owner/demo:Q8_0"]);
  assert.ok(first > demo.length, `${first} bytes were read`);
  const again = await readBytes(["owner/demo:Q8_0", "OWNER/demo"]);
  assert.ok(again < 200_000, `${again} bytes were read by a model in memory`);
  await world.host.restart("llmserver", operator);
  const together = await readBytes(["owner/demo:Q8_0", "owner/demo", "Owner/Demo:q8_0"]);
  assert.ok(together < 1.3 * first, `${together} bytes were read, ${first} for one`);
});

Deno.test("a file that changes or goes below a loaded model ends no answer, and is INVALID_MODEL next", async () => {
  await using world = await startWorld();
  const path = join(world.folder, "loose.gguf");
  await Deno.writeFile(path, demo);
  await world.put("owner/stored:Q8_0");
  for (
    const [model, spoil] of [
      ["loose", () => Deno.truncate(path, demo.length - 4096)],
      ["owner/stored:Q8_0", () => alter(world.blob)],
    ] as const
  ) {
    const stream = world.stream(model, { maxTokens: 200 });
    await stream.next();
    await spoil();
    let steps = 0;
    while (!(await stream.next()).done) steps++;
    assert.ok(steps > 50, `${steps} more pieces`);
    await world.host.restart("llmserver", operator);
    await assert.rejects(world.ask(model), withCode("INVALID_MODEL"));
  }
  await Deno.remove(path);
  await assert.rejects(world.ask("loose"), withCode("NOT_FOUND"));
});

Deno.test("models of other programs are read where they are, and of nowhere else", async () => {
  await using world = await startWorld();
  const repo = join(world.cache, "models--Owner--Cached-GGUF");
  const snapshot = join(repo, "snapshots", "0123456789abcdef0123456789abcdef01234567");
  await Deno.mkdir(join(repo, "blobs"), { recursive: true });
  await Deno.mkdir(snapshot, { recursive: true });
  await Deno.writeFile(join(repo, "blobs", "f00d"), demo);
  await Deno.symlink("../../blobs/f00d", join(snapshot, "cached-Q8_0.gguf"));
  const { models } = await world.list();
  assert.deepEqual(models, ["Owner/Cached-GGUF:Q8_0"]);
  assert.ok((await world.ask("owner/cached-gguf")).text.length > 20);
  await assert.rejects(world.library.remove("Owner/Cached-GGUF:Q8_0"), withCode("CONFLICT"));
});

async function startWorld({ keepAliveMs = 300_000 }: { keepAliveMs?: number } = {}) {
  await using parts = new AsyncDisposableStack();
  const root = await Deno.realPath(await Deno.makeTempDir({ prefix: "bkg-test-" }));
  parts.defer(() => Deno.remove(root, { recursive: true }));
  const [folder, cache] = [join(root, "models"), join(root, "hub")];
  const library = await openModelLibrary({
    folder,
    modelPaths: [],
    caches: [cache],
    demoFolder: join(root, "demo"),
    digestCache: join(root, "digests.json"),
  });
  const plugins = (await findInstalledPlugins({
    bundles,
    pluginPaths: [],
    cacheFolder: join(root, "plugins"),
  })).filter(({ source }) => source.endsWith("llmserver"));
  const watch = parts.use(createCellWatch());
  const spawn = createSpawnCell({ bundles, modelFolders: library.readFolders, watch });
  let pid: number | undefined;
  const spawnCell: SpawnCell = async (spec, options) => {
    const cell = await spawn(spec, options);
    pid = cell.pid;
    return cell;
  };
  const host = parts.use(createPluginHost({
    plugins,
    spawnCell,
    models: createModelService(library),
    threads: 1,
    state: {
      load: () => ({ enabled: true, settings: { keepAliveMs, temperature: 0 } }),
      save: () => {},
    },
    drainMs: 0,
  }));
  await host.start("llmserver", operator);
  const digest = await digestOf(demo);
  const all = parts.move();
  const stream = (model: string, input: Record<string, unknown> = {}) =>
    host.bus.stream(
      "llm.complete",
      { model, prompt: "Once upon a time", maxTokens: 40, ...input },
      {
        principal: operator,
      },
    );
  return {
    host,
    library,
    folder,
    cache,
    blob: join(folder, "blobs", digest.replace(":", "-")),
    stream,
    async ask(model: string, input: Record<string, unknown> = {}) {
      const call = stream(model, input);
      while (true) {
        const { done, value } = await call.next();
        if (done) return value as { model: string; text: string };
      }
    },
    async list() {
      return { models: (await library.list()).map(({ id }) => id) };
    },
    /** Stores the demo model under this id. */
    async put(id: string) {
      const partial = join(await library.blobs.openPartial("test"), "demo.gguf");
      await Deno.writeFile(partial, demo);
      await library.blobs.adopt(partial, digest);
      await library.put({
        version: 1,
        id,
        source: id,
        pinned: false,
        pulledAtMs: Date.now(),
        files: [{ name: "demo-q8_0.gguf", size: demo.length, digest }],
      });
    },
    /** Once it is given back, which is soon. */
    async removeSoon(id: string) {
      const deadline = performance.now() + 5000;
      const isHeld = (error: AppError) => {
        if (error.code !== "CONFLICT" || performance.now() > deadline) throw error;
        return true;
      };
      while (await library.remove(id).then(() => false, isHeld)) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    pid: () => pid!,
    /** Bytes that the cell has read so far, of whatever. */
    readBytes: () => Number(/^rchar: (\d+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/io`))?.[1]),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Other bytes of the same length, in place, as a bad disk or a person would. */
async function alter(path: string): Promise<void> {
  await Deno.chmod(path, 0o644);
  using file = await Deno.open(path, { write: true });
  await file.seek(demo.length - 100, Deno.SeekMode.Start);
  await file.write(new Uint8Array(50).fill(255));
}

async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `sha256:${hash.toHex()}`;
}

function withCode(code: ErrorCode) {
  return (error: unknown) => (error as AppError).code === code;
}
