// The wllama engine on its native backend without a cell: the machine code in this process, behind the same channel.

import { join } from "node:path";
import { createChannel } from "../../plugins/runtime/channel/peer_channel.ts";
import { createWorkerPort } from "../../plugins/runtime/channel/worker_port.ts";
import type { NativeHost, OpenModel } from "../../plugins/runtime/engines/engine.ts";
import type {
  WllamaLoadOptions,
  WllamaModel,
} from "../../plugins/runtime/engines/wllama/interface.ts";
import { loadNative } from "../../plugins/runtime/engines/wllama/native.ts";
import { buildBundles } from "../build/bundles.ts";
import { createFileReads } from "../cells/file_reads.ts";
import { openLlama } from "../cells/native/llama.ts";
import { createNativeEngines } from "../cells/native/native_engines.ts";
import { testNativeEngine } from "./native_engines.ts";

export interface NativeLlama extends Disposable {
  /** The way to the machine code, as the engine in a plugin's Worker has it. */
  readonly native: NativeHost;
  /** Opens a file for the machine code; answers its number. */
  open(path: string, trusted?: boolean): number;
  load(
    model: OpenModel & { readonly path: string },
    options?: Omit<WllamaLoadOptions, "backend">,
  ): Promise<WllamaModel>;
}

/** Undefined where the native engine is absent. */
export async function startNativeLlama(test: string): Promise<NativeLlama | undefined> {
  const installed = testNativeEngine(test, "llama");
  if (installed === undefined) return undefined;
  const { folder: bundles } = await buildBundles({ log: () => {} });
  const files = createFileReads(join(bundles, "engines"));
  const engines = createNativeEngines({
    installed: [installed],
    engines: { llama: openLlama },
    files,
    bundles,
  });
  const { port1, port2 } = new MessageChannel();
  const main = createChannel(createWorkerPort(port1, "main"), {
    handler: { call: (method, input, call) => engines.find(method)?.(input, call) },
    maxIncoming: 256,
  });
  const worker = createChannel(createWorkerPort(port2, "main"));
  const native: NativeHost = {
    engines: [installed],
    call: (method, input, options) => worker.call(method, input, options),
    stream: (method, input, options) => worker.stream(method, input, options),
  };
  let handles = 0;
  const open = (path: string, trusted = true) => {
    files.open(++handles, { path, size: Deno.statSync(path).size, trusted });
    return handles;
  };
  return {
    native,
    open,
    load: (model, options = {}) =>
      loadNative(
        {
          asset: async (name) => (await files.asset(name)).buffer,
          takeThreads: (threads) => Promise.resolve({ threads, release: () => {} }),
        },
        { ...model, files: model.files.map((file) => ({ ...file, handle: open(model.path) })) },
        { ...options, native, variant: installed.variant },
      ),
    [Symbol.dispose]() {
      main.close();
      worker.close();
      port1.close();
      port2.close();
      for (let handle = 1; handle <= handles; handle++) files.close(handle);
    },
  };
}
