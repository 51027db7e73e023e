// What each route asks of who calls it, told where the route is described. Callers: operation, routes without one.
// The gate reads it from the routes as they were registered; a route that tells nothing is not served.

import type { Scope } from "../auth/scopes.ts";

export type RouteRule =
  | Scope
  /** A credential, whatever its scopes are. */
  | "any"
  /** A scope for the capability that the request names: the bus asks for it. */
  | "invoke"
  /** No credential. */
  | "open"
  /** None either; with one, the answer tells more. */
  | "optional"
  /** The page's files: open, the same for everyone and every origin. */
  | "page";

/** Notes the rule of a route beside one of its handlers, which is answered as it is. */
export function withRule<Handler extends object>(rule: RouteRule, handler: Handler): Handler {
  rules.set(handler, rule);
  return handler;
}

export function ruleOf(handler: object): RouteRule | undefined {
  return rules.get(handler);
}

const rules = new WeakMap<object, RouteRule>();
