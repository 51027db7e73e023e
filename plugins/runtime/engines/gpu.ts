// Whether WebGPU is to be had, asked before a model is read: an engine that finds no GPU may not run on the CPU instead.

import { AppError } from "../contract/error.ts";
import { toPlainText } from "../contract/plain_text.ts";

/** Throws UNSUPPORTED_FEATURE, which says why, where there is no adapter that has these features of WebGPU. */
export async function requireGpu(features: readonly string[] = []): Promise<void> {
  const { gpu } = navigator as { gpu?: Gpu };
  if (gpu === undefined) throw noGpu("this browser does not offer it to this page");
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (adapter === null) {
    throw noGpu(
      'no GPU was found; on a server its operator lets plugins use one with "bkg engine add webgpu"',
    );
  }
  const missing = features.find((feature) => !adapter.features.has(feature));
  if (missing !== undefined) {
    throw noGpu(`the GPU "${gpuName(adapter.info)}" has no "${missing}", which this engine needs`);
  }
}

/** As every engine says it, so that whoever asked for WebGPU knows that nothing ran. */
export function noGpu(reason: string): AppError {
  return new AppError("UNSUPPORTED_FEATURE", `WebGPU is not to be had here: ${reason}`, {
    details: { backend: "webgpu" },
  });
}

/** The loaded model is gone with it; loaded anew it may run again. */
export function gpuLost(reason: string): AppError {
  return new AppError("UNAVAILABLE", `The GPU was lost (${toPlainText(reason, 200)}); try again`);
}

/** What it calls itself; a browser tells little of it. */
export function gpuName(info: GpuNames | undefined): string {
  const { description, vendor, architecture } = info ?? {};
  const name = description || [vendor, architecture].filter(Boolean).join(" ");
  return toPlainText(name || "a GPU without a name", 200);
}

export interface GpuNames {
  description?: string;
  vendor?: string;
  architecture?: string;
}

interface Gpu {
  requestAdapter(): Promise<{ features: ReadonlySet<string>; info?: GpuNames } | null>;
}
