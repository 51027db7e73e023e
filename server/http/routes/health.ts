// /healthz: the process answers. /readyz: it takes work. Both without a key, and neither tells more.

import type { Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";

export function healthRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  hono.get(
    "/healthz",
    operation({
      id: "getHealth",
      summary: "Whether the process answers",
      tag: "system",
      open: true,
      output: z.object({ status: z.literal("ok") }),
    }),
    (context) => json(context.env, { status: "ok" }),
  );
  hono.get(
    "/readyz",
    operation({
      id: "getReadiness",
      summary: "Whether the server takes work; 503 while it drains",
      tag: "system",
      open: true,
      output: z.object({ status: z.literal("ready") }),
    }),
    (context) => {
      if (deps.draining()) throw new AppError("UNAVAILABLE", "The server is shutting down");
      return json(context.env, { status: "ready" });
    },
  );
}
