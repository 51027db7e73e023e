// /api/engines: what may be added beside WebAssembly, and what is. Adding one is a job; see jobs.ts.

import type { Context, Hono } from "hono";
import { z } from "zod";
import {
  type EngineId,
  engineIds,
  engineStatuses,
  isEngineId,
} from "../../../plugins/runtime/contract/engine_choice.ts";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { nativeEngineNames } from "../../../plugins/runtime/contract/native_engine.ts";
import { audited } from "../audited.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { validate } from "../validate.ts";
import { jobSchema } from "./jobs.ts";

export function engineRoutes(hono: Hono<HttpEnv>, { engines, audit, body }: RouteDeps): void {
  if (engines === undefined) return;

  hono.get(
    "/api/engines",
    operation({
      id: "listEngines",
      summary: "WebGPU and the native engines: which are on, and what each would download",
      tag: "plugins",
      scope: "plugins:read",
      output: z.object({ engines: z.array(engineSchema) }),
    }),
    async (context) => json(context.env, { engines: await engines.list() }),
  );
  hono.post(
    "/api/engines/:id",
    operation({
      id: "addEngine",
      summary: "Begins to add a native engine, and answers the job; turns WebGPU on",
      description: "Plugins that run and list engines are restarted when it is here. `from`, for " +
        "the local operator alone, names a folder of the server that has the packages.",
      tag: "plugins",
      scope: "plugins:manage",
      input: addSchema,
      output: z.union([jobSchema, engineSchema]),
    }),
    async (context) => {
      const { env } = context;
      const id = idOf(context);
      const { from } = validate(addSchema, await body.json(context.req.raw));
      const job = await audited(env, audit, {
        action: "engine.add",
        object: () => `engine:${id}`,
        run: () =>
          engines.add(id, { from }, {
            userId: env.principal!.id,
            mayReadFiles: env.principal!.credential.kind === "operator",
          }),
      });
      if (job === undefined) return json(env, await engines.get(id));
      const response = json(env, job, 202);
      response.headers.set("location", `/api/jobs/${job.id}`);
      return response;
    },
  );
  hono.delete(
    "/api/engines/:id",
    operation({
      id: "removeEngine",
      summary: "Turns an engine off, and removes the packages that no other needs",
      tag: "plugins",
      scope: "plugins:manage",
      output: z.object({}),
    }),
    async (context) => {
      const id = idOf(context);
      await audited(context.env, audit, {
        action: "engine.remove",
        object: () => `engine:${id}`,
        run: () => engines.remove(id),
      });
      return json(context.env, {});
    },
  );
}

function idOf(context: Context<HttpEnv>): EngineId {
  const id = context.req.param("id") ?? "";
  if (isEngineId(id)) return id;
  throw new AppError(
    "NOT_FOUND",
    `There is no engine ${JSON.stringify(id.slice(0, 100))}, only ${engineIds.join(", ")}`,
  );
}

const addSchema = z.strictObject({
  from: z.string().min(1).max(4096).optional().meta({
    description: "an absolute path: where the packed files are, instead of the registry",
  }),
});

const engineSchema = z.object({
  id: z.enum(engineIds),
  title: z.string(),
  description: z.string(),
  status: z.enum(engineStatuses),
  reason: z.string().optional(),
  contains: z.array(z.enum(nativeEngineNames)),
  downloadBytes: z.int(),
  installedBytes: z.int().optional(),
  version: z.string().optional(),
  jobId: z.string().optional(),
}).meta({ id: "Engine" });
