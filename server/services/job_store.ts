// Jobs in the database: those of this data folder, as several servers may share one database. Caller: job_runner.ts.

import { z } from "zod";
import { isErrorCode, type WireError } from "../../plugins/runtime/contract/error.ts";
import { type Job, jobKinds, jobStatuses } from "../../plugins/runtime/contract/job.ts";
import { type Db, json, type Row } from "../db/db.ts";
import { toStorableText } from "./storable_text.ts";

/** What is kept of a job: not how fast it is, nor its step. */
export interface StoredJob extends Omit<Job, "step" | "bytesPerSecond"> {
  input: unknown;
}

export interface JobStore {
  /** Oldest first; rows of another bkg that cannot be read are left where they are. */
  load(): Promise<StoredJob[]>;
  /** Adds it, or changes what may change of it. */
  put(job: StoredJob): Promise<void>;
  delete(ids: readonly string[]): Promise<void>;
}

export interface JobStoreDeps {
  db: Db;
  server: string;
  /** A row cannot be read. */
  failed(error: unknown): void;
}

export function createJobStore({ db, server, failed }: JobStoreDeps): JobStore {
  return {
    async load() {
      const rows = await db.sql`
        select * from jobs where server = ${server} order by created_at_ms, id`;
      return rows.flatMap((row) => {
        try {
          return [readJob(row)];
        } catch (error) {
          failed(error);
          return [];
        }
      });
    },
    async put(job) {
      const { id, kind, status, createdBy, createdAtMs, updatedAtMs, doneBytes } = job;
      const { totalBytes = null, modelId = null } = job;
      await db.sql`
        insert into jobs (id, kind, status, title, model_id, input, result, error, done_bytes,
          total_bytes, server, created_by, created_at_ms, updated_at_ms)
        values (${id}, ${kind}, ${status}, ${toStorableText(job.title)}, ${modelId},
          ${storable(job.input)}, ${storable(job.result)}, ${storable(job.error)}, ${doneBytes},
          ${totalBytes}, ${server}, ${createdBy}, ${createdAtMs}, ${updatedAtMs})
        on conflict (id) do update set status = excluded.status, model_id = excluded.model_id,
          input = excluded.input, result = excluded.result, error = excluded.error,
          done_bytes = excluded.done_bytes, total_bytes = excluded.total_bytes,
          updated_at_ms = excluded.updated_at_ms`;
    },
    async delete(ids) {
      await db.sql`
        delete from jobs where server = ${server}
          and id in (select jsonb_array_elements_text(${json(ids)}))`;
    },
  };
}

/** jsonb refuses NUL and halves of surrogate pairs, which a hub or a file may have put into a message. */
function storable(value: unknown) {
  if (value === undefined || value === null) return null;
  return json(
    JSON.parse(
      JSON.stringify(value),
      (_, inner) => typeof inner === "string" ? toStorableText(inner) : inner,
    ),
  );
}

function readJob(row: Row): StoredJob {
  const found = rowSchema.parse(row);
  return {
    id: found.id,
    kind: found.kind,
    status: found.status,
    title: found.title,
    input: found.input,
    doneBytes: found.done_bytes,
    createdBy: found.created_by,
    createdAtMs: found.created_at_ms,
    updatedAtMs: found.updated_at_ms,
    ...(found.model_id === null ? {} : { modelId: found.model_id }),
    ...(found.total_bytes === null ? {} : { totalBytes: found.total_bytes }),
    ...(found.result === null ? {} : { result: found.result }),
    ...(found.error === null ? {} : { error: found.error }),
  };
}

const errorSchema = z.looseObject({
  code: z.string().refine(isErrorCode),
  message: z.string(),
  retryable: z.boolean(),
}) as unknown as z.ZodType<WireError>;

const rowSchema = z.object({
  id: z.string(),
  kind: z.enum(jobKinds),
  status: z.enum(jobStatuses),
  title: z.string(),
  model_id: z.string().nullable(),
  input: z.unknown(),
  result: z.unknown(),
  error: errorSchema.nullable(),
  done_bytes: z.number(),
  total_bytes: z.number().nullable(),
  created_by: z.string(),
  created_at_ms: z.number(),
  updated_at_ms: z.number(),
});
