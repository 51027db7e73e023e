// /api/jobs: what the server works on. One sees one's own; who manages models sees and steers all.

import type { Context, Hono } from "hono";
import { z } from "zod";
import { AppError, toAppError } from "../../../plugins/runtime/contract/error.ts";
import { type Job, jobKinds, jobStatuses } from "../../../plugins/runtime/contract/job.ts";
import { maySeeJob } from "../../auth/job_access.ts";
import { audited } from "../audited.ts";
import { issueText } from "../issue_text.ts";
import { operation } from "../operation.ts";
import { readText } from "../page_query.ts";
import { json, problem } from "../reply.ts";
import { requireScope } from "../require_scope.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { event, eventStream } from "../sse.ts";

export function jobRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  const { jobs, audit } = deps;
  if (jobs === undefined) return;

  /** Another's is not found, as one that is none. */
  const find = (context: Context<HttpEnv>): Job => {
    const id = context.req.param("id") ?? "";
    const job = jobs.get(id);
    if (maySeeJob(context.env.principal!, job)) return job;
    throw new AppError("NOT_FOUND", `There is no job ${JSON.stringify(id.slice(0, 100))}`);
  };

  hono.get(
    "/api/jobs",
    operation({
      id: "listJobs",
      summary: "Jobs, newest first: one's own, and for who manages models everyone's",
      tag: "models",
      scope: "models:read",
      query: [
        { name: "status", description: "one or more, separated by ','", schema: z.string() },
        { name: "kind", description: "one kind alone", schema: z.enum(jobKinds) },
        { name: "limit", description: "how many at most", schema: limitSchema },
      ],
      output: z.object({ jobs: z.array(jobSchema) }),
    }),
    (context) => {
      const { id, scopes } = context.env.principal!;
      return json(context.env, {
        jobs: jobs.list({
          createdBy: scopes.allows("models:manage") ? undefined : id,
          status: read(context, "status", statusesSchema),
          kind: read(context, "kind", z.enum(jobKinds).optional()),
          limit: read(context, "limit", limitSchema),
        }),
      });
    },
  );
  hono.get(
    "/api/jobs/:id",
    operation({
      id: "getJob",
      summary: "One job",
      tag: "models",
      scope: "models:read",
      output: jobSchema,
    }),
    (context) => json(context.env, find(context)),
  );
  hono.get(
    "/api/jobs/:id/events",
    operation({
      id: "followJob",
      summary: "A job as it changes: events 'progress', and 'result' when it has ended or rests",
      description: "Each event's data is the job as it is then; at most five come in a second",
      tag: "models",
      scope: "models:read",
      outputType: "text/event-stream",
    }),
    (context) => {
      const { id } = find(context);
      return eventStream(context.req.raw, context.env, {
        open: (signal) => jobs.follow(id, signal),
        item: (job) => event(job, "progress"),
        end: (job) => event(job, "result"),
        fail: (error) => event(problem(context.env, toAppError(error)), "error"),
        auth: deps.auth,
        streams: deps.streams,
        pingIntervalMs: deps.config.pingIntervalMs,
        graceMs: deps.config.streamGraceMs,
      });
    },
  );
  for (const action of ["pause", "resume", "cancel"] as const) {
    hono.post(
      `/api/jobs/:id/${action}`,
      operation({
        id: `${action}Job`,
        summary: actionSummaries[action],
        tag: "models",
        scope: "models:manage",
        output: jobSchema,
      }),
      async (context) => {
        const { id, kind, title } = find(context);
        // What one may not begin one may not steer.
        if (kind === "engine.add") requireScope(context.env.principal!.scopes, "plugins:manage");
        const job = await audited(context.env, audit, {
          action: `job.${action}`,
          object: () => `job:${id} ${title}`,
          run: () => jobs[action](id),
        });
        return json(context.env, job);
      },
    );
  }
  hono.delete(
    "/api/jobs/:id",
    operation({
      id: "forgetJob",
      summary: "Takes a job that has ended off the list",
      tag: "models",
      scope: "models:manage",
      output: z.object({}),
    }),
    async (context) => {
      await jobs.forget(find(context).id);
      return json(context.env, {});
    },
  );
}

const actionSummaries = {
  pause: "Stops a job, which keeps what it has",
  resume: "Lets a job that is paused, or has failed, go on with what it has",
  cancel: "Ends a job, and removes what it has so far",
};

export const jobSchema = z.object({
  id: z.string(),
  kind: z.enum(jobKinds),
  status: z.enum(jobStatuses),
  title: z.string(),
  modelId: z.string().optional(),
  step: z.string().optional().meta({ description: "what it does now" }),
  doneBytes: z.number().meta({ description: "never goes back" }),
  totalBytes: z.number().optional(),
  bytesPerSecond: z.number().optional(),
  error: z.looseObject({ code: z.string(), message: z.string() }).optional(),
  result: z.unknown().optional(),
  createdBy: z.string(),
  createdAtMs: z.number(),
  updatedAtMs: z.number(),
}).meta({ id: "Job" });

const limitSchema = z.coerce.number().int().min(1).max(500).default(100);
const statusesSchema = z.string().transform((text) => text.split(",")).pipe(
  z.array(z.enum(jobStatuses)),
).optional();

function read<T extends z.ZodType>(
  context: Context<HttpEnv>,
  name: string,
  schema: T,
): z.infer<T> {
  const result = schema.safeParse(readText(context, name, 100));
  if (result.success) return result.data;
  throw new AppError("INVALID_INPUT", `"${name}" ${issueText(result.error.issues[0]!)}`, {
    details: { field: name },
  });
}
