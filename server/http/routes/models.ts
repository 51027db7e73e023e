// GET /api/models: the models that this host can open.

import type { Hono } from "hono";
import { z } from "zod";
import type { ModelRecord } from "../../../models/model.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";

export function modelRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  hono.get(
    "/api/models",
    operation({
      id: "listModels",
      summary: "The models of this host",
      tag: "models",
      scope: "models:read",
      output: z.object({ models: z.array(modelSchema) }),
    }),
    async (context) => json(context.env, { models: (await deps.models.list()).map(publicModel) }),
  );
}

/** Only these fields reach a client: where a file lies, for one, does not. */
export const modelSchema = z.object({
  id: z.string(),
  name: z.string().optional(),
  description: z.string().optional(),
  license: z.string().optional(),
  format: z.string(),
  size: z.number().meta({ description: "bytes" }),
  architecture: z.string(),
  parameterCount: z.number(),
  quantization: z.string(),
  contextLength: z.number().optional().meta({ description: "tokens" }),
  chatTemplate: z.boolean(),
  createdAtMs: z.number(),
}).meta({ id: "Model" });

export function publicModel(model: ModelRecord): z.infer<typeof modelSchema> {
  return modelSchema.parse(model);
}
