// What stands between a proved identity and plugins, for tests over a host of their own: nothing is stored.

import type { Bus } from "../../plugins/runtime/host/host.ts";
import type { Credential, Identity } from "../auth/authenticator.ts";
import { createGuardedBus, type UsageMeter } from "../auth/guarded_bus.ts";
import type { UsageLimits } from "../auth/limits.ts";
import { createQuotas } from "../auth/quotas.ts";
import { createRateLimits } from "../auth/rate_limits.ts";
import { createScopes } from "../auth/scopes.ts";
import type { Services } from "../http/services.ts";
import type { Deed } from "../services/audit_log.ts";

/** `deeds`: where what is recorded goes. */
export function createTestGuard(
  host: { readonly bus: Bus },
  { deeds = [], meter = { add() {} } }: { deeds?: Deed[]; meter?: UsageMeter } = {},
): Pick<Services, "bus" | "audit" | "usage"> {
  return {
    bus: createGuardedBus({
      bus: host.bus,
      rates: createRateLimits(),
      quotas: createQuotas({ tallies: { tally: () => ({ day: 0, month: 0 }) } }),
      meter,
    }),
    audit: { record: (deed) => deeds.push(deed), list: () => Promise.resolve({ entries: [] }) },
    usage: { days: () => Promise.resolve({ days: [] }) },
  };
}

/** A user "ada", or, with `key`, a key of hers. */
export function testIdentity(
  options: {
    scopes?: readonly string[];
    limits?: UsageLimits;
    key?: { id: string; limits?: UsageLimits };
    id?: string;
  } = {},
): Identity {
  const { id = "ada", scopes = ["invoke:*"], limits, key } = options;
  const credential: Credential = key === undefined
    ? { kind: "session", id: "s1" }
    : { kind: "key", id: key.id };
  return {
    id,
    name: id,
    role: "user",
    scopes: createScopes(scopes),
    credential,
    allowances: [
      ...limits === undefined ? [] : [{ subject: `user:${id}`, limits }],
      ...key?.limits === undefined ? [] : [{ subject: `key:${key.id}`, limits: key.limits }],
    ],
  };
}

/** `Date.now()` as the test says, until it is disposed of. */
export class TestDate implements Disposable {
  nowMs: number;
  readonly #real = Date.now;

  constructor(start: string) {
    this.nowMs = Date.parse(start);
    Date.now = () => this.nowMs;
  }

  [Symbol.dispose](): void {
    Date.now = this.#real;
  }
}
