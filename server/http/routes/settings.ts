// /admin/settings: what is in force for the whole server and where it comes from, and changing what may be stored.

import type { Hono } from "hono";
import { z } from "zod";
import { audited } from "../audited.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { validate } from "../validate.ts";

export function settingsRoutes(
  hono: Hono<HttpEnv>,
  { settings, scheduledBackups, audit, body }: RouteDeps,
): void {
  if (settings === undefined) return;
  const answer = () => ({ settings: settings.list(), backups: scheduledBackups?.state ?? {} });

  hono.get(
    "/admin/settings",
    operation({
      id: "listSettings",
      summary:
        "Each setting of the server: its value, and whether it is stored or the environment's",
      description: "Of secrets it tells whether they are set",
      tag: "admin",
      scope: "settings:manage",
      output: settingsSchema,
    }),
    (context) => json(context.env, answer()),
  );
  hono.patch(
    "/admin/settings",
    operation({
      id: "changeSettings",
      summary: "Stores what is given, by name; null goes back to the default",
      description: "The environment wins: what it sets answers CONFLICT",
      tag: "admin",
      scope: "settings:manage",
      input: changesSchema,
      output: settingsSchema,
    }),
    async (context) => {
      const changes = validate(changesSchema, await body.json(context.req.raw));
      await audited(context.env, audit, {
        action: "settings.change",
        object: () => JSON.stringify(changes),
        run: () => settings.change(changes, context.env.principal!.id),
      });
      return json(context.env, answer());
    },
  );
}

const changesSchema = z.record(z.string().max(100), z.unknown())
  .refine((changes) => Object.keys(changes).length <= 100, "may name 100 at most");

const settingsSchema = z.object({
  settings: z.array(z.object({
    name: z.string(),
    value: z.unknown().meta({ description: "of a secret: 'set' or null" }),
    source: z.enum(["environment", "stored", "default"]),
    variable: z.string().optional(),
    secret: z.boolean().optional(),
    schema: z.record(z.string(), z.unknown()).optional(),
    title: z.string(),
    description: z.string(),
    restart: z.boolean().meta({ description: "whether a change needs one" }),
    editable: z.boolean(),
  })),
  backups: z.object({
    lastAtMs: z.number().optional(),
    failure: z.object({ atMs: z.number(), message: z.string() }).optional(),
  }).meta({ description: "those that are made by the clock" }),
}).meta({ id: "Settings" });
