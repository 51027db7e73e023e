// The bus as clients reach it: may this identity call, and how much more. Callers: HTTP, WebSocket and MCP, which have
// no other way to a plugin. In order: scope, rate limits, token quota, call, settlement, usage.

import type { Bus, InvokeOptions } from "../../plugins/runtime/host/host.ts";
import type { Identity } from "./authenticator.ts";

/** What is left after this call, of the limit that is nearest to its end; for the RateLimit header fields. */
export interface LimitState {
  /** Such as "requests" or "tokens-day". */
  policy: string;
  limit: number;
  remaining: number;
  /** Until it is whole again, ms. */
  resetMs: number;
  /** Of the policy, ms. */
  windowMs: number;
}

export interface GuardedOptions extends InvokeOptions {
  principal: Identity;
  /** Called once, before the call begins, when anything is limited. */
  onLimit?: (state: LimitState) => void;
}

/** Throws FORBIDDEN without the scope, RATE_LIMITED with `retryAfterMs` and the LimitState in its details. */
export interface GuardedBus extends Pick<Bus, "find"> {
  call(capability: string, input: unknown, options: GuardedOptions): Promise<unknown>;
  stream(
    capability: string,
    input: unknown,
    options: GuardedOptions,
  ): AsyncGenerator<unknown, unknown>;
}
