// Changes of jobs to the sockets that subscribed: each to those alone who may see it, and its text made once.
// Nothing is replayed: who subscribes asks for the list of jobs once.

import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { ServerMessage } from "../../plugins/runtime/host/socket_message.ts";

export interface JobSubscriber {
  send(text: string): void;
  maySee(job: Job): boolean;
}

export interface JobFanOut {
  add(subscriber: JobSubscriber): void;
  remove(subscriber: JobSubscriber): void;
  close(): void;
}

export interface JobFanOutDeps {
  /** Undefined: this server has no jobs. */
  jobs: { watch(listener: (job: Job) => void): () => void } | undefined;
  /** Numbers of jobs' events go on from those of plugins, which they may share. */
  host: { readonly lastSeq: number };
}

export function createJobFanOut({ jobs, host }: JobFanOutDeps): JobFanOut {
  const subscribers = new Set<JobSubscriber>();
  let seq = 0;
  const unwatch = jobs?.watch((job) => {
    if (subscribers.size === 0) return;
    seq = Math.max(seq, host.lastSeq) + 1;
    const text = JSON.stringify({ type: "jobs", seq, payload: { job } } satisfies ServerMessage);
    for (const subscriber of subscribers) if (subscriber.maySee(job)) subscriber.send(text);
  });
  return {
    add: (subscriber) => void subscribers.add(subscriber),
    remove: (subscriber) => void subscribers.delete(subscriber),
    close: () => unwatch?.(),
  };
}
