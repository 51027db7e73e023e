// Brings the manifest's engines to life in the Worker, each when the plugin first uses it.

import type { Channel } from "../channel/channel.ts";
import { AppError } from "../contract/error.ts";
import type { EngineHost } from "../engines/engine.ts";
import type { WllamaEngine } from "../engines/wllama/mod.ts";
import type { GuestEngines } from "../guest/create_context.ts";
import type { BootSpec } from "./spec.ts";

/** `main` serves files and assets (the cell's main, or the page); `host` lends threads. */
export function loadEngines(
  texts: BootSpec["engines"],
  main: Channel,
  host: () => Channel,
): GuestEngines {
  const engineHost: EngineHost = {
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
  return {
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

async function importEngine(name: "wllama", texts: BootSpec["engines"]): Promise<unknown> {
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
