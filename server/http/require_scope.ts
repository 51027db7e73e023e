// The gate's question: may this credential use this route? Caller: app.ts.

import { forbidden, type Scopes } from "../auth/scopes.ts";
import type { RouteRule } from "./route_rules.ts";

/** Throws FORBIDDEN naming the scope. What "invoke" asks for is left to the bus, but for who may call nothing. */
export function requireScope(scopes: Scopes, rule: RouteRule): void {
  switch (rule) {
    case "any":
    case "open":
    case "optional":
    case "page":
      return;
    case "invoke":
      if (!scopes.invokesAny) throw forbidden("invoke:*");
      return;
    default:
      if (!scopes.allows(rule)) throw forbidden(rule);
  }
}
