// The pattern that serves a path, as the label of metrics: never a client's text, so cardinality is bounded.

import type { Hono } from "hono";
import type { HttpEnv } from "./services.ts";

/** The name of what no route serves. */
export const unmatched = "unmatched";

export type RouteNames = (method: string, path: string) => string;

export function createRouteNames(hono: Hono<HttpEnv>): RouteNames {
  const seen = new Map<string, string>();
  return (method, path) => {
    const known = seen.get(path);
    if (known !== undefined) return known;
    const matched = hono.router.match(method === "HEAD" ? "GET" : method, path)[0];
    const route = matched.at(-1)?.[0]?.[1].path;
    if (route === undefined) return unmatched;
    if (seen.size >= maxSeen) seen.clear();
    seen.set(path, route);
    return route;
  };
}

const maxSeen = 1024;
