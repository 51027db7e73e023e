// Pulls and verifications on the server: /api/jobs, and what begins one.

import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { Api } from "./client.ts";
import { modelPath } from "./models.ts";

/** Newest first: one's own, for those who manage models everyone's. */
export async function listJobs(api: Api, signal?: AbortSignal): Promise<Job[]> {
  const { jobs } = await api.get<{ jobs: Job[] }>("/api/jobs", signal && { signal });
  return jobs;
}

/**
 * An equal pull that runs or is paused is answered again; CONFLICT when the model is there already, unless `update`
 * looks for a newer one.
 */
export function startPull(
  api: Api,
  { source, update = false }: { source: string; update?: boolean | undefined },
): Promise<Job> {
  return api.send("POST", "/api/models/pull", { body: { source, update } });
}

export function startVerification(api: Api, modelId: string): Promise<Job> {
  return api.send("POST", `${modelPath(modelId)}/verify`);
}

export type JobAct = "pause" | "resume" | "cancel";

export function controlJob(api: Api, id: string, act: JobAct): Promise<Job> {
  return api.send("POST", `${jobPath(id)}/${act}`);
}

/** Of one that has ended. */
export async function forgetJob(api: Api, id: string): Promise<void> {
  await api.send("DELETE", jobPath(id));
}

function jobPath(id: string): string {
  return `/api/jobs/${encodeURIComponent(id)}`;
}
