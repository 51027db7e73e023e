// What tests of access share: time that is moved by hand, and an access whose passwords cost little.

import type { Timers } from "../../plugins/runtime/host/timers.ts";
import { buildBundles } from "../build/bundles.ts";
import type { Db } from "../db/db.ts";
import { type Access, type AccessOptions, openAccess } from "../auth/access.ts";
import type { Accounts } from "../auth/accounts.ts";
import { createAccounts } from "../auth/accounts_store.ts";
import type { ApiKeys } from "../auth/api_keys.ts";
import { createApiKeys } from "../auth/api_keys_store.ts";
import type { Visitor } from "../auth/sign_in.ts";
import type { SignInAudit } from "../auth/sign_in_flow.ts";

export const testOperatorToken = "bkg_operator_" + "A".repeat(43);
export const visitor: Visitor = { address: "192.0.2.1", client: "Firefox" };
export const goodPassword = "a horse with a battery";

export class TestClock implements Timers {
  nowMs = 1_800_000_000_000;
  readonly timers = new Map<() => void, number>();

  readonly now = () => this.nowMs;

  after(delayMs: number, run: () => void): () => void {
    this.timers.set(run, this.nowMs + delayMs);
    return () => void this.timers.delete(run);
  }

  every(): () => void {
    throw new Error("not used");
  }

  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    while (true) {
      const [next] = [...this.timers].sort(([, a], [, b]) => a - b);
      if (next === undefined || next[1] > endMs) break;
      this.timers.delete(next[0]);
      this.nowMs = Math.max(this.nowMs, next[1]);
      next[0]();
    }
    this.nowMs = endMs;
  }
}

export interface TestAccess extends Access {
  clock: TestClock;
  accounts: Accounts;
  keys: ApiKeys;
  deeds: Parameters<SignInAudit>[0][];
}

export async function openTestAccess(
  db: Db,
  options: Partial<AccessOptions> = {},
): Promise<TestAccess> {
  const { folder: bundles } = await buildBundles({ log: (line) => console.error(line) });
  const clock = new TestClock();
  const deeds: TestAccess["deeds"] = [];
  const now = options.now ?? clock.now;
  const access = await openAccess({
    db,
    bundles,
    operatorToken: testOperatorToken,
    audit: (deed) => deeds.push(deed),
    now,
    timers: clock,
    passwordCost: { memoryKib: 64, passes: 1 },
    ...options,
  });
  const { auth: identities, passwords } = access;
  return {
    ...access,
    clock,
    deeds,
    accounts: createAccounts({ db, identities, passwords, now }),
    keys: createApiKeys({ db, identities, now }),
  };
}
