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
  for (const name of namesIn(folder)) {
    const owner = /^bkg-cell-(\d+)-/.exec(name)?.[1];
    if (owner === undefined || isAlive(Number(owner))) continue;
    try {
      Deno.removeSync(join(folder, name), options);
    } catch {
      // Another server swept it first, or it is another user's: the rest is still ours to sweep.
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Where it cannot be told, everybody lives. */
function isAlive(pid: number): boolean {
  if (Deno.build.os !== "linux") return true;
  try {
    return Deno.statSync(`/proc/${pid}`).isDirectory;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}
