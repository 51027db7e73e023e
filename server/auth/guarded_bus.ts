// The bus as clients reach it: may this identity call, and how much more. Callers: HTTP, WebSocket and MCP, which have
// no other way to a plugin. In order: scope, rate limits, token quota, call, usage, settlement.

import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import type { Bus, InvokeOptions } from "../../plugins/runtime/host/host.ts";
import type { Identity } from "./authenticator.ts";
import { type LimitState, nearestToEnd, type Refusal, type Taken } from "./limits.ts";
import type { Quotas } from "./quotas.ts";
import type { RateLimits } from "./rate_limits.ts";
import { forbidden } from "./scopes.ts";
import {
  boundTokens,
  cutTokens,
  isPiece,
  noTokens,
  type UsedTokens,
  usedTokens,
} from "./token_bounds.ts";

export interface GuardedOptions extends InvokeOptions {
  principal: Identity;
  /** Called once, before the call begins or is refused, when anything is limited: the limit nearest to its end. */
  onLimit?: (state: LimitState) => void;
}

/** Throws FORBIDDEN without the scope, RATE_LIMITED with `retryAfterMs` and the LimitState in its details. */
export interface GuardedBus {
  call(capability: string, input: unknown, options: GuardedOptions): Promise<unknown>;
  stream(
    capability: string,
    input: unknown,
    options: GuardedOptions,
  ): AsyncGenerator<unknown, unknown>;
  /** As `Bus.find`, for who may call it: without the scope it tells nothing of what there is. */
  find(capability: string, principal: Identity): Target;
  /** What is left of each limit of the identity. */
  limits(principal: Identity): Promise<LimitState[]>;
}

export type Target = ReturnType<Bus["find"]>;

/** Where calls are counted: the usage store. Never throws, and never waits. */
export interface UsageMeter {
  add(call: UsedCall): void;
}

export interface UsedCall extends UsedTokens {
  principal: Identity;
  capability: string;
  pluginId: string;
  failed: boolean;
  busyMs: number;
}

export interface GuardedBusDeps {
  bus: Bus;
  rates: RateLimits;
  quotas: Quotas;
  meter: UsageMeter;
  /** Monotonic, ms. */
  now?: () => number;
}

export function createGuardedBus(deps: GuardedBusDeps): GuardedBus {
  const { bus, rates, quotas, meter, now = () => performance.now() } = deps;

  function find(capability: string, { scopes }: Identity): Target {
    const scope = `invoke:${capability}` as const;
    if (!scopes.allows(scope)) throw forbidden(scope);
    return bus.find(capability);
  }

  /** Takes of every limit, or throws and has taken of none; undefined: nothing is limited. */
  async function admit(
    { capability, pluginId }: Target,
    input: unknown,
    { principal: { allowances }, onLimit }: GuardedOptions,
  ): Promise<Taken | undefined> {
    const calls = await rates.take(allowances, { capability: capability.id, pluginId });
    if (calls.refused !== undefined) throw refuse(calls.refused, onLimit);
    const most = boundTokens(capability, input);
    let tokens: Taken | undefined;
    try {
      tokens = most === 0 ? undefined : await quotas.take(allowances, most);
    } catch (error) {
      calls.release();
      throw error;
    }
    if (tokens?.refused !== undefined) {
      calls.release();
      throw refuse(tokens.refused, onLimit, most);
    }
    const nearest = nearestToEnd([...calls.states, ...tokens?.states ?? []]);
    if (nearest !== undefined) onLimit?.(nearest);
    return tokens;
  }

  return {
    find,
    async call(id, input, options) {
      const { principal } = options;
      const target = find(id, principal);
      const tokens = principal.allowances.length === 0
        ? undefined
        : await admit(target, input, options);
      const startedAtMs = now();
      const end = (failed: boolean, used: UsedTokens) =>
        count(target, { principal, failed, used, busyMs: now() - startedAtMs });
      try {
        const value = await bus.call(id, input, options);
        end(false, usedTokens(value));
        return value;
      } catch (error) {
        end(isFailure(error), noTokens);
        throw error;
      } finally {
        // What was used is counted by now.
        tokens?.release();
      }
    },
    async *stream(id, input, options) {
      const { principal } = options;
      const target = find(id, principal);
      const { capability } = target;
      const tokens = principal.allowances.length === 0
        ? undefined
        : await admit(target, input, options);
      const startedAtMs = now();
      let items = 0;
      let failed = false;
      let used: UsedTokens | undefined;
      const source = bus.stream(id, input, options);
      try {
        while (true) {
          const { done, value } = await source.next();
          // One that does not stream yields its result as its only item.
          if (done === capability.streaming) used = usedTokens(value);
          if (done) return value;
          if (isPiece(value)) items++;
          yield value;
        }
      } catch (error) {
        failed = isFailure(error);
        throw error;
      } finally {
        used ??= cutTokens(capability, input, items);
        count(target, { principal, failed, used, busyMs: now() - startedAtMs });
        tokens?.release();
        await source.return(undefined);
      }
    },
    async limits({ allowances }) {
      const states = await Promise.all([rates.states(allowances), quotas.states(allowances)]);
      return states.flat();
    },
  };

  function count(
    { capability, pluginId }: Target,
    call: { principal: Identity; failed: boolean; used: UsedTokens; busyMs: number },
  ): void {
    const { principal, failed, used: { promptTokens, completionTokens }, busyMs } = call;
    meter.add({
      principal,
      capability: capability.id,
      pluginId,
      failed,
      promptTokens,
      completionTokens,
      busyMs,
    });
  }
}

/** A client that leaves is no error of what it called. */
function isFailure(error: unknown): boolean {
  return toAppError(error).code !== "CANCELLED";
}

function refuse(
  refusal: Refusal,
  onLimit: GuardedOptions["onLimit"],
  tokens?: number,
): AppError {
  onLimit?.(refusal);
  const { policy, limit, remaining } = refusal;
  const [message, never] = tokens === undefined
    ? [`"${policy}" allows ${limit} calls a minute`, false]
    : [
      `This call may use ${tokens} tokens, and "${policy}" has ${remaining} left of ${limit}; ` +
      `a smaller "maxTokens" needs less`,
      tokens > limit,
    ];
  return new AppError("RATE_LIMITED", message, {
    details: { ...refusal, ...(tokens === undefined ? {} : { tokens }) },
    // One that asks for more than the whole quota is never let in.
    retryable: !never,
  });
}
