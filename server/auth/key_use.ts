// When each key was used last, written together at most once a minute. Caller: identities.ts.

import { systemTimers, type Timers } from "../../plugins/runtime/host/timers.ts";
import { type Db, json } from "../db/db.ts";
import type { Identity } from "./authenticator.ts";

export interface KeyUse extends AsyncDisposable {
  note(identity: Identity): void;
}

export function createKeyUse(
  { db, now, timers = systemTimers }: { db: Db; now: () => number; timers?: Timers },
): KeyUse {
  const used = new Map<string, number>();
  let writtenAtMs = -Infinity;
  let cancel: (() => void) | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    cancel = undefined;
    writtenAtMs = now();
    const rows = [...used].map(([id, at]) => ({ id, at }));
    used.clear();
    if (rows.length === 0) return;
    try {
      await db.sql`
        update keys k set last_used_at_ms = u.at
        from jsonb_to_recordset(${json(rows)}) as u(id text, at bigint)
        where k.id = u.id and coalesce(k.last_used_at_ms, 0) < u.at`;
    } catch {
      // The next use tells it: nothing waits for this, and the database says itself that it is away.
    }
  }

  return {
    note({ credential }) {
      if (credential.kind !== "key") return;
      used.set(credential.id, now());
      if (cancel !== undefined) return;
      const waitMs = Math.max(firstWaitMs, writtenAtMs + intervalMs - now());
      cancel = timers.after(waitMs, () => void (writing = write()));
    },
    async [Symbol.asyncDispose]() {
      cancel?.();
      await writing;
      await write();
    },
  };
}

const intervalMs = 60_000;
/** Those of the same moment go together. */
const firstWaitMs = 100;
