// Usage as days and capabilities add it up. Days are UTC's, such as "2026-01-31". Caller: bkg-usage.

import type { UsageDay } from "../api/account.ts";

export interface UsageTotals {
  calls: number;
  errors: number;
  promptTokens: number;
  completionTokens: number;
  busyMs: number;
}

export interface CapabilityTotals extends UsageTotals {
  capability: string;
}

export interface DayTotals extends UsageTotals {
  day: string;
}

/** The last `count` days, today among them, oldest first. */
export function lastDays(count: number, nowMs: number): string[] {
  return Array.from(
    { length: count },
    (_, index) => new Date(nowMs - (count - 1 - index) * dayMs).toISOString().slice(0, 10),
  );
}

/** One entry a day, also where nothing was used. */
export function totalsByDay(usage: readonly UsageDay[], days: readonly string[]): DayTotals[] {
  const totals = sumBy(usage, ({ day }) => day);
  return days.map((day) => ({ day, ...totals.get(day) ?? nothing }));
}

/** Most calls first. */
export function totalsByCapability(usage: readonly UsageDay[]): CapabilityTotals[] {
  return [...sumBy(usage, ({ capability }) => capability)]
    .map(([capability, totals]) => ({ capability, ...totals }))
    .sort((one, other) =>
      other.calls - one.calls || one.capability.localeCompare(other.capability)
    );
}

const dayMs = 24 * 60 * 60_000;
const nothing: UsageTotals = {
  calls: 0,
  errors: 0,
  promptTokens: 0,
  completionTokens: 0,
  busyMs: 0,
};

function sumBy(
  usage: readonly UsageDay[],
  keyOf: (day: UsageDay) => string,
): Map<string, UsageTotals> {
  const sums = new Map<string, UsageTotals>();
  for (const one of usage) {
    const sum = sums.get(keyOf(one)) ?? nothing;
    sums.set(keyOf(one), {
      calls: sum.calls + one.calls,
      errors: sum.errors + one.errors,
      promptTokens: sum.promptTokens + one.promptTokens,
      completionTokens: sum.completionTokens + one.completionTokens,
      busyMs: sum.busyMs + one.busyMs,
    });
  }
  return sums;
}
