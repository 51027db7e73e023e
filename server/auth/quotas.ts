// How many tokens an identity may use in a day and a month of UTC. A call takes the most that it can use, and gives it
// back when what it did use has been counted: calls that run at once never go past a limit together.
// Caller: guarded_bus.

import type { Allowance, LimitState, Taken, UsageLimits } from "./limits.ts";
import { dayAt, monthAt, type Period } from "./utc_calendar.ts";

/** Tokens that a subject has used in the day and the month that it is; kept up to date by the store. */
export interface TokenTally {
  readonly day: number;
  readonly month: number;
}

/** Where used tokens are counted: the usage store. */
export interface TokenTallies {
  /** At once when it was asked for lately. Throws UNAVAILABLE when the database is away. */
  tally(subject: string): TokenTally | Promise<TokenTally>;
}

export interface Quotas {
  /** Takes `tokens` of each allowance; when one of them has no room for them, of none. */
  take(allowances: readonly Allowance[], tokens: number): Promise<Taken>;
  states(allowances: readonly Allowance[]): Promise<LimitState[]>;
}

export interface QuotasDeps {
  tallies: TokenTallies;
  /** Ms since the epoch. */
  now?: () => number;
}

export function createQuotas({ tallies, now = Date.now }: QuotasDeps): Quotas {
  /** By subject; no entry for zero. */
  const taken = new Map<string, number>();

  function change(accounts: readonly Account[], by: number): void {
    for (const { subject } of accounts) {
      const tokens = (taken.get(subject) ?? 0) + by;
      if (tokens > 0) taken.set(subject, tokens);
      else taken.delete(subject);
    }
  }

  /** Those that are limited. */
  async function open(allowances: readonly Allowance[]): Promise<Account[]> {
    const limited = allowances.filter(({ limits }) =>
      periods.some(({ limitOf }) => limitOf(limits) !== undefined)
    );
    return await Promise.all(limited.map(async ({ subject, limits }) => {
      const tally = tallies.tally(subject);
      return { subject, limits, tally: tally instanceof Promise ? await tally : tally };
    }));
  }

  function statesOf(accounts: readonly Account[]): LimitState[] {
    const nowMs = now();
    return accounts.flatMap(({ subject, limits, tally }) =>
      periods.flatMap(({ policy, limitOf, usedOf, at }) => {
        const limit = limitOf(limits);
        if (limit === undefined) return [];
        const { startMs, endMs } = at(nowMs);
        const remaining = limit - usedOf(tally) - (taken.get(subject) ?? 0);
        return [{
          subject,
          policy,
          limit,
          remaining: Math.max(0, remaining),
          resetMs: endMs - nowMs,
          windowMs: endMs - startMs,
        }];
      })
    );
  }

  return {
    async take(allowances, tokens) {
      const accounts = await open(allowances);
      // From here on in one turn, so that no other call comes in between.
      const before = statesOf(accounts);
      const full = before.find(({ remaining }) => remaining < tokens);
      if (full !== undefined) {
        // What calls hold that run now, they may give back soon.
        const held = taken.get(full.subject) ?? 0;
        const retryAfterMs = full.remaining + held >= tokens ? soonMs : full.resetMs;
        return { states: before, refused: { ...full, retryAfterMs }, release() {} };
      }
      change(accounts, tokens);
      let held = true;
      const release = () => {
        if (held) change(accounts, -tokens);
        held = false;
      };
      return { states: statesOf(accounts), refused: undefined, release };
    },
    states: async (allowances) => statesOf(await open(allowances)),
  };
}

const soonMs = 1000;

interface Account extends Allowance {
  readonly tally: TokenTally;
}

interface QuotaPeriod {
  policy: string;
  limitOf(limits: UsageLimits): number | undefined;
  usedOf(tally: TokenTally): number;
  at(ms: number): Period;
}

const periods: readonly QuotaPeriod[] = [
  {
    policy: "tokens-day",
    limitOf: ({ tokensPerDay }) => tokensPerDay,
    usedOf: ({ day }) => day,
    at: dayAt,
  },
  {
    policy: "tokens-month",
    limitOf: ({ tokensPerMonth }) => tokensPerMonth,
    usedOf: ({ month }) => month,
    at: monthAt,
  },
];
