// Plugins and hosts for the hostile suite: the real PluginHost over real cells, with nothing granted.

import { permissionsSchema } from "../../../plugins/runtime/contract/grant.ts";
import type { Permissions } from "../../../plugins/runtime/contract/grant.ts";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type { Limits } from "../../../plugins/runtime/contract/manifest.ts";
import type { CellExit, SpawnCell } from "../../../plugins/runtime/host/cell.ts";
import type { Principal } from "../../../plugins/runtime/host/host.ts";
import type { InstalledPlugin } from "../../../plugins/runtime/host/registry.ts";
import type { PluginHostDeps } from "../../../plugins/runtime/host/plugin_host.ts";
import { cgroupsOf } from "./leftovers.ts";

export const operator: Principal = { id: "operator", role: "admin" };

export function installed(
  { id, code, capabilities, limits, asks, streaming = false }: {
    id: string;
    code: string;
    capabilities: readonly string[];
    limits?: Partial<Limits> | undefined;
    asks?: Partial<Permissions> | undefined;
    streaming?: boolean;
  },
): InstalledPlugin {
  return {
    source: id,
    origin: "external",
    manifest: {
      contract: "1",
      id,
      name: id,
      version: "1.0.0",
      capabilities: capabilities.map((capability) => ({
        id: capability,
        title: capability,
        inputSchema: true,
        outputSchema: true,
        ...(streaming && capability.endsWith(".run")
          ? { streaming: true, resultSchema: true }
          : undefined),
      })),
      limits: { memoryMb: 512, timeoutMs: 1000, idleTimeoutMs: 0, ...limits },
      permissions: permissionsSchema.parse(asks ?? {}),
    },
    loadCode: () => Promise.resolve(code),
  };
}

/** A host's surroundings, with one model that nobody is granted: whatever is asked for was consented to, and denied. */
export function hostDeps(spawnCell: SpawnCell): Omit<PluginHostDeps, "plugins"> {
  return {
    spawnCell,
    threads: 2,
    state: { load: () => ({ enabled: true, consent: denied }), save: () => {} },
    models: {
      list: () => Promise.resolve([{ id: "secret", size: 6, format: "gguf" }]),
      open: (id) => Promise.reject(new AppError("NOT_FOUND", `No model "${id}"`)),
    },
  };
}

const denied = {
  requested: permissionsSchema.parse({ services: ["models"], models: ["*"] }),
  granted: permissionsSchema.parse({}),
};

export interface CellRecord {
  readonly pid: number | undefined;
  readonly exit: Promise<CellExit>;
  readonly cgroups: readonly string[];
}

/** Notes every cell that `spawnCell` starts, so that a test sees how each ended. */
export function recordCells(spawnCell: SpawnCell, into: CellRecord[]): SpawnCell {
  return async (spec, options) => {
    const cell = await spawnCell(spec, options);
    into.push({ pid: cell.pid, exit: cell.exited, cgroups: cgroupsOf(cell.pid) });
    return cell;
  };
}
