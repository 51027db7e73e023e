// What people do to models: pull, verify, trust, pin, remove, make room. Long work is a job; see jobs.ts.

import type { Context, Hono } from "hono";
import { z } from "zod";
import { maxModelIdChars } from "../../../models/model.ts";
import type { Job } from "../../../plugins/runtime/contract/job.ts";
import { audited } from "../audited.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RequestScope, RouteDeps } from "../services.ts";
import { validate } from "../validate.ts";
import { jobSchema } from "./jobs.ts";
import { modelSchema, publicModel } from "./models.ts";

export function modelUpkeepRoutes(
  hono: Hono<HttpEnv>,
  { modelKeeper, audit, body }: RouteDeps,
): void {
  if (modelKeeper === undefined) return;
  const idOf = (context: Context<HttpEnv>) => context.req.param("id") ?? "";

  hono.post(
    "/api/models/pull",
    operation({
      id: "pullModel",
      summary: "Begins to bring a model here; answers the job, or the equal one that there is",
      description: 'A source is "owner/name[@revision][:quantization or file]" of the hub, an ' +
        "address of a file, or, for the local operator alone, a file of the server. When the " +
        "model is here already: 409, with modelId in the details; `update` looks for a newer one.",
      tag: "models",
      scope: "models:manage",
      input: pullSchema,
      output: jobSchema,
    }),
    async (context) => {
      const { env } = context;
      const asked = validate(pullSchema, await body.json(context.req.raw));
      const { job, isNew } = await audited(env, audit, {
        action: "model.pull",
        // An address may be signed: what was pulled is told by the job, without its query.
        object: (begun) => begun === undefined ? "model" : `model:${begun.job.title}`,
        run: () =>
          modelKeeper.pull(asked, {
            userId: env.principal!.id,
            mayReadFiles: env.principal!.credential.kind === "operator",
          }),
      });
      return accepted(env, job, isNew);
    },
  );
  hono.post(
    "/api/models/gc",
    operation({
      id: "collectModelGarbage",
      summary: "Removes what no model and no pull needs, and models that nobody used for long",
      tag: "models",
      scope: "models:manage",
      input: garbageOptionsSchema,
      output: z.object({
        freedBytes: z.int(),
        models: z.array(z.string()),
        blobs: z.int(),
        partials: z.int(),
      }),
    }),
    async (context) => {
      const { dryRun, unusedDays } = validate(
        garbageOptionsSchema,
        await body.json(context.req.raw),
      );
      const run = () =>
        modelKeeper.collectGarbage({
          dryRun,
          ...(unusedDays === undefined ? {} : { unusedDays }),
        });
      if (dryRun) return json(context.env, await run());
      const garbage = await audited(context.env, audit, {
        action: "model.gc",
        object: (done) => ["models", ...done?.models ?? []].join(" "),
        run,
      });
      return json(context.env, garbage);
    },
  );
  hono.post(
    "/api/models/:id/verify",
    operation({
      id: "verifyModel",
      summary: "Begins to read every byte of a model again; the job's result tells of each file",
      tag: "models",
      scope: "models:manage",
      output: jobSchema,
    }),
    async (context) => {
      const job = await modelKeeper.verify(idOf(context), context.env.principal!.id);
      return accepted(context.env, job, true);
    },
  );
  hono.post(
    "/api/models/:id/trust",
    operation({
      id: "trustModel",
      summary: "Whether native engines, which hostile files attack, may open a model",
      description: "A mark is of the model's files as they are: one that changes is trusted no " +
        "more. Answers the model; or, when files must be read first, 202 and the job that reads " +
        "and then marks them. Taken away, it holds for who opens the model from now on.",
      tag: "models",
      scope: "models:manage",
      input: trustSchema,
      output: z.union([modelSchema, jobSchema]),
    }),
    async (context) => {
      const { env } = context;
      const { trusted } = validate(trustSchema, await body.json(context.req.raw));
      const id = idOf(context);
      const done = await audited(env, audit, {
        action: trusted ? "model.trust" : "model.untrust",
        object: () => `model:${id}`,
        run: async () =>
          trusted
            ? await modelKeeper.trust(id, env.principal!.id)
            : { model: await modelKeeper.distrust(id) },
      });
      return "job" in done
        ? accepted(env, done.job, true)
        : json(env, publicModel(done.model, env.principal!));
    },
  );
  hono.put(
    "/api/models/:id/pin",
    operation({
      id: "pinModel",
      summary: "Whether a model is kept when room is made",
      tag: "models",
      scope: "models:manage",
      input: pinSchema,
      output: modelSchema,
    }),
    async (context) => {
      const { pinned } = validate(pinSchema, await body.json(context.req.raw));
      const model = await audited(context.env, audit, {
        action: pinned ? "model.pin" : "model.unpin",
        object: () => `model:${idOf(context)}`,
        run: () => modelKeeper.pin(idOf(context), pinned),
      });
      return json(context.env, publicModel(model, context.env.principal!));
    },
  );
  hono.delete(
    "/api/models/:id",
    operation({
      id: "removeModel",
      summary: "Removes a model of bkg's own store; one that is open, or pinned, stays: 409",
      tag: "models",
      scope: "models:manage",
      query: [{ name: "force", description: "1: one that is pinned too", schema: z.literal("1") }],
      output: z.object({ freedBytes: z.int() }),
    }),
    async (context) => {
      const force = context.req.query("force") === "1";
      const freed = await audited(context.env, audit, {
        action: "model.remove",
        object: () => `model:${idOf(context)}`,
        run: () => modelKeeper.remove(idOf(context), { force }),
      });
      return json(context.env, freed);
    },
  );
}

/** RFC 9110, 15.3.3: where the work can be watched. */
function accepted(scope: RequestScope, job: Job, isNew: boolean): Response {
  const response = json(scope, job, isNew ? 202 : 200);
  response.headers.set("location", `/api/jobs/${job.id}`);
  return response;
}

const pullSchema = z.strictObject({
  source: z.string().min(1).max(4096),
  id: z.string().min(1).max(maxModelIdChars).optional().meta({
    description: "under which the model shall be known here",
  }),
  update: z.boolean().default(false),
});
const garbageOptionsSchema = z.strictObject({
  unusedDays: z.int().min(0).max(36_500).optional(),
  dryRun: z.boolean().default(false),
});
const trustSchema = z.strictObject({ trusted: z.boolean() });
const pinSchema = z.strictObject({ pinned: z.boolean() });
