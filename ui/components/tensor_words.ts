// What a quantisation brought, in words. Caller: the form that quantises.

import { formatNumber, unknownNumber } from "./format.ts";

/** "1.8 times faster", "3 times slower", "The same" */
export function compareSpeed(
  { beforeMs, afterMs }: { beforeMs?: number | undefined; afterMs?: number | undefined },
): string {
  if (beforeMs === undefined || afterMs === undefined || beforeMs <= 0 || afterMs <= 0) {
    return unknownNumber;
  }
  const ratio = beforeMs / afterMs;
  if (ratio > 1.05) return `${formatNumber(Number(ratio.toPrecision(2)))} times faster`;
  if (ratio >= 0.95) return "The same";
  return `${formatNumber(Number((1 / ratio).toPrecision(2)))} times slower`;
}
