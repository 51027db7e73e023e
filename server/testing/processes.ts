// The cells that run on this machine now, from /proc; none where there is no /proc.

/** Process ids of every cell, whoever started it. */
export function cellProcesses(): number[] {
  const pids: number[] = [];
  try {
    for (const { name } of Deno.readDirSync("/proc")) {
      if (/^\d+$/.test(name) && isCell(name)) pids.push(Number(name));
    }
  } catch {
    return [];
  }
  return pids;
}

function isCell(pid: string): boolean {
  try {
    const args = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
    return args.some((arg) => arg.endsWith("/cell.js"));
  } catch {
    return false;
  }
}
