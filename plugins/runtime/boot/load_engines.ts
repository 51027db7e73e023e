// Brings the manifest's engines to life in the Worker, each when the plugin first uses it.

import type { Channel } from "../channel/channel.ts";
import { AppError } from "../contract/error.ts";
import type { EngineName } from "../contract/manifest.ts";
import type { EngineHost } from "../engines/engine.ts";
import type { OnnxEngine } from "../engines/onnx/mod.ts";
import type { TransformersEngine } from "../engines/transformers/mod.ts";
import type { WllamaEngine } from "../engines/wllama/mod.ts";
import type { GuestEngines } from "../guest/create_context.ts";
import type { BootSpec } from "./spec.ts";

/** `main` serves files and assets (the cell's main, or the page); `host` lends threads. */
export function loadEngines(
  { engines: texts, native }: Pick<BootSpec, "engines" | "native">,
  main: Channel,
  host: () => Channel,
): GuestEngines {
  const engineHost: EngineHost = {
    native: {
      engines: native,
      call: (method, input, options) => main.call(method, input, options),
      stream: (method, input, options) => main.stream(method, input, options),
    },
    asset: async (name) => (await main.call("asset", { name }) as Bytes).bytes.buffer,
    async takeThreads(wanted) {
      const { threads, lease } = await host().call("threads.take", { wanted }) as ThreadLease;
      return {
        threads,
        release: () => void host().call("threads.release", { lease }).catch(() => {}),
      };
    },
  };
  let wllama: Promise<WllamaEngine> | undefined;
  let onnx: Promise<OnnxEngine> | undefined;
  let transformers: Promise<TransformersEngine> | undefined;
  return {
    onnx: {
      load: async (model, options) => {
        onnx ??= importEngine("onnx", texts).then((module) =>
          (module as typeof import("../engines/onnx/mod.ts")).createOnnxEngine(engineHost)
        );
        return (await onnx).load(model, options);
      },
    },
    transformers: {
      load: async (model, options) => {
        transformers ??= importEngine("transformers", texts).then((module) =>
          (module as typeof import("../engines/transformers/mod.ts"))
            .createTransformersEngine(engineHost)
        );
        return (await transformers).load(model, options);
      },
    },
    wllama: {
      load: async (model, options) => {
        wllama ??= importEngine("wllama", texts).then((module) =>
          (module as typeof import("../engines/wllama/mod.ts")).createWllamaEngine(engineHost)
        );
        return (await wllama).load(model, options);
      },
    },
    async readFile(handle, offset, length) {
      const { bytes } = await main.call("read", { handle, offset, length }) as Bytes;
      return bytes.buffer;
    },
  };
}

interface Bytes {
  bytes: Uint8Array<ArrayBuffer>;
}

interface ThreadLease {
  threads: number;
  lease: number;
}

async function importEngine(
  name: keyof GuestEngines & EngineName,
  texts: BootSpec["engines"],
): Promise<unknown> {
  const text = texts[name];
  if (text === undefined) {
    throw new AppError("UNSUPPORTED_FEATURE", `plugin.json does not list the engine "${name}"`);
  }
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  try {
    return await import(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}
