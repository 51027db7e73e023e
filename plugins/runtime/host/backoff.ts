// When a plugin that crashed may start again: at once after one crash, then later and later,
// and after too many in a short time not before an operator says so.

export interface CrashBackoff {
  /** Notes a crash; answers when the next start may be tried (ms since the epoch), or undefined for a crash loop. */
  crashed(): number | undefined;
  /** Forgets all crashes: an operator started the plugin. */
  reset(): void;
}

export interface CrashBackoffDeps {
  /** Ms since the epoch. */
  now: () => number;
  /** 0 to 1. */
  random: () => number;
  baseMs?: number;
  maxMs?: number;
  /** This many crashes within `windowMs` are a loop. */
  maxCrashes?: number;
  windowMs?: number;
}

export function createCrashBackoff(
  { now, random, baseMs = 500, maxMs = 30_000, maxCrashes = 5, windowMs = 60_000 }:
    CrashBackoffDeps,
): CrashBackoff {
  let crashes: number[] = [];
  return {
    crashed() {
      const atMs = now();
      crashes = [...crashes.filter((crashMs) => atMs - crashMs < windowMs), atMs];
      if (crashes.length >= maxCrashes) return undefined;
      if (crashes.length === 1) return atMs;
      const delayMs = Math.min(maxMs, baseMs * 2 ** (crashes.length - 2));
      // Jitter of half: plugins that crashed together do not start together.
      return atMs + delayMs * (0.5 + random() / 2);
    },
    reset() {
      crashes = [];
    },
  };
}
