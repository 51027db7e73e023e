// What a suite of cells may leave behind: nothing. Looks at processes, descriptors, folders and cgroups.

import { join } from "node:path";

/** The memory cgroups that bkg made for a process; none where it could not. */
export function cgroupsOf(pid: number | undefined): string[] {
  return read(`/proc/${pid}/cgroup`).split("\n").flatMap((line) => {
    const [, controllers, path] = line.split(":");
    if (path === undefined || !path.includes("/bkg-cell-")) return [];
    return [join("/sys/fs/cgroup", controllers ?? "", path)];
  });
}

/** Which of `pids` are cells that still run. */
export function stillRunning(pids: readonly number[]): number[] {
  return pids.filter((pid) => read(`/proc/${pid}/cmdline`).includes("/cell.js"));
}

export function openDescriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Asks `problem` until it answers undefined, at most `limitMs`; then answers what is still wrong. */
export async function settled(
  limitMs: number,
  problem: () => string | undefined,
): Promise<string | undefined> {
  const endMs = performance.now() + limitMs;
  while (true) {
    const wrong = problem();
    if (wrong === undefined || performance.now() > endMs) return wrong;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
