// /api/plugins: what the operator sees of plugins and does to them.

import type { Context, Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { audited } from "../audited.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { validate } from "../validate.ts";
import { answerCall } from "./capabilities.ts";
import { pluginGrantRoutes } from "./plugin_grants.ts";

export function pluginRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  const { host, bus, audit, body } = deps;
  const id = (context: Context<HttpEnv>) => context.req.param("id") ?? "";

  hono.get(
    "/api/plugins",
    operation({
      id: "listPlugins",
      summary: "All plugins with their status",
      tag: "plugins",
      scope: "plugins:read",
      output: z.object({ plugins: z.array(pluginSchema) }),
    }),
    (context) => json(context.env, { plugins: host.list() }),
  );
  hono.get(
    "/api/plugins/:id",
    operation({
      id: "getPlugin",
      summary: "One plugin",
      tag: "plugins",
      scope: "plugins:read",
      output: pluginSchema,
    }),
    (context) => json(context.env, host.get(id(context))),
  );
  for (const action of ["start", "stop", "restart"] as const) {
    hono.post(
      `/api/plugins/:id/${action}`,
      operation({
        id: `${action}Plugin`,
        summary: actionSummaries[action],
        tag: "plugins",
        scope: "plugins:manage",
        output: pluginSchema,
      }),
      async (context) => {
        const pluginId = id(context);
        const view = await audited(context.env, audit, {
          action: `plugin.${action}`,
          object: () => `plugin:${pluginId}`,
          pluginId,
          run: () => host[action](pluginId, context.env.principal!),
        });
        return json(context.env, view);
      },
    );
  }
  hono.get(
    "/api/plugins/:id/telemetry",
    operation({
      id: "getPluginTelemetry",
      summary: "Memory, CPU, threads and calls of a plugin's cell",
      tag: "plugins",
      scope: "plugins:read",
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
      scope: "logs:read",
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
      scope: "logs:read",
      query: [{ name: "limit", description: "how many entries", schema: countSchema }],
      output: z.object({ entries: z.array(z.looseObject({ action: z.string() })) }),
    }),
    (context) => json(context.env, { entries: host.audit(id(context), count(context, "limit")) }),
  );
  pluginGrantRoutes(hono, deps);
  hono.post(
    "/api/plugins/:id/invoke",
    operation({
      id: "invokePlugin",
      summary: "Calls one of a plugin's capabilities",
      description: "Answers events when asked by 'Accept: text/event-stream'",
      tag: "plugins",
      scope: "invoke",
      input: invokeSchema,
      output: z.unknown(),
      streams: true,
    }),
    async (context) => {
      const pluginId = id(context);
      const call = validate(invokeSchema, await body.json(context.req.raw));
      const target = bus.find(call.capability, context.env.principal!);
      if (target.pluginId !== pluginId) {
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
  needsConsent: z.boolean(),
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

const invokeSchema = z.object({ capability: z.string(), payload: z.unknown() });
const countSchema = z.int().min(1).max(10_000).default(200);

function count(context: Context<HttpEnv>, name: string): number {
  const text = context.req.query(name);
  const result = countSchema.safeParse(text === undefined ? undefined : Number(text));
  if (result.success) return result.data;
  throw new AppError("INVALID_INPUT", `"${name}" must be a whole number from 1 to 10000`);
}
