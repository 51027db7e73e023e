// What a server that was killed could not clean up: folders and cgroups of its cells. Their names carry
// the server's process id, so the next server on this machine can tell and remove them.

import { join } from "node:path";

const prefix = "bkg-cell-";

/** A new name for one cell's folder or cgroup; unique on this machine. */
export function cellName(): string {
  return `${prefix}${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
}

/** Removes what cells of dead servers left in `folder`; silent about what it may not touch. */
export function sweepLeftovers(folder: string, options: { recursive: boolean }): void {
  try {
    for (const { name } of Deno.readDirSync(folder)) {
      const owner = /^bkg-cell-(\d+)-/.exec(name)?.[1];
      if (owner !== undefined && !isAlive(Number(owner))) {
        Deno.removeSync(join(folder, name), options);
      }
    }
  } catch {
    // Another server sweeps too, or the folder is not ours.
  }
}

/** Where it cannot be told, everybody lives. */
function isAlive(pid: number): boolean {
  if (Deno.build.os !== "linux") return true;
  try {
    return Deno.statSync(`/proc/${pid}`).isDirectory;
  } catch {
    return false;
  }
}
