// The command line of a cell. On Linux a shell lowers RLIMIT_DATA first; from source, flags narrow
// what the main may do before it gives up the rest.

import { join } from "node:path";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Limits } from "../../plugins/runtime/contract/manifest.ts";
import type { CellAddress } from "./start_order.ts";

export interface CellCommandOptions {
  address: CellAddress;
  bundles: string;
  /** The cell's throw-away folder: its working directory, its socket. */
  folder: string;
  /** Folders that the main may read besides its own bundles. */
  reads: readonly string[];
  /** Folders of native engines, whose machine code it may load. */
  native: readonly string[];
  /** Whether it may load the GPU's driver. */
  gpu: boolean;
  limits: Limits;
  /** What this system's processes cannot start without (SystemRoot on Windows). */
  environment: Readonly<Record<string, string>>;
  /** RLIMIT_DATA, KiB; undefined leaves it. */
  dataLimitKb: number | undefined;
  /** Where the program was packed: what starts it again, before the command "cell". */
  self: readonly string[] | undefined;
}

/** A plain file in the cell's folder, which stands where Deno would make a folder. */
export const noFolderName = "no-folder";

export function cellCommand(options: CellCommandOptions): Deno.Command {
  const [executable, args] = withDataLimit(options.dataLimitKb, cellArguments(options));
  return new Deno.Command(executable, {
    args,
    cwd: options.folder,
    clearEnv: true,
    env: { ...closedDoors(options), ...frugalMemory, NO_COLOR: "1", ...options.environment },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

/**
 * What no permission gates. Below a plain file there can be no DENO_DIR: `caches` and `localStorage` then fail
 * instead of reaching the disk and other cells. And no GPU driver is loaded into a cell, unless the operator lets it.
 */
function closedDoors({ folder, gpu }: CellCommandOptions): Record<string, string> {
  return {
    DENO_DIR: join(folder, noFolderName, "deno"),
    ...(gpu ? confinedDriver(folder) : { DENO_WEBGPU_BACKEND: "none" }),
  };
}

/** A driver's code is not gated: what it would keep on the disk for the next process stays out of other cells' reach. */
function confinedDriver(folder: string): Record<string, string> {
  return {
    XDG_RUNTIME_DIR: folder,
    MESA_SHADER_CACHE_DISABLE: "true",
    __GL_SHADER_DISK_CACHE: "0",
  };
}

/**
 * glibc: pieces of memory above 32 KiB are the system's own again once they are free. Left alone it learns from the first
 * one that is freed to keep all later ones of that size, and what compiled a model's code stays in its arenas, so that an
 * unloaded model would go on to weigh what it did (docs/benchmarks.md, Unload).
 */
const frugalMemory = { MALLOC_MMAP_THRESHOLD_: "32768", MALLOC_TRIM_THRESHOLD_: "131072" };

function cellArguments(options: CellCommandOptions): string[] {
  const { address, bundles, folder, reads, native, limits, self } = options;
  const heap = `--v8-flags=--max-old-space-size=${limits.memoryMb},--expose-gc`;
  if (self !== undefined) return [...self, "cell"];
  return [
    "run",
    "--no-prompt",
    "--cached-only",
    "--no-remote",
    "--no-npm",
    "--no-config",
    "--no-lock",
    "--no-code-cache",
    "--unstable-worker-options",
    `--allow-read=${listPaths([bundles, folder, ...reads, ...native])}`,
    `--allow-write=${listPaths([folder])}`,
    `--allow-net=${
      address.transport === "unix" ? `unix:${listPaths([address.path])}` : "127.0.0.1"
    }`,
    ...(native.length === 0 ? [] : [`--allow-ffi=${listPaths([...native])}`]),
    heap,
    join(bundles, "cell.js"),
  ];
}

/** Deno reads a comma as the end of a path, and knows no way around it. */
function listPaths(paths: readonly string[]): string {
  const odd = paths.find((path) => path.includes(","));
  if (odd !== undefined) {
    throw new AppError(
      "UNSUPPORTED_FEATURE",
      `A cell cannot be given "${odd}": its path has a comma`,
    );
  }
  return paths.join(",");
}

function withDataLimit(
  limitKb: number | undefined,
  args: string[],
): [executable: string, args: string[]] {
  const executable = Deno.execPath();
  if (limitKb === undefined) return [executable, args];
  const script = `ulimit -d ${limitKb}; exec "$@"`;
  return ["/bin/sh", ["-c", script, "bkg-cell", executable, ...args]];
}
