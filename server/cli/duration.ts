// Lengths of time on a command line: "30m", "24h", "90d", "0".

import { UsageError } from "./command.ts";

const unitsMs: Record<string, number> = {
  s: 1000,
  m: 60_000,
  h: 60 * 60_000,
  d: 24 * 60 * 60_000,
};

/** Ms; throws a UsageError that names the flag. */
export function readDuration(flag: string, text: string): number {
  if (text === "0") return 0;
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const unitMs = unitsMs[unit ?? ""];
  if (unitMs !== undefined) return Number(count) * unitMs;
  throw new UsageError(`${flag} is a time such as 30m, 24h or 90d, and not "${text}"`);
}
