// /healthz: the process answers. /readyz: it takes work, and its database too. Both without a key; neither tells more.

import type { Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";

export function healthRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  const { database, now = () => performance.now() } = deps;
  let asked: { atMs: number; health: Promise<{ ok: boolean }> } | undefined;
  /** However many probes there are, the database is asked once a second. */
  const askDatabase = () => {
    if (database === undefined) return { ok: true };
    if (asked === undefined || now() - asked.atMs >= 1000) {
      asked = { atMs: now(), health: database.health() };
    }
    return asked.health;
  };
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
      summary: "Whether the server takes work; 503 while it drains or its database does not answer",
      tag: "system",
      open: true,
      output: z.object({ status: z.literal("ready") }),
    }),
    async (context) => {
      if (deps.draining()) throw new AppError("UNAVAILABLE", "The server is shutting down");
      if (!(await askDatabase()).ok) {
        throw new AppError("UNAVAILABLE", "The database does not answer");
      }
      return json(context.env, { status: "ready" });
    },
  );
}
