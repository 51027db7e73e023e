// The native backend in a real cell, behind the real broker: what the plugin's engine reaches, and what a crash costs.

import assert from "node:assert/strict";
import { join } from "node:path";
import { type Manifest, parseManifest } from "../../plugins/runtime/contract/manifest.ts";
import type { SpawnCell } from "../../plugins/runtime/host/cell.ts";
import { createPluginHost } from "../../plugins/runtime/host/plugin_host.ts";
import { buildBundles, projectRoot } from "../build/bundles.ts";
import { testNativeEngine } from "../testing/native_engines.ts";
import type { InstalledEngine } from "./native/native_engines.ts";
import { readRssBytes } from "./proc.ts";
import { createSpawnCell } from "./spawn.ts";
import { createCellWatch } from "./watch.ts";

const modelPath = join(projectRoot, "models/demo/demo-stories-q8_0.gguf");
const untilEnd = { user: "a story about a dog", endless: true };

/** A stranger's plugin: it changes what its engine asks of the cell's main. */
const code = `
import { definePlugin } from "@bkg/plugin";
let tamper;
const { postMessage } = globalThis;
globalThis.postMessage = (value, transfer) => {
  const { port, message } = value ?? {};
  if (tamper !== undefined && port === "main" && message.method?.startsWith("llama.")) {
    const { method = message.method, input } = tamper;
    return postMessage({ port, message: { ...message, method, input: { ...message.input, ...input } } }, transfer);
  }
  return postMessage(value, transfer);
};
export default definePlugin({
  setup: (ctx) => ({ ctx, models: [] }),
  capabilities: {
    async "test.load"({ model, ...options }, { state: { ctx, models } }) {
      const loaded = await ctx.engines.wllama.load(await ctx.models.open(model), options);
      models.push(loaded);
      return loaded.info();
    },
    async *"test.chat"({ user, maxTokens, endless }, { state: { models }, signal }) {
      const messages = [{ role: "user", content: user }];
      const options = { principal: "a", temperature: 0, maxTokens, signal };
      do yield* models.at(-1).chat(messages, options); while (endless && !signal.aborted);
    },
    async "test.embed"({ text }, { state: { models } }) {
      const { vector } = await models.at(-1).embed(text);
      return { vector: [...vector] };
    },
    async "test.unload"(_, { state: { models } }) {
      await models.pop().unload();
      return {};
    },
    async "test.raw"({ model, ...wanted }, { state: { ctx } }) {
      const opened = await ctx.models.open(model);
      tamper = wanted;
      try {
        const loaded = await ctx.engines.wllama.load(opened, { backend: "native" });
        await loaded.unload();
        return {};
      } catch ({ code }) {
        return { code };
      } finally {
        tamper = undefined;
        opened.close();
      }
    },
  },
});
`;

Deno.test("native llama in a cell", async (t) => {
  const installed = testNativeEngine("native llama in a cell", "llama");
  if (installed === undefined) return;
  await using running = await startPlugin(installed);

  await t.step("auto takes it for a trusted model, and says so", async () => {
    const info = await running.call("test.load", { model: "demo", backend: "auto" });
    const { backend, variant, engine } = info as Record<string, unknown>;
    assert.deepEqual([backend, variant, engine], ["native", "cpu", "wllama"]);
    const text = await running.chat({ user: "a story about a dog", maxTokens: 24 });
    await running.call("test.unload", {});
    await running.call("test.load", { model: "demo", backend: "wasm" });
    assert.equal(await running.chat({ user: "a story about a dog", maxTokens: 24 }), text);
    await running.call("test.unload", {});
  });

  await t.step("a model that nobody trusts is UNSUPPORTED_FEATURE, and wasm for auto", async () => {
    const load = running.call("test.load", { model: "stranger", backend: "native" });
    await assert.rejects(load, {
      code: "UNSUPPORTED_FEATURE",
      message: /opens only models that are trusted/,
    });
    const info = await running.call("test.load", { model: "stranger", backend: "auto" });
    assert.equal((info as { backend: string }).backend, "wasm");
    await running.call("test.unload", {});
  });

  await t.step("a plugin that changes what its engine asks gets no further", async () => {
    const raw = async (change: object, method?: string) => {
      const wanted = { model: "demo", input: change, ...(method === undefined ? {} : { method }) };
      return (await running.call("test.raw", wanted) as { code?: string }).code;
    };
    assert.equal(await raw({}), undefined);
    const codes = new Set<string | undefined>();
    // The stranger's model above was opened too: its number is one of these.
    for (let handle = 0; handle < 20; handle++) codes.add(await raw({ files: [handle] }));
    assert(codes.has("FORBIDDEN") && codes.has("NOT_FOUND"), `${[...codes]}`);
    for (const files of [[{}], ["/etc/passwd"], [NaN], [-1], null]) {
      assert.notEqual(await raw({ files }), undefined);
    }
    assert.equal(await raw({}, "llama.generate"), "NOT_FOUND");
    assert.equal(await raw({}, "llama.toString"), "NOT_FOUND");
    assert.equal(await raw({}, "onnxruntime.run"), "UNSUPPORTED_FEATURE");
  });

  await t.step("its crash is the cell's, and the next call works", async () => {
    await running.call("test.load", { model: "demo", backend: "native" });
    const before = running.pid();
    const stream = running.stream("test.chat", untilEnd);
    await stream.next();
    // As a failed assertion of llama.cpp ends it; a SEGV that is sent V8 takes for one of WebAssembly's.
    Deno.kill(before, "SIGABRT");
    await assert.rejects(async () => {
      for await (const _ of stream);
    }, { code: "CELL_LOST" });
    const info = await running.call("test.load", { model: "demo", backend: "native" });
    assert.equal((info as { backend: string }).backend, "native");
    assert.notEqual(running.pid(), before);
    assert.notEqual(await running.chat({ user: "a dog", maxTokens: 8 }), "");
    await running.call("test.unload", {});
  });

  await t.step("a word without end does not end the cell", async () => {
    await running.call("test.load", { model: "deep", backend: "native" });
    const before = running.pid();
    for (const part of ["a", "-", " ", "日", "🙂", "<", "a\n", "<|im_end|>"]) {
      const user = part.repeat(30_000 / part.length);
      await running.chat({ user, maxTokens: 1 })
        .catch(({ code }) => assert.equal(code, "CONTEXT_OVERFLOW", part));
    }
    assert.equal(running.pid(), before);
    await running.call("test.unload", {});
  });

  await t.step("who leaves mid-stream frees the slot, and no cell ends", async () => {
    await running.call("test.load", { model: "demo", backend: "native" });
    const before = running.pid();
    for (let call = 0; call < 3; call++) {
      const stream = running.stream("test.chat", untilEnd);
      await stream.next();
      await stream.return(undefined);
    }
    assert.notEqual(await running.chat({ user: "a dog", maxTokens: 8 }), "");
    assert.equal(running.pid(), before);
    await running.call("test.unload", {});
  });

  await t.step("an unloaded model's memory comes back", async () => {
    const load = () =>
      running.call("test.load", {
        model: "demo",
        backend: "native",
        contextLength: 512,
        parallel: 64,
      });
    await load();
    await running.call("test.unload", {});
    const before = await settle(running.pid);
    await load();
    await running.chat({ user: "a dog", maxTokens: 8 });
    const loaded = readRssBytes(running.pid()) ?? 0;
    await running.call("test.unload", {});
    const after = await settle(running.pid);
    const sizes = [before, loaded, after].map((bytes) => `${(bytes / 2 ** 20).toFixed()} MiB`);
    console.log(`native demo model: ${sizes.join(", ")} before, loaded, unloaded`);
    assert(loaded > before + 10 * 2 ** 20, `${sizes}`);
    assert(after < before * 1.1, `${sizes}`);
  });

  await t.step("vectors", async () => {
    await running.call("test.load", { model: "demo", backend: "native", use: "vectors" });
    const { vector } = await running.call("test.embed", { text: "a dog" }) as { vector: number[] };
    assert(vector.length === 256 && Math.abs(Math.hypot(...vector) - 1) < 1e-4);
  });
});

Deno.test("a native llama that does not start says so, and auto takes wasm", async () => {
  const installed = testNativeEngine("native llama that does not start", "llama");
  if (installed === undefined) return;
  const folder = await Deno.makeTempDir({ prefix: "bkg-test-" });
  try {
    await Deno.mkdir(join(folder, "bins/any"), { recursive: true });
    await Deno.writeTextFile(join(folder, "bins/any/llama-addon.node"), "no machine code");
    await using running = await startPlugin({ ...installed, folder });
    const load = (backend: string) => running.call("test.load", { model: "demo", backend });
    await assert.rejects(load("native"), {
      code: "UNSUPPORTED_FEATURE",
      message: `The native engine "llama" ${installed.version} does not start here`,
    });
    assert.equal((await load("auto") as { backend: string }).backend, "wasm");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Resident bytes once they no longer fall. */
async function settle(pid: () => number): Promise<number> {
  let last = Infinity;
  for (let turn = 0; turn < 20; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const now = readRssBytes(pid()) ?? 0;
    if (now > last * 0.99) return now;
    last = now;
  }
  return last;
}

function describePlugin(): Manifest {
  const any = { type: "object" };
  const capability = (id: string) => ({
    ...{ id, title: id, description: id, inputSchema: any, outputSchema: any },
    streaming: id === "test.chat",
  });
  return parseManifest({
    ...{ contract: "1", id: "test", name: "Test", version: "1.0.0", description: "A test" },
    ...{
      author: "bkg",
      license: "Apache-2.0",
      engines: ["wllama"],
      permissions: { models: ["*"], services: ["models"] },
    },
    capabilities: ["load", "chat", "embed", "unload", "raw"].map((id) => capability(`test.${id}`)),
    limits: { memoryMb: 2048, timeoutMs: 60_000, concurrency: 8 },
  });
}

/** The demo model with a vocabulary whose words llama.cpp finds by a regular expression. */
async function writeDeepModel(folder: string): Promise<string> {
  const bytes = await Deno.readFile(modelPath);
  const key = "tokenizer.ggml.pre";
  const at = new TextDecoder("latin1").decode(bytes.subarray(0, 100_000)).indexOf(key);
  // After the value's type and length.
  bytes.set(new TextEncoder().encode("bloom"), at + key.length + 4 + 8);
  const path = join(folder, "deep.gguf");
  await Deno.writeFile(path, bytes);
  return path;
}

async function startPlugin(installed: InstalledEngine) {
  const folder = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const deepPath = await writeDeepModel(folder);
  const { folder: bundles } = await buildBundles({ log: () => {} });
  const manifest = describePlugin();
  const watch = createCellWatch();
  let pid = 0;
  const spawn = createSpawnCell({
    ...{ bundles, watch, modelFolders: [join(projectRoot, "models/demo"), folder] },
    nativeEngines: () => [installed],
  });
  const spawnCell: SpawnCell = async (spec, options) => {
    const cell = await spawn(spec, options);
    pid = cell.pid ?? 0;
    return cell;
  };
  const { size } = await Deno.stat(modelPath);
  const model = (id: string) => ({ id, format: "gguf" as const, size, trusted: id !== "stranger" });
  const host = createPluginHost({
    plugins: [{
      ...{ source: manifest.id, origin: "external", manifest },
      loadCode: () => Promise.resolve(code),
    }],
    spawnCell,
    threads: 2,
    models: {
      list: () => Promise.resolve([model("demo"), model("stranger")]),
      open: (id) =>
        Promise.resolve({
          ...model(id),
          files: [{ name: "demo.gguf", path: id === "deep" ? deepPath : modelPath, size }],
          release: () => {},
        }),
    },
    state: {
      load: () => ({
        enabled: true,
        consent: { requested: manifest.permissions, granted: manifest.permissions },
      }),
      save: () => {},
    },
  });
  const principal = { id: "operator", role: "operator" } as const;
  const stream = (capability: string, input: unknown) =>
    host.bus.stream(capability, input, { principal });
  return {
    pid: () => pid,
    call: (capability: string, input: unknown) => host.bus.call(capability, input, { principal }),
    stream,
    async chat(input: { user: string; maxTokens: number }) {
      let text = "";
      for await (const piece of stream("test.chat", input)) {
        text += (piece as { text: string }).text;
      }
      return text;
    },
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      watch[Symbol.dispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
