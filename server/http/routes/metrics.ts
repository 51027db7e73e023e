// /metrics: Prometheus text, behind the key, because plugin names and load are the operator's.

import type { Hono } from "hono";
import { operation } from "../operation.ts";
import { plainHeaders } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";

export function metricsRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  hono.get(
    "/metrics",
    operation({
      id: "getMetrics",
      summary: "Metrics as Prometheus text",
      tag: "system",
      scope: "metrics:read",
      outputType: "text/plain",
    }),
    async (context) =>
      new Response(await deps.metrics.render(deps.host), {
        headers: plainHeaders(context.env, deps.metrics.contentType),
      }),
  );
}
