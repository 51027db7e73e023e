// GPU adapters that WebGPU finds. Asked for in a process of its own: a broken driver takes its process with it.
// Caller: `bkg doctor`.

import { join } from "node:path";
import { z } from "zod";
import { toPlainText } from "../../../plugins/runtime/contract/plain_text.ts";
import { projectRoot } from "../../build/bundles.ts";
import type { Finding } from "./finding.ts";

export interface Adapter {
  name: string;
  /** A CPU that draws: no gain for models. */
  isSoftware: boolean;
}

/** Runs `bkg doctor gpu --json` as a child. */
export async function checkGpu(): Promise<Finding> {
  const what = "GPU";
  const program = Deno.build.standalone
    ? []
    : ["run", "-A", "--no-prompt", join(projectRoot, "server/cli/main.ts")];
  try {
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [...program, "doctor", "gpu", "--json"],
      cwd: projectRoot,
      stdin: "null",
      stderr: "null",
      signal: AbortSignal.timeout(answerTimeoutMs),
    }).output();
    if (!success) throw new Error("It was lost with its process");
    return judgeAdapters(adaptersSchema.parse(JSON.parse(new TextDecoder().decode(stdout))));
  } catch {
    const message = "the driver failed when it was asked; models run on the CPU: update the driver";
    return { state: "warn", what, message };
  }
}

export function judgeAdapters(adapters: readonly Adapter[]): Finding {
  const what = "GPU";
  const real = adapters.filter(({ isSoftware }) => !isSoftware);
  if (real.length > 0) {
    const names = real.map(({ name }) => toPlainText(name, 100)).join(", ");
    return { state: "ok", what, message: names };
  }
  const [software] = adapters;
  return {
    state: "ok",
    what,
    message: software === undefined
      ? "none found; models run on the CPU"
      : `none but ${toPlainText(software.name, 100)}, which is software; models run on the CPU`,
  };
}

/** In this process. */
export async function listAdapters(): Promise<Adapter[]> {
  const adapters = new Map<string, Adapter>();
  for (const powerPreference of ["high-performance", "low-power"] as const) {
    const adapter = await navigator.gpu?.requestAdapter({ powerPreference });
    if (!adapter) continue;
    const { description, device, vendor, isFallbackAdapter } = adapter.info;
    const name = description || `${vendor} ${device}`;
    adapters.set(name, { name, isSoftware: isFallbackAdapter });
  }
  return [...adapters.values()];
}

const answerTimeoutMs = 15_000;

const adaptersSchema = z.array(z.object({ name: z.string(), isSoftware: z.boolean() }));
