// Work that outlives the request which asked for it: what routes and sockets see of jobs, and what a kind of work is.
// Implemented by job_runner.ts; its kinds are model_pulls.ts and model_checks.ts.

import type { Job, JobKind, JobStatus } from "../../plugins/runtime/contract/job.ts";

export interface JobFilter {
  /** Undefined: everyone's. */
  createdBy?: string | undefined;
  status?: readonly JobStatus[] | undefined;
  kind?: JobKind | undefined;
  /** Default 100. */
  limit?: number | undefined;
}

/** All but `list` and `watch` throw NOT_FOUND for a job that is not there, CONFLICT for one in another state. */
export interface Jobs {
  /** Newest first. */
  list(filter?: JobFilter): Job[];
  get(id: string): Job;
  /** Settles when it has let go of what it did; one that was done by then stays so. */
  pause(id: string): Promise<Job>;
  /** Of a paused job, or of a failed one: it goes on with what it has. */
  resume(id: string): Promise<Job>;
  /** Removes what it has so far. */
  cancel(id: string): Promise<Job>;
  /** Of one that has ended. */
  forget(id: string): Promise<void>;
  /** Calls `listener` with each job that changed as it is then, at most five times a second for one job. */
  watch(listener: (job: Job) => void): () => void;
  /**
   * The job as it is, then as it changes; one who reads slowly skips what is old by then. Returns it once it has
   * ended or is paused. Throws UNAVAILABLE when the server stops.
   */
  follow(id: string, signal: AbortSignal): AsyncGenerator<Job, Job>;
  /** The server ends: what runs lets go and is queued again, within seconds; nothing more begins. */
  stop(): Promise<void>;
}

export interface NewJob {
  kind: JobKind;
  title: string;
  modelId?: string | undefined;
  /** JSON that its kind reads again after a restart. */
  input: unknown;
  createdBy: string;
}

/** One kind of work. */
export interface JobWork {
  /** How many run at once; others wait in order. */
  readonly concurrency: number;
  /**
   * Does it, or goes on with it; answers the job's result. When the signal fires it keeps what it has, and rejects
   * as soon as it can.
   */
  run(job: RunningJob): Promise<unknown>;
  /** Nobody wants any more what a job kept. */
  discard?(id: string): Promise<void>;
}

export interface RunningJob {
  readonly id: string;
  readonly input: unknown;
  readonly signal: AbortSignal;
  /** What changed. `doneBytes` counts what is there, from an earlier run too. */
  tell(progress: JobProgress): void;
  /** Writes what the next run needs to know into the job's input. */
  remember(input: unknown): void;
}

export interface JobProgress {
  step?: string | undefined;
  doneBytes?: number | undefined;
  totalBytes?: number | undefined;
  modelId?: string | undefined;
}

export function hasEnded({ status }: Pick<Job, "status">): boolean {
  return status === "done" || status === "failed" || status === "cancelled";
}

/** Whether it goes on by itself, or may be told to. */
export function isLive({ status }: Pick<Job, "status">): boolean {
  return status === "queued" || status === "running" || status === "paused";
}
