// A real cell with native engines, for tests: its plugin is given, its models are files of a folder of the test's own.

import { dirname, join } from "node:path";
import { createChannel } from "../../../plugins/runtime/channel/peer_channel.ts";
import type { Channel } from "../../../plugins/runtime/channel/channel.ts";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { type EngineName, limitsSchema } from "../../../plugins/runtime/contract/manifest.ts";
import type { Cell } from "../../../plugins/runtime/host/cell.ts";
import { createSpawnCell } from "../spawn.ts";
import { createCellWatch } from "../watch.ts";
import type { InstalledEngine } from "./native_engines.ts";

export interface NativeCellOptions {
  bundles: string;
  /** The plugin's bundle. */
  code: string;
  engines: readonly EngineName[];
  native: readonly InstalledEngine[];
  memoryMb?: number;
  settings?: Record<string, unknown>;
  /** Models by id: paths of their files by name; and whether machine code may open them. Default trusted. */
  models?: Record<string, { files: Record<string, string>; trusted?: boolean }>;
  /** Default to the console. */
  output?: (line: string) => void;
}

export interface NativeCell extends AsyncDisposable {
  cell: Cell;
  channel: Channel;
  /** Where bytes that the plugin names become files. */
  folder: string;
  call(capability: string, input: unknown): Promise<unknown>;
}

export async function startNativeCell(options: NativeCellOptions): Promise<NativeCell> {
  const folder = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const models = options.models ?? {};
  const paths = Object.values(models).flatMap(({ files }) => Object.values(files));
  const watch = createCellWatch();
  const spawn = createSpawnCell({
    bundles: options.bundles,
    modelFolders: [folder, ...new Set(paths.map((path) => dirname(path)))],
    nativeEngines: () => options.native,
    watch,
  });
  const cell = await spawn({
    pluginId: "test",
    code: options.code,
    limits: limitsSchema.parse({ memoryMb: options.memoryMb ?? 2048 }),
    engines: options.engines,
    readsModels: true,
    output: (_, line) => /XDG_RUNTIME_DIR/.test(line) || (options.output ?? console.log)(line),
  }, { signal: new AbortController().signal });
  let handles = 0;
  const open = async (id: string) => {
    const model = models[id] ?? { files: await writeFiles(id, join(folder, `${handles}`)) };
    const trusted = model.trusted ?? true;
    const files = Object.entries(model.files).map(([name, path]) => {
      const { size } = Deno.statSync(path);
      cell.openFile(++handles, { path, size, trusted });
      return { name, size, handle: handles };
    });
    return { id: id.slice(0, 50), size: 0, format: "onnx", trusted, handle: ++handles, files };
  };
  const channel = createChannel(cell.port, {
    handler: {
      async call(method, input) {
        const { id, wanted } = input as { id: string; wanted: number };
        if (method === "models.open") return await open(id);
        if (method === "threads.take") return { threads: Math.min(wanted, 2), lease: 1 };
        return null;
      },
    },
  });
  const { settings = {} } = options;
  await channel.call("init", { contract: "1", pluginId: "test", settings, capabilities: [] });
  return {
    ...{ cell, channel, folder },
    call: (capability, input) => channel.call(capability, { input, principal: "test" }),
    async [Symbol.asyncDispose]() {
      channel.close();
      await cell[Symbol.asyncDispose]();
      watch[Symbol.dispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Of the ids that conformance_plugin.ts makes: the files themselves. */
async function writeFiles(id: string, folder: string): Promise<Record<string, string>> {
  if (!id.startsWith("[")) throw new AppError("NOT_FOUND", `No model "${id}"`);
  const written: Record<string, string> = {};
  for (const [name, base64] of JSON.parse(id) as [string, string][]) {
    const path = join(folder, name);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeFile(path, Uint8Array.fromBase64(base64));
    written[name] = path;
  }
  return written;
}
