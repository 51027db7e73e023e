// The native engines of one cell: machine code in its trusted main. The plugin's Worker asks for them by method; what it
// sends is plugin-authored, so every handle, size and option is checked here. A crash is the cell's, and no more.

import type { IncomingCall } from "../../../plugins/runtime/channel/channel.ts";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import {
  type NativeEngine,
  type NativeEngineName,
  nativeEngineOf,
} from "../../../plugins/runtime/contract/native_engine.ts";
import type { FileReads } from "../file_reads.ts";

/** A native engine on this machine, and where its package lies. */
export interface InstalledEngine extends NativeEngine {
  /** The package's own folder, absolute; what it holds was checked when it was fetched. */
  folder: string;
}

/** One engine's methods, by the name behind its own: "load" of "llama.load". */
export type NativeMethods = Readonly<
  Record<string, (input: Record<string, unknown>, call: IncomingCall) => unknown>
>;

export interface NativeDeps {
  installed: InstalledEngine;
  files: FileReads;
  /** The folder of bkg's own bundles. */
  bundles: string;
}

export interface NativeEngines {
  /** Answers a call of the Worker; undefined where the method is none of a native engine. */
  find(method: string): ((input: unknown, call: IncomingCall) => unknown) | undefined;
}

/** An engine comes to life with the first call to it. */
type OpenEngine = (deps: NativeDeps) => NativeMethods | Promise<NativeMethods>;

export function createNativeEngines(
  { installed, engines, ...deps }: {
    installed: readonly InstalledEngine[];
    engines: Readonly<Partial<Record<NativeEngineName, OpenEngine>>>;
    files: FileReads;
    bundles: string;
  },
): NativeEngines {
  const opened = new Map<NativeEngineName, Promise<NativeMethods>>();
  const open = (name: NativeEngineName): Promise<NativeMethods> => {
    const known = opened.get(name);
    if (known !== undefined) return known;
    const engine = installed.find((candidate) => candidate.engine === name);
    const create = engines[name];
    if (engine === undefined || create === undefined) {
      throw new AppError("UNSUPPORTED_FEATURE", `The native engine "${name}" is not here`);
    }
    const opening = Promise.resolve(create({ ...deps, installed: engine }));
    opened.set(name, opening);
    return opening;
  };
  return {
    find(method) {
      const name = nativeEngineOf(method);
      if (name === undefined) return undefined;
      return async (input, call) => {
        const methods = await open(name);
        const run = Object.hasOwn(methods, method.slice(name.length + 1))
          ? methods[method.slice(name.length + 1)]
          : undefined;
        if (run === undefined) {
          throw new AppError("NOT_FOUND", `The cell has no method "${method}"`);
        }
        return run((typeof input === "object" && input !== null ? input : {}) as never, call);
      };
    },
  };
}
