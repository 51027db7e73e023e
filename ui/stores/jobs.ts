// What the server works on for its models: read once, then each change by the live connection.
// What is shown of one job never goes back.

import { toAppError, type WireError } from "../../plugins/runtime/contract/error.ts";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { Api } from "../api/client.ts";
import {
  controlJob,
  forgetJob,
  type JobAct,
  listJobs,
  startPull,
  startVerification,
} from "../api/jobs.ts";
import type { Live } from "../api/live.ts";
import { trustModel } from "../api/models.ts";
import type { App } from "../app.ts";
import { createNotifier, type Observable } from "./observable.ts";

export interface Jobs extends Observable {
  /** Newest first; undefined until they were read. */
  readonly list: readonly Job[] | undefined;
  /** Why they could not be read; `list` then holds what is known from before. */
  readonly error: WireError | undefined;
  byId(id: string): Job | undefined;
  /** The newest that works on a model, or a source, and has not ended. */
  workingOn(name: string): Job | undefined;
  /**
   * Begins to bring a model here; throws as the server refuses: CONFLICT when it is here already and no newer one is
   * looked for.
   */
  pull(source: string, options?: { update?: boolean }): Promise<Job>;
  verify(modelId: string): Promise<Job>;
  /** Lets native engines open a model; answers the job when its files must be read first. */
  trust(modelId: string): Promise<Job | undefined>;
  control(id: string, act: JobAct): Promise<Job>;
  /** The same again for one that failed, was cancelled or paused: with what is there of it, where the server can. */
  retry(job: Job): Promise<Job>;
  /** Takes an ended one off the list. */
  forget(id: string): Promise<void>;
  load(): Promise<void>;
  /** Calls `listener` with each job that ends while the page is open, whoever began it. */
  ended(listener: (job: Job) => void): () => void;
}

export interface JobsDeps {
  api: Api;
  live: Pick<Live, "follow" | "state" | "subscribe">;
}

export function isEnded({ status }: Pick<Job, "status">): boolean {
  return status === "done" || status === "failed" || status === "cancelled";
}

/** What is known of a job after `next` came, which may be older, or count less, than what came before it. */
export function mergeJob(known: Job | undefined, next: Job): Job {
  if (known === undefined) return next;
  if (next.updatedAtMs < known.updatedAtMs) return known;
  // Both were told within one millisecond: an end is not undone.
  if (next.updatedAtMs === known.updatedAtMs && isEnded(known) && !isEnded(next)) return known;
  return next.doneBytes >= known.doneBytes ? next : { ...next, doneBytes: known.doneBytes };
}

export function createJobs({ api, live }: JobsDeps): Jobs & Disposable {
  const notifier = createNotifier();
  const endListeners = new Set<(job: Job) => void>();
  let byId = new Map<string, Job>();
  let isRead = false;
  /** Made from `byId` when it is asked for. */
  let list: readonly Job[] | undefined;
  let error: WireError | undefined;
  let loading: Promise<void> | undefined;
  /** Ids that were heard of while the list is read: it may be older than they are. */
  const heard = new Set<string>();
  /** What was taken off the list: an older reading of it must not bring it back. */
  const forgotten = new Set<string>();
  /** Counts sign-outs: what was asked for before one is nobody's. */
  let turn = 0;

  const changed = () => {
    list = undefined;
    notifier.notify();
  };

  const merge = (next: Job): Job => {
    const known = byId.get(next.id);
    const job = mergeJob(known, next);
    byId.set(job.id, job);
    // What had ended before the page was opened is no news.
    const isNews = known === undefined ? isRead : !isEnded(known);
    if (isNews && isEnded(job)) { for (const tell of [...endListeners]) tell(job); }
    return job;
  };

  const take = (next: Job): Job => {
    heard.add(next.id);
    const job = merge(next);
    changed();
    return job;
  };

  const read = async () => {
    const started = turn;
    heard.clear();
    try {
      const jobs = await listJobs(api);
      if (turn !== started) return;
      const kept = new Set([...heard, ...jobs.map(({ id }) => id)]);
      for (const id of [...byId.keys()]) if (!kept.has(id)) byId.delete(id);
      for (const job of jobs) if (!forgotten.has(job.id)) merge(job);
      isRead = true;
      error = undefined;
    } catch (thrown) {
      if (turn === started) error = toAppError(thrown).toWire();
    }
  };

  const load = () =>
    loading ??= read().finally(() => {
      loading = undefined;
      changed();
    });

  const stops = [
    live.follow({ topic: "jobs" }, {
      event(event) {
        if (event.type !== "jobs" || forgotten.has(event.payload.job.id)) return;
        take(event.payload.job);
      },
      // At the start, and after each reconnect.
      ready: () => void load(),
    }),
    live.subscribe(() => {
      if (live.state.kind === "closed" && isRead) {
        turn++;
        byId = new Map();
        isRead = false;
        changed();
      } else if (live.state.kind === "lost") {
        // Where a proxy lets no WebSocket through, each of its tries is a look.
        void load();
      }
    }),
  ];

  return {
    subscribe: notifier.subscribe,
    get list() {
      if (!isRead) return undefined;
      return list ??= [...byId.values()].sort((one, other) =>
        other.createdAtMs - one.createdAtMs || other.id.localeCompare(one.id)
      );
    },
    get error() {
      return error;
    },
    byId: (id) => byId.get(id),
    workingOn(name) {
      return this.list?.find((job) =>
        !isEnded(job) && (job.modelId === name || job.title === name)
      );
    },
    pull: async (source, { update } = {}) => take(await startPull(api, { source, update })),
    verify: async (modelId) => take(await startVerification(api, modelId)),
    async trust(modelId) {
      const answer = await trustModel(api, modelId, true);
      return "status" in answer ? take(answer) : undefined;
    },
    control: async (id, act) => take(await controlJob(api, id, act)),
    async retry(job) {
      if (job.status === "paused" || job.status === "failed") {
        return take(await controlJob(api, job.id, "resume"));
      }
      return take(
        await (job.kind === "model.pull"
          ? startPull(api, { source: job.title })
          : startVerification(api, job.modelId ?? job.title)),
      );
    },
    async forget(id) {
      try {
        await forgetJob(api, id);
      } catch (thrown) {
        // Another page was faster.
        if (toAppError(thrown).code !== "NOT_FOUND") throw thrown;
      }
      forgotten.add(id);
      byId.delete(id);
      changed();
    },
    load,
    ended(listener) {
      endListeners.add(listener);
      return () => void endListeners.delete(listener);
    },
    [Symbol.dispose]() {
      for (const stop of stops) stop();
    },
  };
}

/** The page's, created when it is first needed; it lives as long as the app. */
export function jobsOf(app: App): Jobs {
  let jobs = opened.get(app);
  if (jobs === undefined) opened.set(app, jobs = createJobs(app));
  return jobs;
}

const opened = new WeakMap<App, Jobs>();
