// /api/presets: models under other names, with a system prompt and parameters; one's own, and those that others share.

import type { Context, Hono } from "hono";
import { z } from "zod";
import { presetInputSchema } from "../../services/preset_store.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { validate } from "../validate.ts";

export function presetRoutes(hono: Hono<HttpEnv>, { presets, body }: RouteDeps): void {
  if (presets === undefined) return;
  hono.get(
    "/api/presets",
    operation({
      id: "listPresets",
      summary: "One's own presets, and those that others share",
      tag: "own",
      scope: "account",
      output: z.object({ presets: z.array(presetSchema) }),
    }),
    async (context) => json(context.env, { presets: await presets.list(userOf(context)) }),
  );
  hono.post(
    "/api/presets",
    operation({
      id: "createPreset",
      summary: "Gives a model with a system prompt and parameters a name that /v1 takes",
      tag: "own",
      scope: "account",
      input: presetInputSchema,
      output: presetSchema,
    }),
    async (context) => {
      const preset = validate(presetInputSchema, await body.json(context.req.raw));
      return json(context.env, await presets.create(userOf(context), preset));
    },
  );
  hono.put(
    "/api/presets/:id",
    operation({
      id: "putPreset",
      summary: "Replaces one of one's own presets",
      tag: "own",
      scope: "account",
      input: presetInputSchema,
      output: presetSchema,
    }),
    async (context) => {
      const preset = validate(presetInputSchema, await body.json(context.req.raw));
      const id = context.req.param("id") ?? "";
      return json(context.env, await presets.change(userOf(context), id, preset));
    },
  );
  hono.delete(
    "/api/presets/:id",
    operation({
      id: "deletePreset",
      summary: "Deletes one of one's own presets",
      tag: "own",
      scope: "account",
      output: z.object({}),
    }),
    async (context) => {
      await presets.delete(userOf(context), context.req.param("id") ?? "");
      return json(context.env, {});
    },
  );
}

const presetSchema = presetInputSchema.extend({
  id: z.string(),
  own: z.boolean(),
  createdAtMs: z.int(),
  updatedAtMs: z.int(),
}).meta({ id: "Preset" });

function userOf(context: Context<HttpEnv>): string {
  return context.env.principal!.id;
}
