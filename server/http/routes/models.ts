// /api/models: the models that this host can open, what else it might have, and the room they take.

import type { Hono } from "hono";
import { z } from "zod";
import { modelFormats, type ModelRecord, modelTasks } from "../../../models/model.ts";
import type { Identity } from "../../auth/authenticator.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { machineSchema } from "./machine.ts";

export function modelRoutes(hono: Hono<HttpEnv>, { models, modelKeeper }: RouteDeps): void {
  hono.get(
    "/api/models",
    operation({
      id: "listModels",
      summary: "The models of this host; for who manages them also files that were refused",
      tag: "models",
      scope: "models:read",
      output: z.object({
        models: z.array(modelSchema),
        problems: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
      }),
    }),
    async ({ env }) => {
      const mayManage = env.principal!.scopes.allows("models:manage");
      // Asked in one turn, both are of one look at the disk.
      const [records, problems] = await Promise.all([
        models.list(),
        mayManage ? modelKeeper?.problems() : undefined,
      ]);
      return json(env, {
        models: records.map((model) => publicModel(model, env.principal!)),
        problems: problems?.map(({ path, error }) => ({ path, message: error.message })),
      });
    },
  );
  if (modelKeeper === undefined) return;
  // Before ":id": no model of these names can be asked for alone.
  hono.get(
    "/api/models/catalog",
    operation({
      id: "listCatalog",
      summary: "Models that bkg recommends, and whether this machine can run them",
      tag: "models",
      scope: "models:read",
      output: z.object({ machine: machineSchema, models: z.array(catalogModelSchema) }),
    }),
    async (context) => json(context.env, await modelKeeper.catalog()),
  );
  hono.get(
    "/api/models/disk",
    operation({
      id: "getModelDisk",
      summary: "How much room models take, and how much there is",
      tag: "models",
      scope: "models:read",
      output: z.object({
        storeBytes: z.int(),
        models: z.int().meta({ description: "how many are in bkg's own store" }),
        reclaimableBytes: z.int().meta({ description: "what no model and no pull needs" }),
        freeBytes: z.int(),
        totalBytes: z.int(),
      }),
    }),
    async (context) => json(context.env, await modelKeeper.disk()),
  );
}

/** Only these fields reach a client: where a file lies, for one, does not. */
export const modelSchema = z.object({
  id: z.string(),
  name: z.string().optional(),
  description: z.string().optional(),
  license: z.string().optional(),
  format: z.enum(modelFormats),
  origin: z.enum(["store", "folder", "huggingface", "ollama", "demo"]).meta({
    description: "where it lies: what is in bkg's own store may be removed",
  }),
  task: z.enum(modelTasks).optional(),
  size: z.number().meta({ description: "bytes" }),
  architecture: z.string(),
  parameterCount: z.number(),
  quantization: z.string(),
  contextLength: z.number().optional().meta({ description: "tokens" }),
  chatTemplate: z.boolean(),
  shape: z.object({
    blockCount: z.number(),
    embeddingLength: z.number(),
    headCountKv: z.number(),
    keyLength: z.number(),
    valueLength: z.number(),
    vocabSize: z.number(),
  }).optional().meta({ description: "what its memory is estimated by" }),
  source: z.string().optional().meta({ description: "where it was pulled from" }),
  trusted: z.boolean().optional().meta({
    description: "whether native engines may open it: came with bkg, of the catalogue, or marked",
  }),
  changedSinceTrusted: z.literal(true).optional().meta({
    description: "marked as trusted, but with other files, or they were not read since",
  }),
  pinned: z.boolean(),
  createdAtMs: z.number(),
  usedAtMs: z.number().optional().meta({ description: "to the hour" }),
}).meta({ id: "Model" });

const catalogModelSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  source: z.string(),
  task: z.enum(modelTasks),
  installed: z.string().nullable().meta({ description: "the model's id, when it is here" }),
  job: z.string().nullable().meta({ description: "the job that pulls it" }),
  fits: z.array(z.looseObject({ backend: z.string(), fits: z.boolean() })),
}).meta({ id: "CatalogModel" });

/** Where a file of the server lay that became a model is told to those alone who manage models. */
export function publicModel(
  model: ModelRecord,
  { scopes }: Pick<Identity, "scopes">,
): z.infer<typeof modelSchema> {
  const { source, ...shown } = modelSchema.parse(model);
  const isHidden = source === undefined ||
    (/^(?:[./\\]|[A-Za-z]:[\\/])/.test(source) && !scopes.allows("models:manage"));
  return isHidden ? shown : { ...shown, source };
}
