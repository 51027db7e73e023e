// One tab at a time exchanges the refresh token. Caller: session.ts. Where the browser has no locks (a page that is
// not on a secure origin), a mark in storage does; two tabs that slip through get the same answer from the server.

import type { BrowserStorage } from "./browser_storage.ts";

/** Runs when no other tab does. */
export type RefreshLock = <Result>(run: () => Promise<Result>) => Promise<Result>;

export interface RefreshLockDeps {
  /** navigator.locks. */
  locks?: { request(name: string, run: () => Promise<unknown>): Promise<unknown> } | undefined;
  storage: BrowserStorage;
  now?: () => number;
  /** How long a mark holds; its tab may be gone. */
  maxHeldMs?: number;
}

export function createRefreshLock(deps: RefreshLockDeps): RefreshLock {
  const { locks, storage, now = Date.now, maxHeldMs = 8000 } = deps;
  if (locks !== undefined) {
    return async <Result>(run: () => Promise<Result>) =>
      await locks.request(lockName, run) as Result;
  }
  const own = Math.random().toString(36).slice(2);

  function isHeld(): boolean {
    const [owner, until] = (storage.get(lockName) ?? "").split(" ");
    const leftMs = Number(until) - now();
    // A mark from the future was left before the clock was set back.
    return owner !== own && leftMs > 0 && leftMs <= maxHeldMs;
  }

  return async (run) => {
    while (isHeld()) await pause(50 + Math.random() * 50);
    storage.set(lockName, `${own} ${now() + maxHeldMs}`);
    try {
      return await run();
    } finally {
      if (storage.get(lockName)?.startsWith(`${own} `)) storage.set(lockName, undefined);
    }
  };
}

const lockName = "bkg.refresh";

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
