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
