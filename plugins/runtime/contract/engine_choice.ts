// What an operator may add beside WebAssembly, as clients see it: /api/engines, the page, `bkg engine`.

import type { NativeEngineName } from "./native_engine.ts";

/** "webgpu" is a switch; the others are packages with machine code, the later the more capable. */
export const engineIds = ["webgpu", "cpu", "vulkan", "cuda"] as const;
export type EngineId = typeof engineIds[number];

/** `unsupported`: there is nothing to add for this machine. `damaged`: it is on, and is not used. */
export const engineStatuses = ["off", "adding", "on", "unsupported", "damaged"] as const;
export type EngineStatus = typeof engineStatuses[number];

export interface EngineChoice {
  id: EngineId;
  title: string;
  description: string;
  status: EngineStatus;
  /** Why it is unsupported or damaged, or why it could not be added. */
  reason?: string;
  /** The native engines in it; none of "webgpu". */
  contains: NativeEngineName[];
  /** Of all its packages, packed. */
  downloadBytes: number;
  /** Of its packages that are here. */
  installedBytes?: number;
  /** Such as "llama 3.22.1, onnxruntime 1.30.0". */
  version?: string;
  /** The job that adds it. */
  jobId?: string;
}

export function isEngineId(value: unknown): value is EngineId {
  return engineIds.some((id) => id === value);
}
