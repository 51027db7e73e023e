// Holds a cell's memory: a cgroup where one is writable, RLIMIT_DATA as a backstop, and the watch's
// poll of RSS. Says which of them is in force; none of them outside Linux.

import type { CellSpec, Enforcement } from "../../plugins/runtime/host/cell.ts";
import { createMemoryCgroup } from "./cgroup.ts";
import { readRssBytes } from "./proc.ts";

export interface MemoryLimit {
  readonly enforcement: Enforcement;
  readonly limitBytes: number;
  readonly dataLimitKb: number | undefined;
  /** Puts the new process under the limit. */
  confine(pid: number): void;
  /** Whether the kernel ended the cell for its memory. */
  exceeded(): boolean;
  release(): void;
}

/** Address space that each V8 isolate reserves as data, KiB (measured: 0.53 GB). */
const isolateDataKb = 0.6 * 1024 * 1024;

/** All of them; tests take one alone to measure it. */
export const memoryHolds: readonly MemoryHold[] = ["cgroup", "poll", "rlimit"];

export type MemoryHold = Enforcement["memory"][number];

export function limitMemory(
  { limits, engines }: CellSpec,
  wanted: readonly MemoryHold[] = memoryHolds,
): MemoryLimit {
  const limitBytes = limits.memoryMb * 1024 * 1024;
  if (Deno.build.os !== "linux") {
    return {
      enforcement: { memory: [], cpu: "none" },
      limitBytes,
      dataLimitKb: undefined,
      confine: () => {},
      exceeded: () => false,
      release: () => {},
    };
  }
  const cgroup = wanted.includes("cgroup") ? createMemoryCgroup(limitBytes) : undefined;
  const dataLimitKb = Math.ceil(limits.memoryMb * 1024 + isolates(engines.length) * isolateDataKb);
  return {
    enforcement: {
      memory: wanted.filter((hold) => {
        if (hold === "cgroup") return cgroup !== undefined;
        return hold !== "poll" || readRssBytes(Deno.pid) !== undefined;
      }),
      cpu: "reported",
    },
    limitBytes,
    dataLimitKb: wanted.includes("rlimit") ? dataLimitKb : undefined,
    confine: (pid) => cgroup?.add(pid),
    exceeded: () => cgroup?.exceeded() ?? false,
    release: () => cgroup?.remove(),
  };
}

/** Main, Worker and one nested Worker; an engine adds its own and its threads. */
function isolates(engines: number): number {
  return 3 + engines * (1 + navigator.hardwareConcurrency);
}
