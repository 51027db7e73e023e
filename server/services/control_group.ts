// What this process's control group and those above it allow (cgroups(7)), version 2 and version 1: memory and cores.
// Caller: machine.ts. Invariant: a limit that cannot be read is none.

import { join } from "node:path";

export interface GroupLimits {
  /** The tightest, bytes; undefined: none. */
  memoryBytes: number | undefined;
  /** What is left of the tightest; files that the kernel may drop count as free. */
  availableBytes: number | undefined;
  /** CPU time for each second; undefined: no quota. */
  cores: number | undefined;
}

export interface GroupPlaces {
  /** Lists the process's own groups. */
  listFile: string;
  /** Where the groups are mounted. */
  root: string;
}

const systemPlaces: GroupPlaces = { listFile: "/proc/self/cgroup", root: "/sys/fs/cgroup" };

export function readGroupLimits(places: GroupPlaces = systemPlaces): GroupLimits {
  const memory: { limit: number; left: number }[] = [];
  const cores: number[] = [];
  for (const group of listGroups(places)) {
    const limit = readLimit(group);
    if (limit !== undefined) memory.push({ limit, left: Math.max(limit - readUsage(group), 0) });
    const quota = readQuota(group);
    if (quota !== undefined) cores.push(quota);
  }
  return {
    memoryBytes: smallest(memory.map(({ limit }) => limit)),
    availableBytes: smallest(memory.map(({ left }) => left)),
    cores: smallest(cores),
  };
}

interface Group {
  version: 1 | 2;
  folder: string;
}

/**
 * From the process's own up to the root: a limit binds all below it. In a container the own group's path may be the
 * host's, and only the root is there.
 */
function* listGroups({ listFile, root }: GroupPlaces): Generator<Group> {
  for (const line of readText(listFile).split("\n")) {
    const [, controllers, path] = line.split(":");
    if (controllers === undefined || path === undefined) continue;
    const parts = path.split("/").filter(Boolean);
    const mounts = controllers === ""
      ? [{ version: 2, mount: root }] as const
      // A hierarchy of several controllers is mounted under each one's name.
      : controllers.split(",").filter((name) => name === "memory" || name === "cpu")
        .map((name) => ({ version: 1, mount: join(root, name) }) as const);
    for (const { version, mount } of mounts) {
      for (let depth = parts.length; depth >= 0; depth--) {
        yield { version, folder: join(mount, ...parts.slice(0, depth)) };
      }
    }
  }
}

function readLimit({ version, folder }: Group): number | undefined {
  const file = version === 2 ? "memory.max" : "memory.limit_in_bytes";
  const limit = toCount(readText(join(folder, file)));
  // Version 1 says "none" as the largest number of pages.
  return limit !== undefined && limit < 2 ** 60 ? limit : undefined;
}

function readUsage({ version, folder }: Group): number {
  const file = version === 2 ? "memory.current" : "memory.usage_in_bytes";
  const used = toCount(readText(join(folder, file))) ?? 0;
  const key = version === 2 ? /^inactive_file (\d+)$/m : /^total_inactive_file (\d+)$/m;
  const droppable = toCount(key.exec(readText(join(folder, "memory.stat")))?.[1] ?? "") ?? 0;
  return Math.max(used - droppable, 0);
}

function readQuota({ version, folder }: Group): number | undefined {
  const [quota, period] = version === 2
    ? readText(join(folder, "cpu.max")).split(" ").map(toCount)
    : ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map((file) =>
      toCount(readText(join(folder, file)))
    );
  return quota === undefined || !period ? undefined : quota / period;
}

function smallest(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.min(...values);
}

/** Undefined for "max", "-1" and what is no number. */
function toCount(text: string): number | undefined {
  return /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
