// /api/plugins: what the operator sees of plugins and does to them.

import type { Context, Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { permissionsSchema } from "../../../plugins/runtime/contract/grant.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { validate } from "../validate.ts";
import { answerCall } from "./capabilities.ts";

export function pluginRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  const { host, body } = deps;
  const id = (context: Context<HttpEnv>) => context.req.param("id") ?? "";

  hono.get(
    "/api/plugins",
    operation({
      id: "listPlugins",
      summary: "All plugins with their status",
      tag: "plugins",
      output: z.object({ plugins: z.array(pluginSchema) }),
    }),
    (context) => json(context.env, { plugins: host.list() }),
  );
  hono.get(
    "/api/plugins/:id",
    operation({ id: "getPlugin", summary: "One plugin", tag: "plugins", output: pluginSchema }),
    (context) => json(context.env, host.get(id(context))),
  );
  for (const action of ["start", "stop", "restart"] as const) {
    hono.post(
      `/api/plugins/:id/${action}`,
      operation({
        id: `${action}Plugin`,
        summary: actionSummaries[action],
        tag: "plugins",
        output: pluginSchema,
      }),
      async (context) => json(context.env, await host[action](id(context), context.env.principal!)),
    );
  }
  hono.get(
    "/api/plugins/:id/telemetry",
    operation({
      id: "getPluginTelemetry",
      summary: "Memory, CPU, threads and calls of a plugin's cell",
      tag: "plugins",
      output: telemetrySchema,
    }),
    async (context) => json(context.env, await host.telemetry(id(context))),
  );
  hono.get(
    "/api/plugins/:id/logs",
    operation({
      id: "listPluginLogs",
      summary: "The last lines that a plugin, or the host about it, wrote; oldest first",
      tag: "plugins",
      query: [{ name: "lines", description: "how many lines", schema: countSchema }],
      output: z.object({ lines: z.array(z.looseObject({ message: z.string() })) }),
    }),
    (context) => json(context.env, { lines: host.logs(id(context), count(context, "lines")) }),
  );
  hono.get(
    "/api/plugins/:id/audit",
    operation({
      id: "listPluginAudit",
      summary: "Who called, what the plugin asked of the host, and what became of it; newest last",
      tag: "plugins",
      query: [{ name: "limit", description: "how many entries", schema: countSchema }],
      output: z.object({ entries: z.array(z.looseObject({ action: z.string() })) }),
    }),
    (context) => json(context.env, { entries: host.audit(id(context), count(context, "limit")) }),
  );
  hono.get(
    "/api/plugins/:id/grants",
    operation({
      id: "getPluginGrants",
      summary: "What a plugin asks for and what it was given",
      tag: "plugins",
      output: grantsSchema,
    }),
    (context) => json(context.env, host.grants(id(context))),
  );
  hono.put(
    "/api/plugins/:id/grants",
    operation({
      id: "setPluginGrants",
      summary: "Replaces what a plugin is given",
      tag: "plugins",
      input: permissionsSchema,
      output: grantsSchema,
    }),
    async (context) => {
      const granted = validate(permissionsSchema, await body.json(context.req.raw));
      await host.setGrants(id(context), granted, context.env.principal!);
      return json(context.env, host.grants(id(context)));
    },
  );
  hono.post(
    "/api/plugins/:id/invoke",
    operation({
      id: "invokePlugin",
      summary: "Calls one of a plugin's capabilities",
      description: "Answers events when asked by 'Accept: text/event-stream'",
      tag: "plugins",
      input: invokeSchema,
      output: z.unknown(),
      streams: true,
    }),
    async (context) => {
      const pluginId = host.get(id(context)).id;
      const call = validate(invokeSchema, await body.json(context.req.raw));
      if (host.bus.find(call.capability).pluginId !== pluginId) {
        throw new AppError(
          "NOT_FOUND",
          `Plugin "${pluginId}" has no capability "${call.capability}"`,
        );
      }
      const { capability, payload: input } = call;
      return answerCall(context.req.raw, context.env, { capability, input, deps });
    },
  );
}

const actionSummaries = {
  start: "Enables a plugin and starts its cell",
  stop: "Stops a plugin's cell and disables it",
  restart:
    "Reads a plugin anew and puts a new cell in the place of the old one, which ends its calls",
};

const pluginSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  version: z.string(),
  description: z.string(),
  origin: z.enum(["builtin", "external"]),
  enabled: z.boolean(),
  status: z.enum(["stopped", "starting", "running", "stopping", "error"]),
  restarts: z.int(),
  capabilities: z.array(z.looseObject({ id: z.string(), title: z.string() })),
  missingGrants: z.array(z.string()),
}).meta({ id: "Plugin" });

const telemetrySchema = z.looseObject({
  pluginId: z.string(),
  status: z.string(),
  requests: z.int(),
  errors: z.int(),
  active: z.int(),
  queued: z.int(),
  metrics: z.record(z.string(), z.number()),
}).meta({ id: "PluginTelemetry" });

const grantsSchema = z.object({
  requested: permissionsSchema,
  granted: permissionsSchema,
  missing: z.array(z.string()),
}).meta({ id: "PluginGrants" });

const invokeSchema = z.object({ capability: z.string(), payload: z.unknown() });
const countSchema = z.int().min(1).max(10_000).default(200);

function count(context: Context<HttpEnv>, name: string): number {
  const text = context.req.query(name);
  const result = countSchema.safeParse(text === undefined ? undefined : Number(text));
  if (result.success) return result.data;
  throw new AppError("INVALID_INPUT", `"${name}" must be a whole number from 1 to 10000`);
}
