// What Linux tells of a process and a folder; undefined or zero where there is no such thing.

import { join } from "node:path";

const pageBytes = 4096;
const ticksPerSecond = 100;

/** Resident memory, bytes (proc_pid_statm(5)). */
export function readRssBytes(pid: number): number | undefined {
  const fields = readProc(`/proc/${pid}/statm`)?.split(" ");
  const pages = Number(fields?.[1]);
  return Number.isFinite(pages) ? pages * pageBytes : undefined;
}

/** CPU seconds since the start, user and system, and threads (proc_pid_stat(5)). */
export function readCpu(pid: number): { cpuSeconds: number; threads: number } | undefined {
  const text = readProc(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The name in parentheses may hold anything; the fields after it are counted from its end.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { cpuSeconds: ticks / ticksPerSecond, threads: Number(fields[17]) };
}

/** Bytes of all files below a folder; what vanishes meanwhile counts nothing. */
export function folderBytes(folder: string): number {
  let sum = 0;
  try {
    for (const entry of Deno.readDirSync(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory) sum += folderBytes(path);
      else if (entry.isFile) sum += Deno.lstatSync(path).size;
    }
  } catch {
    // Gone, or going.
  }
  return sum;
}

function readProc(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
