// Who is told when a credential ends: by a change, or because its time is over. Caller: identities.ts.

import type { Timers } from "../../plugins/runtime/host/timers.ts";
import type { Found } from "./bearer_look_up.ts";

export interface CredentialWatch extends Disposable {
  /** Calls `ended` once, at once when `found` is undefined or over, until the returned function is called. */
  add(found: Found | undefined, ended: () => void): () => void;
  end(which: (found: Found) => boolean): void;
  prolong(which: (found: Found) => boolean, endsAtMs: number): void;
}

export function createCredentialWatch(
  { now, timers }: { now: () => number; timers: Timers },
): CredentialWatch {
  const watched = new Map<Found, Set<() => void>>();
  let cancelExpiry: (() => void) | undefined;
  let armedForMs = Infinity;

  function end(which: (found: Found) => boolean): void {
    for (const [found, watchers] of [...watched]) {
      if (!which(found)) continue;
      watched.delete(found);
      for (const ended of [...watchers]) ended();
    }
    if (watched.size === 0) disarm();
  }

  function disarm(): void {
    cancelExpiry?.();
    cancelExpiry = undefined;
    armedForMs = Infinity;
  }

  /** Looks again at the latest after a minute: the clock may be set, or the machine may have slept. */
  function arm(endsAtMs: number): void {
    if (endsAtMs === Infinity || endsAtMs >= armedForMs) return;
    disarm();
    armedForMs = endsAtMs;
    cancelExpiry = timers.after(Math.max(0, Math.min(endsAtMs - now(), maxWaitMs)), () => {
      disarm();
      end((found) => found.endsAtMs <= now());
      arm(Math.min(...[...watched.keys()].map(({ endsAtMs }) => endsAtMs)));
    });
  }

  return {
    add(found, ended) {
      if (found === undefined || found.endsAtMs <= now()) {
        ended();
        return () => {};
      }
      const watchers = watched.get(found) ?? new Set();
      watched.set(found, watchers);
      // A function of its own for each watcher: the same `ended` may be given twice.
      const watcher = () => ended();
      watchers.add(watcher);
      arm(found.endsAtMs);
      return () => {
        watchers.delete(watcher);
        if (watchers.size > 0 || watched.get(found) !== watchers) return;
        watched.delete(found);
        if (watched.size === 0) disarm();
      };
    },
    end,
    prolong(which, endsAtMs) {
      for (const found of watched.keys()) if (which(found)) found.endsAtMs = endsAtMs;
    },
    [Symbol.dispose]: disarm,
  };
}

const maxWaitMs = 60_000;
