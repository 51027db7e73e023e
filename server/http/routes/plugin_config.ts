// /api/plugins/:id/config: what the operator set of a plugin, and setting it.

import type { Hono } from "hono";
import { z } from "zod";
import { type Limits, limitsSchema } from "../../../plugins/runtime/contract/manifest.ts";
import { namesOfChange } from "../../../plugins/runtime/host/plugin_config.ts";
import { audited } from "../audited.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { validate } from "../validate.ts";

export function pluginConfigRoutes(hono: Hono<HttpEnv>, { host, audit, body }: RouteDeps): void {
  hono.get(
    "/api/plugins/:id/config",
    operation({
      id: "getPluginConfig",
      summary: "A plugin's settings with their schema, its limits, and whether it is enabled",
      description: "Settings that the schema marks 'writeOnly' are named in 'secretsSet' alone",
      tag: "plugins",
      scope: "plugins:read",
      output: configSchema,
    }),
    (context) => json(context.env, host.config(context.req.param("id") ?? "")),
  );
  hono.post(
    "/api/plugins/:id/config",
    operation({
      id: "configurePlugin",
      summary: "Changes what is given, and puts it in force",
      tag: "plugins",
      scope: "plugins:manage",
      input: changeSchema,
      output: configSchema,
    }),
    async (context) => {
      const change = validate(changeSchema, await body.json(context.req.raw));
      const pluginId = context.req.param("id") ?? "";
      const config = await audited(context.env, audit, {
        action: "plugin.configure",
        // Names alone: a value may be a secret.
        object: () => namesOfChange(change).join(" "),
        pluginId,
        run: () => host.configure(pluginId, change, context.env.principal!),
      });
      return json(context.env, config);
    },
  );
}

/** `partial()` alone would fill in the default of each limit that is not given. */
const someLimits = z.strictObject(
  Object.fromEntries(
    Object.entries(limitsSchema.shape).map((
      [name, limit],
    ) => [name, limit.unwrap().exactOptional()]),
  ) as { [Name in keyof Limits]: z.ZodExactOptional<z.ZodInt> },
);

const changeSchema = z.strictObject({
  enabled: z.boolean().optional(),
  autostart: z.boolean().optional(),
  settings: z.record(z.string(), z.unknown()).optional(),
  limits: someLimits.optional(),
  secrets: z.record(z.string(), z.string().max(65_536).nullable()).optional().meta({
    description: "settings that are 'writeOnly', by name; null deletes one",
  }),
});

const configSchema = z.looseObject({
  enabled: z.boolean(),
  autostart: z.boolean(),
  settingsSchema: z.record(z.string(), z.unknown()),
  settings: z.record(z.string(), z.unknown()),
  secretsSet: z.array(z.string()),
  limits: limitsSchema,
  defaultLimits: limitsSchema,
}).meta({ id: "PluginConfig" });
