// A memory cgroup for one cell, made below this process's own group where that is writable:
// version 2 (memory.max), or version 1 (memory.limit_in_bytes), as many hosts still have.

import { join } from "node:path";
import { cellName, sweepLeftovers } from "./leftovers.ts";

export interface MemoryCgroup {
  add(pid: number): void;
  exceeded(): boolean;
  remove(): void;
}

interface Version {
  limitFile: string;
  /** File and key that count the kernel's kills. */
  killFile: string;
}

const v1: Version = { limitFile: "memory.limit_in_bytes", killFile: "memory.oom_control" };
const v2: Version = { limitFile: "memory.max", killFile: "memory.events" };

/** Undefined where this process may not make one. */
export function createMemoryCgroup(limitBytes: number): MemoryCgroup | undefined {
  for (const { parent, version } of candidates()) {
    const folder = join(parent, cellName());
    try {
      Deno.mkdirSync(folder);
    } catch {
      continue;
    }
    try {
      Deno.writeTextFileSync(join(folder, version.limitFile), String(limitBytes));
      return openCgroup(folder, version);
    } catch {
      Deno.removeSync(folder);
    }
  }
  return undefined;
}

function openCgroup(folder: string, version: Version): MemoryCgroup {
  return {
    add(pid) {
      Deno.writeTextFileSync(join(folder, "cgroup.procs"), String(pid));
    },
    exceeded() {
      try {
        const text = Deno.readTextFileSync(join(folder, version.killFile));
        return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0) > 0;
      } catch {
        return false;
      }
    },
    remove() {
      try {
        Deno.removeSync(folder);
      } catch {
        // The kernel keeps it while a process is still leaving; it is empty and costs nothing.
      }
    },
  };
}

/** Removes the groups that killed servers left. */
export function sweepCgroups(): void {
  for (const { parent } of candidates()) sweepLeftovers(parent, { recursive: false });
}

/** This process's own groups, read from /proc/self/cgroup (cgroups(7)). */
function* candidates(): Generator<{ parent: string; version: Version }> {
  let lines: string[];
  try {
    lines = Deno.readTextFileSync("/proc/self/cgroup").split("\n");
  } catch {
    return;
  }
  for (const line of lines) {
    const [, controllers, path] = line.split(":");
    if (controllers === undefined || path === undefined) continue;
    if (controllers === "") yield { parent: join("/sys/fs/cgroup", path), version: v2 };
    else if (controllers.split(",").includes("memory")) {
      yield { parent: join("/sys/fs/cgroup/memory", path), version: v1 };
    }
  }
}
