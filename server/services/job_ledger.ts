// All jobs of this server as they are now. The ledger in memory is the truth; the database is told of each change, at
// once or within seconds, and again until it takes it. Caller: job_runner.ts.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Job, JobStatus } from "../../plugins/runtime/contract/job.ts";
import type { Rate } from "./job_rate.ts";
import type { JobStore, StoredJob } from "./job_store.ts";

export interface JobEntry {
  job: StoredJob;
  step?: string | undefined;
  run?: JobRun | undefined;
}

export interface JobRun {
  readonly abort: AbortController;
  readonly rate: Rate;
  settled: Promise<void>;
  /** What the job becomes when its work has let go. */
  wish?: JobStatus;
}

export type JobChange = { [Field in keyof StoredJob]?: StoredJob[Field] | undefined };

export interface JobLedger {
  /** Oldest first. */
  all(): JobEntry[];
  /** Newest first. */
  newest(): JobEntry[];
  /** Throws NOT_FOUND. */
  find(id: string): JobEntry;
  has(id: string): boolean;
  add(job: StoredJob): JobEntry;
  /** Fields that are undefined are taken away. */
  change(entry: JobEntry, fields: JobChange): void;
  /** Writes what changed. Rejects when the database does not take it; then it is tried again. */
  write(): Promise<void>;
  /** Writes it within a few seconds. */
  writeLater(): void;
  /** Forgets them, in the database too. */
  remove(ids: readonly string[]): Promise<void>;
  /** Nothing is written any more. */
  close(): Promise<void>;
}

export interface JobLedgerOptions {
  store: JobStore;
  /** Called with each job that changed. */
  changed(id: string): void;
  failed(error: unknown): void;
  /** Ms since the epoch. */
  now: () => number;
  writeEveryMs: number;
}

export async function openJobLedger(options: JobLedgerOptions): Promise<JobLedger> {
  const { store, changed, failed, now, writeEveryMs } = options;
  const entries = new Map<string, JobEntry>();
  for (const job of await store.load()) {
    // It ran when the server ended.
    entries.set(job.id, { job: job.status === "running" ? { ...job, status: "queued" } : job });
  }
  /** What the database has not seen yet. */
  const unwritten = new Set<string>();
  let writing: Promise<void> = Promise.resolve();
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function writeAll(): Promise<void> {
    for (const id of [...unwritten]) {
      unwritten.delete(id);
      const entry = entries.get(id);
      if (entry === undefined) continue;
      try {
        await store.put({ ...entry.job });
      } catch (error) {
        if (entries.has(id)) unwritten.add(id);
        ledger.writeLater();
        throw error;
      }
    }
  }

  const ledger: JobLedger = {
    all: () => [...entries.values()],
    newest: () => [...entries.values()].reverse(),
    find(id) {
      const entry = entries.get(id);
      if (entry !== undefined) return entry;
      throw new AppError("NOT_FOUND", `There is no job ${JSON.stringify(id.slice(0, 100))}`);
    },
    has: (id) => entries.has(id),
    add(job) {
      const entry: JobEntry = { job };
      entries.set(job.id, entry);
      unwritten.add(job.id);
      return entry;
    },
    change(entry, fields) {
      // A clock that was set back does not make it older.
      const updatedAtMs = Math.max(now(), entry.job.updatedAtMs);
      const next: Record<string, unknown> = { ...entry.job, ...fields, updatedAtMs };
      for (const [field, value] of Object.entries(next)) {
        if (value === undefined) delete next[field];
      }
      entry.job = next as unknown as StoredJob;
      unwritten.add(entry.job.id);
      changed(entry.job.id);
    },
    write() {
      clearTimeout(timer);
      timer = undefined;
      const written = writing.then(writeAll);
      writing = written.catch(() => {});
      return written;
    },
    writeLater() {
      timer ??= setTimeout(() => {
        timer = undefined;
        ledger.write().catch(failed);
      }, writeEveryMs);
    },
    async remove(ids) {
      for (const id of ids) entries.delete(id);
      // A write that is on its way would bring it back.
      await writing;
      await store.delete(ids);
    },
    async close() {
      await writing;
      clearTimeout(timer);
    },
  };
  return ledger;
}

/** As clients see it. */
export function viewJob({ job: { input: _, ...job }, step, run }: JobEntry): Job {
  const bytesPerSecond = run?.rate.perSecond();
  return {
    ...job,
    ...(step === undefined ? {} : { step }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
  };
}
