// Limits and quotas in a few words.

import type { QuotaView } from "../api/account.ts";
import type { UsageLimits } from "../api/users.ts";
import { formatCount, formatPlural } from "./format.ts";

/** "60 calls a minute, 100,000 tokens a day"; `none` when nothing is limited. */
export function describeLimits(limits: UsageLimits | null, none = "no limits"): string {
  const { requestsPerMinute, tokensPerDay, tokensPerMonth, plugins, capabilities } = limits ?? {};
  const single = Object.keys(plugins ?? {}).length + Object.keys(capabilities ?? {}).length;
  const parts = [
    ...(requestsPerMinute === undefined
      ? []
      : [`${formatCount(requestsPerMinute)} calls a minute`]),
    ...(tokensPerDay === undefined ? [] : [`${formatCount(tokensPerDay)} tokens a day`]),
    ...(tokensPerMonth === undefined ? [] : [`${formatCount(tokensPerMonth)} tokens a month`]),
    ...(single === 0 ? [] : [`${formatPlural(single, "single limit")}`]),
  ];
  return parts.length === 0 ? none : parts.join(", ");
}

/** "Tokens today", "Calls this minute"; a policy without words of its own says itself. */
export function describeQuota({ policy }: Pick<QuotaView, "policy">): string {
  const [head = "", ...rest] = policy.split(":");
  const of = rest.length === 0 ? "" : ` of ${rest.join(":")}`;
  switch (head) {
    case "tokens-day":
      return "Tokens today";
    case "tokens-month":
      return "Tokens this month";
    case "requests":
      return `Calls this minute${of}`;
    default:
      return policy;
  }
}
