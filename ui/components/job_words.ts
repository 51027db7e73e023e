// How far a job is, in words. Callers: the progress of a job wherever it is shown, and what screen readers hear of it.

import type { Job } from "../../plugins/runtime/contract/job.ts";
import { isEnded } from "../stores/jobs.ts";
import { capText, formatBytes, formatDuration } from "./format.ts";

/** 0 to 100, never 100 before the job is done; undefined while it cannot be told. */
export function jobPercent({ status, doneBytes, totalBytes }: Job): number | undefined {
  if (status === "done") return 100;
  if (totalBytes === undefined || totalBytes <= 0) return undefined;
  return Math.min(99, Math.floor(100 * doneBytes / totalBytes));
}

/** "312 MiB of 1.2 GiB"; of what is over, all that it was. */
export function jobAmount({ status, doneBytes, totalBytes }: Job): string {
  if (status === "done") return formatBytes(totalBytes ?? doneBytes);
  return totalBytes === undefined
    ? (doneBytes === 0 ? "" : formatBytes(doneBytes))
    : `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`;
}

/** "12.3 MiB/s"; "" unless it runs. */
export function jobRate({ status, bytesPerSecond }: Job): string {
  return status !== "running" || bytesPerSecond === undefined || bytesPerSecond <= 0
    ? ""
    : `${formatBytes(bytesPerSecond)}/s`;
}

/** "about 2 min left", in steps that do not flicker; "" while nobody can know. */
export function jobTimeLeft({ status, doneBytes, totalBytes, bytesPerSecond }: Job): string {
  if (status !== "running" || totalBytes === undefined || totalBytes <= doneBytes) return "";
  if (bytesPerSecond === undefined || bytesPerSecond <= 0) return "";
  const seconds = (totalBytes - doneBytes) / bytesPerSecond;
  if (seconds < 5) return "a few seconds left";
  const unit = seconds < 60 ? 5 : seconds < 3600 ? 60 : 600;
  const rounded = Math.ceil(seconds / unit) * unit;
  return rounded > longestSeconds ? "" : `about ${formatDuration(rounded * 1000)} left`;
}

/** What it does now, or how it ended. The server's own step wins while it runs; it may tell of a stranger's host. */
export function jobState(job: Job): string {
  switch (job.status) {
    case "queued":
      return "Waiting its turn";
    case "running":
      return capText(job.step ?? doing[job.kind], 160);
    case "paused":
      return "Paused";
    case "done":
      if (damaged(job)) return "Damaged files were found";
      return isUnchanged(job) ? "It is here, and there is no newer one" : finished[job.kind];
    case "failed":
      return job.kind === "model.verify" ? "It could not be checked" : "It did not come through";
    case "cancelled":
      return "Cancelled";
  }
}

/** What a screen reader is told, when this changes: the state, and each quarter of the way, not every step. */
export function jobMilestone(job: Job): string {
  const name = capText(job.title, 100);
  if (isEnded(job) || job.status === "paused") return `${name}: ${jobState(job).toLowerCase()}`;
  const percent = jobPercent(job) ?? 0;
  const quarter = Math.floor(percent / 25) * 25;
  return quarter === 0
    ? `${name}: ${doing[job.kind].toLowerCase()}`
    : `${name}: ${quarter}% ${job.kind === "model.verify" ? "is checked" : "is here"}`;
}

/** Whether a verification that went through found files that are not what they should be. */
export function damaged(job: Job): boolean {
  return job.status === "done" && verifiedFiles(job).some(({ ok }) => !ok);
}

/** Whether a pull found that all of it was here. */
function isUnchanged({ kind, result }: Job): boolean {
  return kind === "model.pull" && (result as { changed?: unknown } | undefined)?.changed === false;
}

/** Of a verification that is done: what was read of each file. */
export function verifiedFiles({ kind, result }: Job): { name: string; ok: boolean }[] {
  if (kind !== "model.verify") return [];
  const { files } = (result ?? {}) as { files?: unknown };
  if (!Array.isArray(files)) return [];
  return files.flatMap((file: unknown) => {
    const { name, ok } = (file ?? {}) as { name?: unknown; ok?: unknown };
    return typeof name === "string" && typeof ok === "boolean" ? [{ name, ok }] : [];
  });
}

const doing = {
  "model.pull": "Downloading",
  "model.verify": "Checking",
  "engine.add": "Downloading",
} as const;
const finished = {
  "model.pull": "It is here",
  "model.verify": "Every file is what it should be",
  "engine.add": "It is on",
} as const;
/** Beyond it nobody waits. */
const longestSeconds = 7 * 24 * 3600;
