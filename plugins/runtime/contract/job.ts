// Work that outlives the request which asked for it, as clients see it: /api/jobs, the topic `jobs`, the page.

import type { WireError } from "./error.ts";

export const jobKinds = ["model.pull", "model.verify", "engine.add"] as const;
export type JobKind = typeof jobKinds[number];

/** `queued` and `running` go on by themselves, after a restart too; `paused` waits for a person. */
export const jobStatuses = [
  "queued",
  "running",
  "paused",
  "done",
  "failed",
  "cancelled",
] as const;
export type JobStatus = typeof jobStatuses[number];

export interface Job {
  id: string;
  kind: JobKind;
  status: JobStatus;
  /** What it works on, for people: the source of a pull, the id of a model, "Native engine cpu". */
  title: string;
  /** The model that a pull makes or a verification reads; undefined until it is known. */
  modelId?: string;
  /** What it does now: "Asking the hub", "Downloading", "Checking", "Waiting 20 s: the hub is busy". */
  step?: string;
  /** Never goes back within one job, not even after a restart. */
  doneBytes: number;
  /** Undefined until it is known. */
  totalBytes?: number;
  /** Over the last seconds; undefined unless it runs. */
  bytesPerSecond?: number;
  /** Why it failed. */
  error?: WireError;
  /** What it found, when it is done: of a verification `{files}`. */
  result?: unknown;
  /** Who asked for it: a user's id. */
  createdBy: string;
  createdAtMs: number;
  updatedAtMs: number;
}
