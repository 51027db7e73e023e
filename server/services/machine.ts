// Facts about this machine that decide which model fits: cores, memory, disk, GPU; none about who uses it.
// Callers: the routes of the machine and the catalogue. The GPU is asked for once, when facts are first wanted.

import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { MachineFacts } from "../../models/fit.ts";
import { toPlainText } from "../../plugins/runtime/contract/plain_text.ts";
import { projectRoot } from "../build/bundles.ts";
import { type GroupLimits, readGroupLimits } from "./control_group.ts";

export interface Machine {
  /** Memory and disk as they are now. */
  facts(): Promise<MachineFacts>;
}

export interface MachineDeps {
  /** The disk that counts is the one that holds it. */
  dataDir: string;
  /** The memory limit of the plugin that loads language models, bytes. */
  pluginMemoryBytes?: () => number | undefined;
  /** Default: `bkg doctor gpu --json` in a process of its own. */
  listAdapters?: (signal: AbortSignal) => Promise<unknown>;
  readLimits?: () => GroupLimits;
}

export function createMachine(deps: MachineDeps): Machine {
  const { dataDir, pluginMemoryBytes, listAdapters = askChild, readLimits = readGroupLimits } =
    deps;
  let webgpu: Promise<MachineFacts["webgpu"]> | undefined;
  return {
    async facts() {
      webgpu ??= findGpu(listAdapters);
      const disk = await statfs(dataDir);
      const limits = readLimits();
      const { total, available } = Deno.systemMemoryInfo();
      const pluginBytes = pluginMemoryBytes?.();
      return {
        cores: Math.max(
          1,
          Math.floor(Math.min(navigator.hardwareConcurrency, limits.cores ?? Infinity)),
        ),
        memoryBytes: Math.min(total, limits.memoryBytes ?? Infinity),
        availableBytes: Math.min(available, limits.availableBytes ?? Infinity),
        diskFreeBytes: disk.bavail * disk.bsize,
        diskTotalBytes: disk.blocks * disk.bsize,
        webgpu: await webgpu,
        ...(pluginBytes === undefined ? {} : { pluginMemoryBytes: pluginBytes }),
        os: Deno.build.os,
        arch: Deno.build.arch,
      };
    },
  };
}

async function findGpu(
  listAdapters: (signal: AbortSignal) => Promise<unknown>,
): Promise<MachineFacts["webgpu"]> {
  try {
    const found = await listAdapters(AbortSignal.timeout(answerTimeoutMs));
    const adapters = adaptersSchema.parse(found).map(({ name, isSoftware }) => ({
      adapter: toPlainText(name, 100),
      software: isSoftware || softwareNames.test(name),
    }));
    const best = adapters.find(({ software }) => !software) ?? adapters[0];
    return best === undefined ? { available: false } : { available: true, ...best };
  } catch {
    // A driver that hangs or takes its process with it says nothing that one could rely on.
    return undefined;
  }
}

/** Never in the server itself: a driver that was loaded stays, and a broken one ends its process. */
async function askChild(signal: AbortSignal): Promise<unknown> {
  const program = Deno.build.standalone
    ? []
    : ["run", "-A", "--no-prompt", join(projectRoot, "server/cli/main.ts")];
  const { success, code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [...program, "doctor", "gpu", "--json"],
    cwd: projectRoot,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    signal,
  }).output();
  if (!success) throw new Error(`The process that asked for GPUs ended with ${code}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

const answerTimeoutMs = 5000;
const softwareNames = /llvmpipe|lavapipe|swiftshader|basic render/i;
const adaptersSchema = z.array(z.object({ name: z.string(), isSoftware: z.boolean() })).max(100);
