// Tells watchers of jobs as they change: at most every so often for one job, and then as it is by then.
// Caller: job_runner.ts. The last state of a job is always told.

import type { Job } from "../../plugins/runtime/contract/job.ts";

export interface JobEvents {
  changed(id: string): void;
  watch(listener: (job: Job) => void): () => void;
  /** Tells at once what waits. */
  flush(): void;
}

export interface JobEventsDeps {
  /** The job as it is; undefined when it is gone. */
  view(id: string): Job | undefined;
  /** A listener threw. */
  failed(error: unknown): void;
  /** Between two events of a job, ms. */
  everyMs?: number;
}

export function createJobEvents({ view, failed, everyMs = 200 }: JobEventsDeps): JobEvents {
  const listeners = new Set<{ listener: (job: Job) => void }>();
  /** Jobs that were told within `everyMs`, and whether they changed since. */
  const resting = new Map<string, { timer: ReturnType<typeof setTimeout>; changed: boolean }>();

  function tell(id: string): void {
    const job = view(id);
    if (job === undefined) return;
    for (const { listener } of [...listeners]) {
      try {
        listener(job);
      } catch (error) {
        failed(error);
      }
    }
  }

  function rest(id: string): void {
    const timer = setTimeout(() => {
      const changed = resting.get(id)?.changed;
      resting.delete(id);
      if (!changed) return;
      rest(id);
      tell(id);
    }, everyMs);
    resting.set(id, { timer, changed: false });
  }

  return {
    changed(id) {
      const waiting = resting.get(id);
      if (waiting !== undefined) {
        waiting.changed = true;
        return;
      }
      rest(id);
      tell(id);
    },
    watch(listener) {
      const entry = { listener };
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    flush() {
      const waiting = [...resting];
      resting.clear();
      for (const [id, { timer, changed }] of waiting) {
        clearTimeout(timer);
        if (changed) tell(id);
      }
    },
  };
}
