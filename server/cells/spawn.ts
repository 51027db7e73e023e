// Starts cells: a child of this same executable, its pipe, its throw-away folder, its limits.
// Everything that comes out of the pipe is plugin-authored; see docs/security.md.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Cell, CellSpec, SpawnCell } from "../../plugins/runtime/host/cell.ts";
import { CellProcess } from "./cell_process.ts";
import { sweepCgroups } from "./cgroup.ts";
import { cellCommand, noFolderName } from "./command.ts";
import { cellName, sweepLeftovers } from "./leftovers.ts";
import { listenForCell } from "./listen.ts";
import { limitMemory, type MemoryHold } from "./memory_limit.ts";
import type { InstalledEngine } from "./native/native_engines.ts";
import type { StartOrder } from "./start_order.ts";
import type { CellWatch } from "./watch.ts";

export interface SpawnDeps {
  /** The folder of cell.js, boot.js and the engines. */
  bundles: string;
  /** Folders that hold models; a cell that reads models may read these and nothing else. */
  modelFolders: readonly string[];
  watch: CellWatch;
  /** The native engines that the operator added, as they are when a cell starts. Default none. */
  nativeEngines?: () => readonly InstalledEngine[] | Promise<readonly InstalledEngine[]>;
  /** Whether cells may load the GPU's driver, for WebGPU. Default no. */
  gpu?: () => boolean;
  /** What this system's processes cannot start without; a cell inherits nothing else. */
  environment?: Readonly<Record<string, string>>;
  /** Arguments that start this program again; default: a binary needs none, and from source cell.js is run. */
  self?: readonly string[];
  /** Tests run hostile plugins without it too. Default true. */
  prelude?: boolean;
  /** Tests take one way to hold memory alone, to measure it. Default all that this system has. */
  memoryHolds?: readonly MemoryHold[];
}

/** Milliseconds that a new process may take to say hello. */
const helloTimeoutMs = 20_000;

/** Makes the function that starts cells as child processes. */
export function createSpawnCell(deps: SpawnDeps): SpawnCell {
  sweepLeftovers(tmpdir(), { recursive: true });
  sweepCgroups();
  return (spec, { signal }) => spawnCell(deps, spec, signal);
}

/** Permissions know no links, and machine code is found by its real path. */
function resolveFolder(engine: InstalledEngine): InstalledEngine {
  return { ...engine, folder: Deno.realPathSync(engine.folder) };
}

async function spawnCell(deps: SpawnDeps, spec: CellSpec, signal: AbortSignal): Promise<Cell> {
  signal.throwIfAborted();
  const folder = join(tmpdir(), cellName());
  await Deno.mkdir(folder, { mode: 0o700 });
  const cleanups = new AsyncDisposableStack();
  cleanups.defer(() => Deno.remove(folder, { recursive: true }).catch(() => {}));
  try {
    await Deno.writeTextFile(join(folder, noFolderName), "");
    const token = crypto.randomUUID();
    const door = listenForCell(folder, token);
    cleanups.defer(() => door.close());
    const memory = limitMemory(spec, deps.memoryHolds);
    cleanups.defer(() => memory.release());
    const reads = spec.readsModels || spec.engines.length > 0;
    const native = spec.engines.length > 0
      ? (await deps.nativeEngines?.() ?? []).map(resolveFolder)
      : [];
    const order: StartOrder = {
      address: door.address,
      token,
      bundles: deps.bundles,
      code: spec.code,
      engines: spec.engines,
      native,
      reads,
      prelude: deps.prelude ?? true,
    };
    const child = cellCommand({
      address: door.address,
      bundles: deps.bundles,
      folder,
      reads: reads ? deps.modelFolders : [],
      native: native.map(({ folder }) => folder),
      gpu: spec.engines.length > 0 && (deps.gpu?.() ?? false),
      limits: spec.limits,
      environment: deps.environment ?? {},
      dataLimitKb: memory.dataLimitKb,
      self: deps.self ?? (Deno.build.standalone ? [] : undefined),
    }).spawn();
    memory.confine(child.pid);
    const cell = new CellProcess({ child, spec, folder, memory, watch: deps.watch, cleanups });
    try {
      await cell.connect(
        order,
        door,
        AbortSignal.any([signal, AbortSignal.timeout(helloTimeoutMs)]),
      );
    } catch (error) {
      cell.kill("crashed", "It did not connect in time");
      const exit = await cell.exited;
      if (signal.aborted) throw error;
      throw new AppError("CELL_LOST", `The cell did not start: ${exit.message}`, { cause: error });
    }
    return cell;
  } catch (error) {
    await cleanups.disposeAsync();
    throw error;
  }
}
