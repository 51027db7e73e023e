// How much a role, a user or a key may use. What counts it: rate_limits.ts (calls) and quotas.ts (tokens).

import { z } from "zod";

const perMinute = z.int().min(1).max(1_000_000);
const tokens = z.int().min(0).max(1e12);
const named = z.record(z.string().max(200), z.strictObject({ requestsPerMinute: perMinute }))
  .refine((record) => Object.keys(record).length <= 100, "may name 100 at most");

export const limitsSchema = z.strictObject({
  /** Of all calls together. */
  requestsPerMinute: perMinute.optional(),
  /** By id; beside the one for all. */
  plugins: named.optional(),
  capabilities: named.optional(),
  /** Of prompts and answers; days and months are UTC's. */
  tokensPerDay: tokens.optional(),
  tokensPerMonth: tokens.optional(),
}).meta({ id: "UsageLimits" });

export type UsageLimits = z.infer<typeof limitsSchema>;

/** One account that calls are counted on: a user's, over all of their keys, or one key's. */
export interface Allowance {
  /** Such as "user:operator" or "key:ab12". */
  readonly subject: string;
  readonly limits: UsageLimits;
}

/** What is left of one limit. */
export interface LimitState {
  /** Whose it is, as in `Allowance`. */
  subject: string;
  /** "requests", "requests:<plugin or capability>", "tokens-day" or "tokens-month". */
  policy: string;
  limit: number;
  remaining: number;
  /** Until it is whole again, ms. */
  resetMs: number;
  /** Of the policy, ms. */
  windowMs: number;
}

/** What a call took of its limits. */
export interface Taken {
  /** As they are now. */
  states: LimitState[];
  /** Set when it had no room for the call: then nothing was taken. */
  refused: Refusal | undefined;
  /** Gives back what was taken; a second time does nothing. */
  release(): void;
}

export interface Refusal extends LimitState {
  /** When there may be room, ms from now. */
  retryAfterMs: number;
}

/** The one that is nearest to its end; undefined when nothing is limited. */
export function nearestToEnd(states: readonly LimitState[]): LimitState | undefined {
  const share = ({ remaining, limit }: LimitState) => remaining / Math.max(limit, 1);
  return states.reduce<LimitState | undefined>(
    (nearest, state) => nearest === undefined || share(state) < share(nearest) ? state : nearest,
    undefined,
  );
}
