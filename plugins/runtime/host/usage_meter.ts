// What a cell uses. Whoever asks gets the same last sample, until it is old: so the share of the CPU is always
// told over a time that means something, however many ask.

import type { CellUsage } from "./cell.ts";
import type { RunningCell } from "./running_cell.ts";

export interface UsageSample {
  /** Undefined when the cell could not be measured. */
  usage: CellUsage | undefined;
  /** Since the sample before, or the cell's start; percent of one core. */
  cpuPercent: number | undefined;
}

export interface UsageMeter {
  read(cell: RunningCell): Promise<UsageSample>;
}

/** `now` is monotonic, ms. */
export function createUsageMeter({ now }: { now: () => number }): UsageMeter {
  let last: (UsageSample & { cell: RunningCell; atMs: number }) | undefined;
  let reading: { cell: RunningCell; sample: Promise<UsageSample> } | undefined;

  async function measure(cell: RunningCell): Promise<UsageSample> {
    const usage = await cell.cell.usage().catch(() => undefined);
    if (usage === undefined) return { usage, cpuPercent: undefined };
    const atMs = now();
    const before = last?.cell === cell ? last : undefined;
    const elapsedMs = atMs - (before?.atMs ?? cell.startedMs);
    const usedSeconds = usage.cpuSeconds - (before?.usage?.cpuSeconds ?? 0);
    const cpuPercent = elapsedMs > 0 ? Math.max(0, usedSeconds * 100_000 / elapsedMs) : undefined;
    last = { usage, cpuPercent, cell, atMs };
    return last;
  }

  return {
    read(cell) {
      if (last?.cell === cell && now() - last.atMs < freshMs) return Promise.resolve(last);
      if (reading?.cell === cell) return reading.sample;
      const sample = measure(cell).finally(() => {
        if (reading?.sample === sample) reading = undefined;
      });
      reading = { cell, sample };
      return sample;
    },
  };
}

const freshMs = 1000;
