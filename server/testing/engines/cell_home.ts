// The suite in a real cell: a plugin behind the real host, its models files of this machine.

import { join } from "node:path";
import { toAppError, type WireError } from "../../../plugins/runtime/contract/error.ts";
import { parseManifest } from "../../../plugins/runtime/contract/manifest.ts";
import type { CaseOrder } from "../../../plugins/runtime/engines/conformance/run_case.ts";
import { suiteEngines } from "../../../plugins/runtime/engines/conformance/support.ts";
import { createPluginHost } from "../../../plugins/runtime/host/plugin_host.ts";
import { buildBundles } from "../../build/bundles.ts";
import type { InstalledEngine } from "../../cells/native/native_engines.ts";
import { createSpawnCell } from "../../cells/spawn.ts";
import { createCellWatch } from "../../cells/watch.ts";
import { bundleSuite } from "./bundle_suite.ts";
import { readSuiteModels } from "./suite_models.ts";
import { takenGpuSource } from "./taken_gpu.ts";

export interface SuiteHome extends AsyncDisposable {
  /** What the case found wrong, or what the engine threw; undefined when all is well. */
  run(order: CaseOrder): Promise<WireError | undefined>;
}

export interface CellHomeOptions {
  gpu?: boolean;
  native?: readonly InstalledEngine[];
  memoryMb?: number;
}

export async function openCell(
  { gpu = false, native = [], memoryMb = 2048 }: CellHomeOptions = {},
): Promise<SuiteHome> {
  const parts = new AsyncDisposableStack();
  try {
    const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "bkg-suite-" }));
    parts.defer(() => Deno.remove(folder, { recursive: true }));
    const models = await writeModels(join(folder, "models"));
    const code = await bundleSuite("server/testing/engines/suite_plugin.ts");
    const spawnCell = createSpawnCell({
      bundles: await makeBundles(join(folder, "bundles")),
      modelFolders: [join(folder, "models")],
      watch: parts.use(createCellWatch()),
      nativeEngines: () => native,
      gpu: () => gpu,
    });
    const manifest = suiteManifest(memoryMb);
    const consent = { requested: manifest.permissions, granted: manifest.permissions };
    const host = parts.use(createPluginHost({
      plugins: [{
        source: "suite",
        origin: "builtin",
        manifest,
        loadCode: () => Promise.resolve(code),
      }],
      spawnCell,
      threads: 2,
      models: {
        list: () => Promise.resolve([]),
        open: (id) => Promise.resolve({ ...models[id]!, release: () => {} }),
      },
      state: { load: () => ({ enabled: true, consent }), save: () => {} },
    }));
    const principal = { id: "operator", role: "operator" } as const;
    return {
      run: (order) =>
        host.bus.call("suite.case", order, { principal }).then(
          () => undefined,
          (error) => toAppError(error).toWire(),
        ),
      [Symbol.asyncDispose]: () => parts.disposeAsync(),
    };
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

/** The build's, but the boot's first words are the test's: so a case can take the GPU away. */
async function makeBundles(folder: string): Promise<string> {
  const { folder: built } = await buildBundles({ log: () => {} });
  await Deno.mkdir(folder);
  for await (const { name, isFile } of Deno.readDir(built)) {
    if (isFile && name.endsWith(".js")) await Deno.copyFile(join(built, name), join(folder, name));
  }
  await Deno.symlink(join(built, "engines"), join(folder, "engines"));
  const prelude = await Deno.readTextFile(join(built, "prelude.js"));
  await Deno.writeTextFile(join(folder, "prelude.js"), takenGpuSource + prelude);
  return folder;
}

async function writeModels(folder: string) {
  const models: Record<string, {
    id: string;
    format: "gguf" | "onnx";
    size: number;
    trusted: boolean;
    files: { name: string; path: string; size: number }[];
  }> = {};
  for (const [id, files] of Object.entries(readSuiteModels())) {
    await Deno.mkdir(join(folder, id), { recursive: true });
    const written = [];
    for (const [name, bytes] of Object.entries(files)) {
      const path = join(folder, id, name);
      await Deno.writeFile(path, bytes);
      written.push({ name, path, size: bytes.length });
    }
    models[id] = {
      id,
      format: id === "story" ? "gguf" : "onnx",
      size: written.reduce((sum, { size }) => sum + size, 0),
      trusted: true,
      files: written,
    };
  }
  return models;
}

function suiteManifest(memoryMb: number) {
  return parseManifest({
    contract: "1",
    id: "suite",
    name: "Suite",
    version: "1.0.0",
    capabilities: [{ id: "suite.case", title: "Run a case", inputSchema: {}, outputSchema: {} }],
    permissions: { services: ["models"], models: ["*"] },
    limits: { memoryMb, timeoutMs: 180_000 },
    engines: suiteEngines,
  });
}
