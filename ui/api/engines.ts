// What the operator may add beside WebAssembly: /api/engines.

import type { EngineChoice, EngineId } from "../../plugins/runtime/contract/engine_choice.ts";
import type { Api } from "./client.ts";

export async function listEngines(api: Api, signal?: AbortSignal): Promise<EngineChoice[]> {
  const { engines } = await api.get<{ engines: EngineChoice[] }>(
    "/api/engines",
    signal && { signal },
  );
  return engines;
}

/** Begins a job that downloads it, or turns a switch on. */
export async function addEngine(api: Api, id: EngineId): Promise<void> {
  await api.send("POST", enginePath(id), { body: {} });
}

export async function removeEngine(api: Api, id: EngineId): Promise<void> {
  await api.send("DELETE", enginePath(id));
}

function enginePath(id: EngineId): string {
  return `/api/engines/${encodeURIComponent(id)}`;
}
