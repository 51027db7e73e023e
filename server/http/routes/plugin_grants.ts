// /api/plugins/:id/grants: what a plugin asks for and was given, and deciding about it. Who decides names the
// revision that he saw, so that nobody consents to what a plugin came to ask for since.

import type { Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { permissionsSchema } from "../../../plugins/runtime/contract/grant.ts";
import { describeGrantChange } from "../../../plugins/runtime/host/consent.ts";
import type { PluginGrants } from "../../../plugins/runtime/host/host.ts";
import { audited } from "../audited.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { validate } from "../validate.ts";

export function pluginGrantRoutes(hono: Hono<HttpEnv>, { host, audit, body }: RouteDeps): void {
  const describe = async (grants: PluginGrants) => ({
    ...grants,
    revision: await revisionOf(grants),
  });

  hono.get(
    "/api/plugins/:id/grants",
    operation({
      id: "getPluginGrants",
      summary: "What a plugin asks for and what it was given",
      description: "Of a plugin that waits for consent: what its newest version asks for",
      tag: "plugins",
      scope: "plugins:read",
      output: grantsSchema,
    }),
    async (context) =>
      json(context.env, await describe(host.grants(context.req.param("id") ?? ""))),
  );
  hono.put(
    "/api/plugins/:id/grants",
    operation({
      id: "setPluginGrants",
      summary: "Replaces what a plugin is given, and consents to its start",
      description: "In force at once, also for what runs. " +
        "What is given may be less than is asked for: a call that needs the rest answers GRANT_DENIED",
      tag: "plugins",
      scope: "plugins:consent",
      query: [
        {
          name: "revision",
          description: "of the grants that were looked at; others by now answer CONFLICT",
          schema: decisionSchema.shape.revision,
        },
        {
          name: "consent",
          description: "'unchanged': the plugin, or its newer version, waits on for consent",
          schema: decisionSchema.shape.consent,
        },
      ],
      input: permissionsSchema,
      output: grantsSchema,
    }),
    async (context) => {
      const pluginId = context.req.param("id") ?? "";
      const decision = readDecision(context.req.query());
      const granted = validate(permissionsSchema, await body.json(context.req.raw));
      const current = host.grants(pluginId);
      if (decision.revision !== undefined && decision.revision !== await revisionOf(current)) {
        throw new AppError(
          "CONFLICT",
          `What plugin "${pluginId}" asks for or was given has changed: look at it again`,
          { details: { pluginId } },
        );
      }
      await audited(context.env, audit, {
        action: "plugin.grant",
        object: () => describeGrantChange(current.granted, granted),
        pluginId,
        run: () =>
          host.setGrants(pluginId, granted, context.env.principal!, {
            // Not what may have come to be asked for since it was compared.
            requested: current.requested,
            consents: decision.consent === "given",
          }),
      });
      return json(context.env, await describe(host.grants(pluginId)));
    },
  );
}

const decisionSchema = z.strictObject({
  revision: z.string().max(100).optional(),
  consent: z.enum(["given", "unchanged"]).default("given"),
});

function readDecision(query: Record<string, string>): z.infer<typeof decisionSchema> {
  const decision = decisionSchema.safeParse(query);
  if (decision.success) return decision.data;
  const [issue] = decision.error.issues;
  throw new AppError(
    "INVALID_INPUT",
    `The query is not valid: ${[...issue?.path ?? [], issue?.message].join(": ")}`,
  );
}

const grantsSchema = z.object({
  version: z.string(),
  requested: permissionsSchema,
  granted: permissionsSchema,
  missing: z.array(z.string()),
  consented: permissionsSchema.optional().meta({
    description: "What was asked for when somebody last decided",
  }),
  consent: z.enum(["given", "needed", "none-needed"]),
  revision: z.string().meta({ description: "Of all the other fields" }),
}).meta({ id: "PluginGrants" });

/** SHA-256, so that no manifest can be made that has another's. */
async function revisionOf(grants: PluginGrants): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(grants));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
