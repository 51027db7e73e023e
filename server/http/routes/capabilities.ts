// POST /api/capabilities/:name, the hot path: a call answered as JSON, or as events when the client asks.

import type { Context, Hono } from "hono";
import { toAppError } from "../../../plugins/runtime/contract/error.ts";
import type { GuardedOptions } from "../../auth/guarded_bus.ts";
import { json, problem } from "../reply.ts";
import { withRule } from "../route_rules.ts";
import type { HttpEnv, RequestScope, RouteDeps } from "../services.ts";
import { event, eventStream } from "../sse.ts";

export interface CapabilityCall {
  capability: string;
  input: unknown;
}

/** No `describeRoute` here: each capability has an operation of its own, with its own schemas. */
export function capabilityRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  const call = async (context: Context<HttpEnv>) => {
    const request = context.req.raw;
    const capability = context.req.param("name") ?? "";
    const input = await deps.body.json(request);
    return answerCall(request, context.env, { capability, input, deps });
  };
  hono.post("/api/capabilities/:name", withRule("invoke", call));
}

/** Who calls, and where the answer learns of his limits. */
export function callOptions(scope: RequestScope, signal: AbortSignal): GuardedOptions {
  return { principal: scope.principal!, signal, onLimit: (state) => scope.limit = state };
}

export async function answerCall(
  request: Request,
  scope: RequestScope,
  { capability, input, deps }: CapabilityCall & { deps: RouteDeps },
): Promise<Response> {
  const { bus } = deps;
  if (request.headers.get("accept")?.includes("text/event-stream") !== true) {
    return json(scope, await bus.call(capability, input, callOptions(scope, request.signal)));
  }
  return eventStream(request, scope, {
    open: (signal) => bus.stream(capability, input, callOptions(scope, signal)),
    item: (value) => event(value),
    end: (result) => event(result, "result"),
    fail: (error) => event(problem(scope, toAppError(error)), "error"),
    auth: deps.auth,
    streams: deps.streams,
    pingIntervalMs: deps.config.pingIntervalMs,
    graceMs: deps.config.streamGraceMs,
  });
}
