// Bytes a second over the last seconds. Caller: job_runner.ts.

export interface Rate {
  /** `doneBytes` as it is counted now; a smaller one than before begins anew. */
  add(doneBytes: number): void;
  /** Undefined until there is something to measure. */
  perSecond(): number | undefined;
}

/** `now`: monotonic, ms. */
export function createRate(
  { now, windowMs = 5000 }: { now: () => number; windowMs?: number },
): Rate {
  /** At most one in `gapMs`, but for the newest. */
  let samples: { atMs: number; doneBytes: number }[] = [];
  return {
    add(doneBytes) {
      const atMs = now();
      const last = samples.at(-1);
      if (last !== undefined && doneBytes < last.doneBytes) samples = [];
      const before = samples.at(-2);
      if (before !== undefined && last !== undefined && last.atMs - before.atMs < gapMs) {
        samples.pop();
      }
      samples.push({ atMs, doneBytes });
      // One that is older than the window stays, to measure from.
      while (samples.length > 2 && samples[1]!.atMs <= atMs - windowMs) samples.shift();
    },
    perSecond() {
      const [first] = samples;
      const last = samples.at(-1);
      if (first === undefined || last === undefined || first === last) return undefined;
      // Measured until now: silence slows it down.
      const elapsedMs = now() - first.atMs;
      if (elapsedMs < gapMs) return undefined;
      return Math.round((last.doneBytes - first.doneBytes) / elapsedMs * 1000);
    },
  };
}

const gapMs = 250;
