// The route that serves a method and a path: its pattern, as the label of metrics, and its rule, for the gate.
// Neither is ever a client's text. A pattern without a rule is a mistake of this program, found when it starts.

import type { Hono } from "hono";
import { type RouteRule, ruleOf } from "./route_rules.ts";
import type { HttpEnv } from "./services.ts";

export interface Route {
  /** Such as "/api/plugins/:id". */
  readonly pattern: string;
  readonly rule: RouteRule;
}

export interface RouteTable {
  /** Each that is served, with its method. */
  readonly all: readonly (Route & { method: string })[];
  /** Undefined for what no route serves. HEAD is GET, as in Hono. */
  find(method: string, path: string): Route | undefined;
}

/** Throws for a route without a rule. */
export function createRouteTable(hono: Hono<HttpEnv>): RouteTable {
  const byName = new Map<string, Route & { method: string }>();
  for (const { method, path: pattern, handler } of hono.routes) {
    const rule = ruleOf(handler);
    if (rule !== undefined) byName.set(`${method} ${pattern}`, { method, pattern, rule });
  }
  /** By what the router answers: one for each handler. */
  const routes = new Map<unknown, Route>();
  for (const registered of hono.routes) {
    const name = `${registered.method} ${registered.path}`;
    const route = byName.get(name);
    if (route === undefined) throw new Error(`${name} has no rule`);
    routes.set(registered, route);
  }
  return {
    all: [...byName.values()],
    find(method, path) {
      // The first that matches is the one that answers.
      const [found] = hono.router.match(method === "HEAD" ? "GET" : method, path)[0];
      return found && routes.get(found[0][1]);
    },
  };
}
