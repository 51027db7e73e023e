// What one subject has used in the day and the month that it is. Caller: usage_store, which adds to it.

import type { TokenTally } from "../auth/quotas.ts";
import { dayAt, monthAt } from "../auth/utc_calendar.ts";

export interface LiveTally extends TokenTally {
  add(tokens: number): void;
}

/** Begins with what was used so far; with a new day or month it begins at zero. */
export function createTokenTally(
  start: { day: number; month: number; now: () => number },
): LiveTally {
  const { now } = start;
  let { day, month } = start;
  let dayEndMs = dayAt(now()).endMs;
  let monthEndMs = monthAt(now()).endMs;

  function roll(): void {
    const nowMs = now();
    if (nowMs < dayEndMs) return;
    day = 0;
    dayEndMs = dayAt(nowMs).endMs;
    if (nowMs < monthEndMs) return;
    month = 0;
    monthEndMs = monthAt(nowMs).endMs;
  }

  return {
    get day() {
      roll();
      return day;
    },
    get month() {
      roll();
      return month;
    },
    add(tokens) {
      roll();
      day += tokens;
      month += tokens;
    },
  };
}
