// The one way to a capability: find, validate, lease a slot, call, validate what comes back.
// It is the hot path: no timer, no compile, and on a running plugin one await for each call.

import { AppError, type ErrorCode, toAppError } from "../contract/error.ts";
import { assertMatches, Budget, type CheckValue } from "../contract/schema.ts";
import type { AuditTrail } from "./audit_trail.ts";
import type { AuditEntry, Bus, InvokeOptions } from "./host.ts";
import type { PluginLog } from "./plugin_log.ts";
import { disarmError, hostCodes } from "./plugin_error.ts";
import type { CapabilityRoute, Registry } from "./registry.ts";
import type { RunningCell } from "./running_cell.ts";
import type { ServedCall } from "./served_calls.ts";
import type { Supervisor } from "./supervisor.ts";

/** What the bus needs of the plugin that owns a capability. */
export interface BusTarget {
  readonly supervisor: Supervisor;
  readonly audit: AuditTrail;
  readonly log: PluginLog;
  readonly enabled: boolean;
  requests: number;
  errors: number;
}

export interface BusDeps {
  registry: Registry;
  target(pluginId: string): BusTarget;
  /** Monotonic, ms. */
  now: () => number;
}

export function createBus({ registry, target, now }: BusDeps): Bus {
  return {
    find(id) {
      const { capability, pluginId } = registry.route(id);
      return { capability, pluginId };
    },
    call,
    stream,
  };

  async function call(id: string, input: unknown, options: InvokeOptions): Promise<unknown> {
    let route = registry.route(id);
    const owner = target(route.pluginId);
    let cell: RunningCell | undefined;
    let served: ServedCall | undefined;
    try {
      const startMs = begin(owner, route, input, options);
      cell = owner.supervisor.tryLease();
      if (cell === undefined) {
        const leased = await owner.supervisor.lease(options);
        route = renew(route, { leased, owner, input });
        cell = leased;
      }
      served = cell.calls?.begin(options);
      const message = messageOf(input, options, served);
      const sending = callOptions(cell, options, { startMs, served });
      const value = await cell.channel.call(id, message, sending);
      checkValue(route, value);
      owner.audit.add(options.principal.id, "invoke", id, "ok");
      return value;
    } catch (error) {
      throw await fail(error, owner, route, { cell, served, options });
    }
  }

  async function* stream(
    id: string,
    input: unknown,
    options: InvokeOptions,
  ): AsyncGenerator<unknown, unknown> {
    let route = registry.route(id);
    if (!route.capability.streaming) {
      yield await call(id, input, options);
      return undefined;
    }
    const owner = target(route.pluginId);
    let cell: RunningCell | undefined;
    let served: ServedCall | undefined;
    let items: AsyncGenerator<unknown, unknown> | undefined;
    let finished = false;
    try {
      const startMs = begin(owner, route, input, options);
      cell = owner.supervisor.tryLease();
      if (cell === undefined) {
        const leased = await owner.supervisor.lease(options);
        route = renew(route, { leased, owner, input });
        cell = leased;
      }
      served = cell.calls?.begin(options);
      const message = messageOf(input, options, served);
      items = cell.channel.stream(id, message, callOptions(cell, options, { startMs, served }));
      while (true) {
        // Nothing may stand between the lease and the first `next`: it is what starts the call.
        const { done, value } = await items.next();
        if (done) {
          const result = checkResult(route, value);
          finished = true;
          owner.audit.add(options.principal.id, "invoke", id, "ok");
          return result;
        }
        checkOutput(route.checkOutput, value, `An item of "${id}"`);
        yield value;
      }
    } catch (error) {
      finished = true;
      throw await fail(error, owner, route, { cell, served, options });
    } finally {
      if (!finished) owner.audit.add(options.principal.id, "invoke", id, "cancelled");
      await items?.return(undefined);
    }
  }

  /** What is checked before a slot is asked for; answers when the call began. */
  function begin(
    owner: BusTarget,
    route: CapabilityRoute,
    input: unknown,
    options: InvokeOptions,
  ): number {
    owner.requests++;
    if (!owner.enabled) {
      throw new AppError(
        "PLUGIN_DISABLED",
        `Plugin "${route.pluginId}" is disabled: run "bkg plugin start ${route.pluginId}"`,
        { details: { pluginId: route.pluginId } },
      );
    }
    assertMatches(
      route.checkInput,
      input,
      "INVALID_INPUT",
      `The input of "${route.capability.id}"`,
    );
    return options.deadlineMs === undefined ? 0 : now();
  }

  /** While a call waited, its plugin may have become another version: then that one's schemas hold. */
  function renew(
    route: CapabilityRoute,
    { leased, owner, input }: { leased: RunningCell; owner: BusTarget; input: unknown },
  ): CapabilityRoute {
    if (owner.supervisor.running !== leased) return route;
    const { pluginId, capability: { id, streaming } } = route;
    try {
      const renewed = registry.route(id);
      if (renewed === route) return route;
      if (renewed.pluginId !== pluginId || renewed.capability.streaming !== streaming) {
        throw new AppError("CONFLICT", `"${id}" became another while the call waited: call again`, {
          retryable: true,
        });
      }
      assertMatches(renewed.checkInput, input, "INVALID_INPUT", `The input of "${id}"`);
      return renewed;
    } catch (error) {
      leased.release();
      throw error;
    }
  }

  function callOptions(
    cell: RunningCell,
    { signal, deadlineMs }: InvokeOptions,
    { startMs, served }: { startMs: number; served: ServedCall | undefined },
  ) {
    return {
      silenceMs: cell.limits.timeoutMs,
      onSettled: served === undefined ? cell.release : () => {
        served.end();
        cell.release();
      },
      ...(signal === undefined ? undefined : { signal }),
      ...(deadlineMs === undefined
        ? undefined
        : { deadlineMs: Math.max(0, deadlineMs - (now() - startMs)) }),
    };
  }

  async function fail(
    thrown: unknown,
    owner: BusTarget,
    { capability: { id } }: CapabilityRoute,
    { cell, served, options: { principal, signal } }: {
      cell: RunningCell | undefined;
      served: ServedCall | undefined;
      options: InvokeOptions;
    },
  ): Promise<AppError> {
    const explained = cell === undefined ? toAppError(thrown) : await cell.explain(thrown);
    const own = cell === undefined || madeHere.has(explained) || isRefusal(explained, served);
    const error = own ? explained : asPluginError(explained, cell, signal);
    owner.audit.add(principal.id, "invoke", id, outcomeOf(error.code));
    if (error.code !== "CANCELLED" && error.code !== "INVALID_INPUT") owner.errors++;
    if (error.code === "INVALID_OUTPUT") owner.log.write("host", "warn", error.message);
    return error;
  }
}

/** What the guest is told of a call; its number only where it may act for the caller. */
function messageOf(input: unknown, { principal }: InvokeOptions, served: ServedCall | undefined) {
  return served === undefined
    ? { input, principal: principal.id }
    : { input, principal: principal.id, call: served.id };
}

/** Whether the plugin only passes on what the host told it within this call. */
function isRefusal({ code, message }: AppError, served: ServedCall | undefined): boolean {
  return served?.refusal?.code === code && served.refusal.message === message;
}

/** A unary value: what a streaming capability returned, or the list of its items. */
function checkValue(route: CapabilityRoute, value: unknown): void {
  const { capability: { id, streaming }, checkOutput: check, checkResult: checkEnd } = route;
  if (!streaming) return checkOutput(check, value, `The output of "${id}"`);
  if (checkEnd !== undefined) return checkOutput(checkEnd, value, `The result of "${id}"`);
  if (!Array.isArray(value)) {
    throw invalid(`"${id}" returned a value, but its manifest has no "resultSchema"`);
  }
  // One budget for the list: no event runs between its items.
  const budget = new Budget();
  for (const item of value) checkOutput(check, item, `An item of "${id}"`, budget);
}

/** The end of a stream; without a resultSchema a stream has no result. */
function checkResult({ capability: { id }, checkResult: check }: CapabilityRoute, value: unknown) {
  if (check === undefined) return undefined;
  checkOutput(check, value, `The result of "${id}"`);
  return value;
}

function checkOutput(check: CheckValue, value: unknown, what: string, budget?: Budget): void {
  try {
    assertMatches(check, value, "INVALID_OUTPUT", what, budget);
  } catch (error) {
    throw remember(toAppError(error));
  }
}

function invalid(message: string): AppError {
  return remember(new AppError("INVALID_OUTPUT", message));
}

// Errors of this side carry codes that a plugin may not use; a plugin's own are told apart by absence.
const madeHere = new WeakSet<AppError>();

function remember(error: AppError): AppError {
  madeHere.add(error);
  return error;
}

function asPluginError(
  error: AppError,
  cell: RunningCell,
  signal: AbortSignal | undefined,
): AppError {
  const lost = error.code === "CELL_LOST" || error.code === "PROTOCOL_VIOLATION";
  const forged = hostCodes.has(error.code) || (lost && !cell.draining) ||
    (error.code === "CANCELLED" && !signal?.aborted);
  return disarmError(error, forged);
}

function outcomeOf(code: ErrorCode): AuditEntry["outcome"] {
  if (code === "CANCELLED") return "cancelled";
  return deniedCodes.has(code) ? "denied" : "failed";
}

const deniedCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "GRANT_DENIED",
  "PLUGIN_DISABLED",
  "CONSENT_REQUIRED",
]);
