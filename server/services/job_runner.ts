// Runs jobs: a few of each kind at once, the others in order; pauses, resumes, ends and forgets them.
// Caller: open_models.ts.

import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import type { Job, JobKind } from "../../plugins/runtime/contract/job.ts";
import { createJobEvents } from "./job_events.ts";
import {
  type JobChange,
  type JobEntry,
  type JobRun,
  openJobLedger,
  viewJob,
} from "./job_ledger.ts";
import { createRate } from "./job_rate.ts";
import type { JobStore } from "./job_store.ts";
import {
  hasEnded,
  isLive,
  type JobProgress,
  type Jobs,
  type JobWork,
  type NewJob,
} from "./jobs.ts";

export interface JobRunner extends Jobs, AsyncDisposable {
  /** Throws QUEUE_FULL when too many wait. Whoever asks `search` in the same turn sees it. */
  add(job: NewJob): Promise<Job>;
  /** The newest job that is as wanted. */
  search(wanted: (job: Job, input: unknown) => boolean): Job | undefined;
  /** Begins; what was queued or running when the server stopped goes on. */
  start(): void;
}

export interface JobRunnerOptions {
  store: JobStore;
  kinds: Readonly<Record<JobKind, JobWork>>;
  /** The database, a watcher, or a job without a reason for clients. */
  failed(error: unknown): void;
  /** Ms since the epoch. */
  now?: () => number;
  /** Monotonic, ms. */
  clock?: () => number;
  /** Between two writes of progress, ms. Default 3 s. */
  writeEveryMs?: number;
  /** Between two events of one job, ms. Default 200. */
  eventEveryMs?: number;
  /** How long `stop` waits for work to let go, ms. Default 5 s. */
  stopMs?: number;
  /** Ended jobs that are kept. Default 500, for 30 days. */
  maxEnded?: number;
  maxAgeMs?: number;
  /** Jobs that have not ended. Default 500. */
  maxLive?: number;
}

export async function openJobs(options: JobRunnerOptions): Promise<JobRunner> {
  const { store, kinds, failed, now = Date.now, clock = () => performance.now() } = options;
  const { writeEveryMs = 3000, eventEveryMs = 200, stopMs = 5000 } = options;
  const { maxEnded = 500, maxAgeMs = 30 * 24 * 60 * 60_000, maxLive = 500 } = options;
  const events = createJobEvents({
    view: (id) => ledger.has(id) ? viewJob(ledger.find(id)) : undefined,
    failed,
    everyMs: eventEveryMs,
  });
  const ledger = await openJobLedger({ store, changed: events.changed, failed, now, writeEveryMs });
  const stopping = new AbortController();
  let started = false;

  /** Runs what waits, as far as there is room. */
  function begin(): void {
    if (!started || stopping.signal.aborted) return;
    const running = new Map<JobKind, number>();
    const count = (kind: JobKind) => running.set(kind, (running.get(kind) ?? 0) + 1);
    for (const { job, run } of ledger.all()) if (run !== undefined) count(job.kind);
    for (const entry of ledger.all()) {
      const { kind, status } = entry.job;
      const hasRoom = (running.get(kind) ?? 0) < kinds[kind].concurrency;
      if (status !== "queued" || entry.run !== undefined || !hasRoom) continue;
      count(kind);
      const run: JobRun = {
        abort: new AbortController(),
        rate: createRate({ now: clock }),
        settled: Promise.resolve(),
      };
      entry.run = run;
      ledger.change(entry, { status: "running" });
      run.settled = work(entry, run).catch(failed);
    }
    ledger.write().catch(failed);
  }

  async function work(entry: JobEntry, run: JobRun): Promise<void> {
    const { id, kind, input } = entry.job;
    let outcome: JobChange;
    try {
      const result = await kinds[kind].run({
        id,
        input,
        signal: run.abort.signal,
        tell: (progress) => note(entry, run, progress),
        remember(next) {
          if (entry.run === run) ledger.change(entry, { input: next });
        },
      });
      outcome = { status: "done", result };
    } catch (thrown) {
      outcome = run.wish === undefined
        ? { status: "failed", error: publicError(thrown).toWire() }
        : { status: run.wish };
    }
    // Else `stop` did not wait for it.
    if (entry.run !== run) return;
    if (outcome.status === "cancelled") await discard(entry);
    entry.run = entry.step = undefined;
    ledger.change(entry, outcome);
    begin();
    await ledger.write();
    if (hasEnded(entry.job)) await trim();
  }

  function note(entry: JobEntry, run: JobRun, progress: JobProgress): void {
    if (entry.run !== run) return;
    const { doneBytes = 0, totalBytes, modelId } = progress;
    if ("doneBytes" in progress) run.rate.add(doneBytes);
    if ("step" in progress) entry.step = progress.step;
    const isNamed = modelId !== undefined && modelId !== entry.job.modelId;
    ledger.change(entry, {
      doneBytes: Math.max(entry.job.doneBytes, doneBytes),
      ...(totalBytes === undefined ? {} : { totalBytes }),
      ...(modelId === undefined ? {} : { modelId }),
    });
    if (isNamed) ledger.write().catch(failed);
    else ledger.writeLater();
  }

  /** What was not meant for clients stays in the log. */
  function publicError(thrown: unknown): AppError {
    const error = toAppError(thrown);
    if (error === thrown || error.code !== "INTERNAL") return error;
    failed(thrown);
    return new AppError("INTERNAL", "Something failed inside the server; its log tells what");
  }

  async function discard({ job }: JobEntry): Promise<void> {
    await kinds[job.kind].discard?.(job.id).catch(failed);
  }

  /** Forgets what ended long ago. */
  async function trim(): Promise<void> {
    const ended = ledger.all().filter(({ job }) => hasEnded(job))
      .sort((one, other) => other.job.updatedAtMs - one.job.updatedAtMs);
    const oldestMs = now() - maxAgeMs;
    await remove(ended.filter(({ job }, index) => index >= maxEnded || job.updatedAtMs < oldestMs));
  }

  async function remove(entries: readonly JobEntry[]): Promise<void> {
    if (entries.length === 0) return;
    await ledger.remove(entries.map(({ job }) => job.id));
    for (const entry of entries) if (entry.job.status === "failed") await discard(entry);
  }

  /** The job becomes `status`, unless its work is done before it lets go. */
  async function end(entry: JobEntry, status: "paused" | "cancelled"): Promise<Job> {
    const { run } = entry;
    if (run === undefined) {
      // First: while it discards, nothing may begin or resume it.
      ledger.change(entry, { status, error: undefined });
      if (status === "cancelled") await discard(entry);
    } else {
      if (run.wish !== "cancelled") run.wish = status;
      run.abort.abort(new AppError("CANCELLED", `The job is ${status}`));
      await run.settled;
    }
    await ledger.write();
    return viewJob(entry);
  }

  async function stop(): Promise<void> {
    if (stopping.signal.aborted) return;
    stopping.abort(new AppError("UNAVAILABLE", "The server is shutting down"));
    const entries = ledger.all().filter(({ run }) => run !== undefined);
    for (const { run } of entries) {
      run!.wish ??= "queued";
      run!.abort.abort(stopping.signal.reason);
    }
    const late = Promise.withResolvers<void>();
    const limit = setTimeout(late.resolve, stopMs);
    await Promise.race([Promise.all(entries.map(({ run }) => run?.settled)), late.promise]);
    clearTimeout(limit);
    for (const entry of entries) {
      const { run } = entry;
      if (run === undefined) continue;
      entry.run = undefined;
      ledger.change(entry, { status: run.wish ?? "queued" });
    }
    await ledger.write().catch(failed);
  }

  return {
    async add({ kind, title, modelId, input, createdBy }) {
      const all = ledger.newest();
      if (all.filter(({ job }) => isLive(job)).length >= maxLive) {
        throw new AppError("QUEUE_FULL", `${maxLive} jobs wait already`);
      }
      const atMs = Math.max(now(), all[0]?.job.createdAtMs ?? 0);
      const entry = ledger.add({
        id: crypto.randomUUID(),
        kind,
        status: "queued",
        title,
        input,
        doneBytes: 0,
        createdBy,
        createdAtMs: atMs,
        updatedAtMs: atMs,
        ...(modelId === undefined ? {} : { modelId }),
      });
      const { id } = entry.job;
      try {
        await ledger.write();
      } catch (error) {
        await ledger.remove([id]).catch(failed);
        throw error;
      }
      events.changed(id);
      begin();
      return viewJob(entry);
    },
    search: (wanted) => {
      const entry = ledger.newest().find((entry) => wanted(viewJob(entry), entry.job.input));
      return entry && viewJob(entry);
    },
    list({ createdBy, status, kind, limit = 100 } = {}) {
      const wanted = ledger.newest().filter(({ job }) =>
        (createdBy === undefined || job.createdBy === createdBy) &&
        (kind === undefined || job.kind === kind) &&
        (status === undefined || status.includes(job.status))
      );
      return wanted.slice(0, limit).map(viewJob);
    },
    get: (id) => viewJob(ledger.find(id)),
    async pause(id) {
      const entry = ledger.find(id);
      if (entry.job.status === "paused") return viewJob(entry);
      if (!isLive(entry.job)) throw wrongState(entry, "pause");
      return await end(entry, "paused");
    },
    async resume(id) {
      const entry = ledger.find(id);
      // One that is letting go is resumed when it has.
      if (entry.run?.wish !== undefined) await entry.run.settled;
      const { status } = entry.job;
      if (status === "done" || status === "cancelled") throw wrongState(entry, "resume");
      if (status === "paused" || status === "failed") {
        ledger.change(entry, { status: "queued", error: undefined });
        await ledger.write();
        begin();
      }
      return viewJob(entry);
    },
    async cancel(id) {
      const entry = ledger.find(id);
      if (!isLive(entry.job) && entry.job.status !== "failed") throw wrongState(entry, "cancel");
      return await end(entry, "cancelled");
    },
    async forget(id) {
      const entry = ledger.find(id);
      if (!hasEnded(entry.job)) throw wrongState(entry, "forget");
      await remove([entry]);
    },
    watch: events.watch,
    async *follow(id, signal) {
      let changed = Promise.withResolvers<void>();
      const wake = () => changed.resolve();
      const unwatch = events.watch((job) => job.id === id && wake());
      signal.addEventListener("abort", wake);
      stopping.signal.addEventListener("abort", wake);
      try {
        while (true) {
          const job = viewJob(ledger.find(id));
          if (!isLive(job) || job.status === "paused") return job;
          signal.throwIfAborted();
          stopping.signal.throwIfAborted();
          changed = Promise.withResolvers<void>();
          yield job;
          await changed.promise;
        }
      } finally {
        unwatch();
        signal.removeEventListener("abort", wake);
        stopping.signal.removeEventListener("abort", wake);
      }
    },
    start() {
      started = true;
      trim().catch(failed);
      begin();
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await ledger.close();
      events.flush();
    },
  };
}

function wrongState({ job }: JobEntry, verb: string): AppError {
  const state = job.status === "failed" ? "has failed" : `is ${job.status}`;
  return new AppError("CONFLICT", `The job ${state}: you cannot ${verb} it`, {
    details: { status: job.status },
  });
}
