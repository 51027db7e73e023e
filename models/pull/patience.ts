// How long and how often a failed request is tried again: as the server asks, else ever longer, with chance in it so
// that many clients do not come back at once. Callers: hub_repo.ts, range_fetch.ts.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { PullLimits } from "./limits.ts";

export interface PatienceOptions {
  limits: Readonly<PullLimits>;
  signal: AbortSignal;
  /** Told before each wait of a second or more. */
  waiting?: ((waitMs: number, why: AppError) => void) | undefined;
  /** 0 to 1. */
  random?: () => number;
}

export interface Patience {
  /** Waits; throws `error` when it is final or was the last that was borne. */
  bear(error: unknown): Promise<void>;
  /** Something worth mentioning arrived: failures count from zero again. */
  reward(): void;
}

export function createPatience(options: PatienceOptions): Patience {
  const { limits, signal, waiting, random = Math.random } = options;
  let failures = 0;
  return {
    async bear(error) {
      if (signal.aborted || !(error instanceof AppError) || !error.retryable) throw error;
      failures++;
      if (failures >= limits.tries) throw error;
      const longest = Math.min(limits.firstBackoffMs * 2 ** (failures - 1), limits.maxBackoffMs);
      const asked = retryAfterOf(error);
      // What a server asks for is the least, and chance comes on top of it.
      const waitMs = asked === undefined
        ? longest * (0.5 + random() / 2)
        : Math.min(asked, limits.maxRetryAfterMs) + limits.firstBackoffMs * random();
      if (waitMs >= 1000) waiting?.(waitMs, error);
      await sleep(waitMs, signal);
    },
    reward() {
      failures = 0;
    },
  };
}

/** Milliseconds that a `Retry-After` of seconds or a date asks for; undefined when it says neither. */
export function readRetryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  // Date.parse takes much more than dates of HTTP.
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(value.trim())) {
    return undefined;
  }
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

function retryAfterOf({ details }: AppError): number | undefined {
  if (typeof details !== "object" || details === null) return undefined;
  const { retryAfterMs } = details as { retryAfterMs?: unknown };
  return typeof retryAfterMs === "number" ? retryAfterMs : undefined;
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal.addEventListener("abort", abort, { once: true });
  });
}
