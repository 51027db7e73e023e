// How often an identity may call: a count for each of its allowances' policies, in windows of a minute that begin with
// the first call. Caller: guarded_bus. Counts are in memory, and go with their window.

import { RateLimiterMemory, type RateLimiterRes } from "rate-limiter-flexible";
import type { Allowance, LimitState, Taken } from "./limits.ts";

export interface RateLimits extends Disposable {
  /** Counts the call on each policy that it falls under; when one of them has no room for it, on none. */
  take(allowances: readonly Allowance[], call: CalledPart): Promise<Taken>;
  /** Of each policy that the allowances name. */
  states(allowances: readonly Allowance[]): Promise<LimitState[]>;
}

export interface CalledPart {
  capability: string;
  pluginId: string;
}

export function createRateLimits(): RateLimits {
  // Compared here and not by the library: a limit that is changed holds at once, and its count stays.
  const counter = new RateLimiterMemory({
    points: Number.MAX_SAFE_INTEGER,
    duration: windowMs / 1000,
  });

  /** One call after the other: the library answers by promises, and none may see what another has half taken. */
  let taking: Promise<unknown> = Promise.resolve();

  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = taking.then(work);
    taking = result.catch(() => {});
    return result;
  }

  const statesOf = (policies: readonly Policy[]) =>
    Promise.all(policies.map(async (policy) => stateOf(policy, await counter.get(policy.key))));

  async function giveBack(policies: readonly Policy[]): Promise<void> {
    for (const { key } of policies) {
      const count = await counter.get(key);
      // Of a window that is over, nothing is left to give back to.
      if (count !== null && count.msBeforeNext > 0) await counter.reward(key);
    }
  }

  return {
    take: (allowances, call) =>
      inTurn(async () => {
        const policies = policiesOf(allowances, call);
        const before = await statesOf(policies);
        const full = before.find(({ remaining }) => remaining < 1);
        if (full !== undefined) {
          return { states: before, refused: { ...full, retryAfterMs: full.resetMs }, release() {} };
        }
        const counts = await Promise.all(policies.map(({ key }) => counter.penalty(key)));
        let held = true;
        const release = () => {
          if (held) void inTurn(() => giveBack(policies));
          held = false;
        };
        const states = policies.map((policy, at) => stateOf(policy, counts[at] ?? null));
        return { states, refused: undefined, release };
      }),
    states: (allowances) => inTurn(() => statesOf(policiesOf(allowances))),
    [Symbol.dispose]() {
      // Each count waits for its window's end by a timer.
      for (const { key } of counter.dump().storage) void counter.delete(key);
    },
  };
}

interface Policy {
  key: string;
  subject: string;
  policy: string;
  limit: number;
}

const windowMs = 60_000;

/** With a call those that it falls under, else all. */
function policiesOf(allowances: readonly Allowance[], call?: CalledPart): Policy[] {
  const policies: Policy[] = [];
  for (const { subject, limits } of allowances) {
    const { requestsPerMinute, plugins = {}, capabilities = {} } = limits;
    const add = (policy: string, limit: number) =>
      policies.push({ key: `${subject} ${policy}`, subject, policy, limit });
    if (requestsPerMinute !== undefined) add("requests", requestsPerMinute);
    for (const [id, limit] of named(plugins, call?.pluginId)) add(`requests-plugin:${id}`, limit);
    for (const [id, limit] of named(capabilities, call?.capability)) add(`requests:${id}`, limit);
  }
  return policies;
}

type Named = Record<string, { requestsPerMinute: number }>;

function named(limits: Named, wanted: string | undefined): [string, number][] {
  return Object.entries(limits)
    .filter(([id]) => wanted === undefined || id === wanted)
    .map(([id, { requestsPerMinute }]) => [id, requestsPerMinute]);
}

function stateOf(
  { subject, policy, limit }: Policy,
  count: RateLimiterRes | null,
): LimitState {
  // One whose window is over may not have been let go of yet.
  const live = count !== null && count.msBeforeNext > 0
    ? count
    : { consumedPoints: 0, msBeforeNext: 0 };
  const remaining = Math.max(0, limit - live.consumedPoints);
  return { subject, policy, limit, remaining, resetMs: live.msBeforeNext, windowMs };
}
