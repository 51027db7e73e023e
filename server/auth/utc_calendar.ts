// Days and months of UTC, in which usage is kept and quotas are whole again. Callers: quotas, the usage store.

export interface Period {
  /** Such as "2026-01-31" or "2026-01". */
  readonly name: string;
  /** Ms since the epoch; the end is the next one's start. */
  readonly startMs: number;
  readonly endMs: number;
}

export function dayAt(ms: number): Period {
  const startMs = Math.floor(ms / dayMs) * dayMs;
  return { name: new Date(ms).toISOString().slice(0, 10), startMs, endMs: startMs + dayMs };
}

export function monthAt(ms: number): Period {
  const date = new Date(ms);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return {
    name: date.toISOString().slice(0, 7),
    startMs: Date.UTC(year, month, 1),
    endMs: Date.UTC(year, month + 1, 1),
  };
}

export const dayMs = 24 * 60 * 60_000;
