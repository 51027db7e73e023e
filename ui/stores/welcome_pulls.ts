// Pulls that end in a chat: whoever began one here is led to the model when it is there. Caller: the first run's page.

import { AppError, toAppError, type WireError } from "../../plugins/runtime/contract/error.ts";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { Jobs } from "./jobs.ts";
import { createNotifier, type Observable } from "./observable.ts";

export type PullState =
  | { kind: "idle" }
  /** The server was asked, and has not answered. */
  | { kind: "asking" }
  | { kind: "job"; job: Job }
  /** The server did not begin. */
  | { kind: "refused"; error: WireError };

export type PullAct = "pause" | "resume" | "cancel" | "retry" | "forget";

export interface WelcomePulls extends Observable {
  /** By what was asked for. */
  state(source: string): PullState;
  /** Waits for a pull that ran before the page was opened. */
  adopt(source: string, jobId: string): void;
  /** Begins, or tries again after a failure; never rejects. */
  begin(source: string): Promise<void>;
  /** What is done with the pull of a source; never rejects. */
  control(source: string, act: PullAct): Promise<void>;
  /** Nobody is led to a chat any more; pulls go on. */
  close(): void;
}

export interface WelcomePullsDeps {
  jobs: Pick<Jobs, "pull" | "byId" | "workingOn" | "control" | "retry" | "forget" | "ended">;
  /** Called once, with the model of the pull that was begun last. */
  chat(modelId: string): void;
}

export function createWelcomePulls({ jobs, chat }: WelcomePullsDeps): WelcomePulls {
  const notifier = createNotifier();
  /** By source: the job, or why there is none. */
  const known = new Map<string, Known>();
  /** The job that the person waits for. */
  let wanted: string | undefined;

  let closed = false;

  const close = () => {
    closed = true;
    stop();
  };
  const arrive = (modelId: string) => {
    if (closed) return;
    close();
    chat(modelId);
  };
  const stop = jobs.ended((job) => {
    if (job.id === wanted && job.status === "done" && job.modelId !== undefined) {
      arrive(job.modelId);
    }
  });

  function become(source: string, next: Known): void {
    known.set(source, next);
    notifier.notify();
  }

  async function ask(source: string, work: () => Promise<Job>): Promise<void> {
    if ("asking" in (known.get(source) ?? {})) return;
    become(source, { asking: true });
    try {
      const job = await work();
      become(source, { jobId: job.id });
      wanted = job.id;
      // A small file is there before the answer is.
      const now = jobs.byId(job.id) ?? job;
      if (now.status === "done" && now.modelId !== undefined) arrive(now.modelId);
    } catch (thrown) {
      const here = modelIdOf(thrown);
      if (here !== undefined) {
        known.delete(source);
        return arrive(here);
      }
      become(source, { error: toAppError(thrown).toWire() });
    }
  }

  return {
    subscribe: notifier.subscribe,
    adopt(source, jobId) {
      if (known.has(source)) return;
      wanted ??= jobId;
      become(source, { jobId });
    },
    state(source) {
      const one = known.get(source);
      if (one !== undefined && "asking" in one) return { kind: "asking" };
      if (one !== undefined && "error" in one) return { kind: "refused", error: one.error };
      const job = jobs.byId(one?.jobId ?? "") ?? jobs.workingOn(source);
      // One that was cancelled is as if it had not been.
      return job === undefined || job.status === "cancelled"
        ? { kind: "idle" }
        : { kind: "job", job };
    },
    begin(source) {
      const state = this.state(source);
      const failed = state.kind === "job" && state.job.status === "failed" ? state.job : undefined;
      return ask(source, () => failed === undefined ? jobs.pull(source) : jobs.retry(failed));
    },
    async control(source, act) {
      const state = this.state(source);
      if (state.kind !== "job") return;
      const { job } = state;
      if (act === "retry" || act === "resume") return await ask(source, () => jobs.retry(job));
      try {
        if (act === "forget") await jobs.forget(job.id);
        else await jobs.control(job.id, act);
      } catch {
        // What became of it comes as its next state.
      }
      if (act !== "pause") known.delete(source);
      notifier.notify();
    },
    close,
  };
}

type Known = { jobId: string } | { asking: true } | { error: WireError };

/** Of the model that is there already. */
function modelIdOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof AppError) || thrown.code !== "CONFLICT") return undefined;
  const { modelId } = (thrown.details ?? {}) as { modelId?: unknown };
  return typeof modelId === "string" ? modelId : undefined;
}
