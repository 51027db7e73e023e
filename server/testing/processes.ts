// Cells that outlived the server which started them, from /proc; none where there is no /proc.

/** Process ids of cells whose parent is no server any more; others' cells on this machine do not count. */
export function orphanedCells(): number[] {
  const pids: number[] = [];
  try {
    for (const { name } of Deno.readDirSync("/proc")) {
      if (/^\d+$/.test(name) && isOrphan(name)) pids.push(Number(name));
    }
  } catch {
    return [];
  }
  return pids;
}

function isOrphan(pid: string): boolean {
  try {
    const isCell = commandOf(pid).some((arg) => arg.endsWith("/cell.js"));
    const parent = /^PPid:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1];
    return isCell && !commandOf(parent ?? "1").some((arg) => arg.includes("deno"));
  } catch {
    return false;
  }
}

function commandOf(pid: string): string[] {
  return Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
}
