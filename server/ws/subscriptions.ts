// The topics of one socket. A subscription first catches up with what is kept, a page at a time and only as fast
// as the client reads, and joins the live events in the same turn in which nothing is left: none lost, none twice.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { PluginHost } from "../../plugins/runtime/host/host.ts";
import type { ServerMessage, SocketTopic } from "../../plugins/runtime/host/socket_message.ts";
import { type EventFanOut, type Interest, toMessages } from "./event_fan_out.ts";
import type { JobFanOut, JobSubscriber } from "./job_fan_out.ts";
import type { Outbox } from "./outbox.ts";

export interface SubscriptionsDeps {
  host: Pick<PluginHost, "history">;
  fanOut: EventFanOut;
  jobFanOut: JobFanOut;
  /** Whether this socket's credential may. */
  maySeeJob(job: Job): boolean;
  outbox: Outbox;
  send(message: ServerMessage): void;
  maxSubscriptions: number;
}

export class Subscriptions {
  readonly #deps: SubscriptionsDeps;
  readonly #held = new Map<string, Subscription>();
  /** Those that have something to catch up with; one at a time, so that they cost one socket's share. */
  readonly #behind: Subscription[] = [];
  #catchingUp = false;
  readonly #jobSubscriber: JobSubscriber;

  constructor(deps: SubscriptionsDeps) {
    this.#deps = deps;
    this.#jobSubscriber = {
      send: (text) => deps.outbox.send(text),
      maySee: (job) => deps.maySeeJob(job),
    };
  }

  /** Throws RATE_LIMITED beyond the limit. A second time it is only confirmed. */
  add(topic: SocketTopic, pluginId: string | undefined, after: number | undefined): void {
    const { maxSubscriptions } = this.#deps;
    const key = keyOf(topic, pluginId);
    const existing = this.#held.get(key);
    if (existing !== undefined) {
      // One that catches up still answers when it is done.
      if (existing.live) this.#confirm(existing);
      return;
    }
    if (this.#held.size >= maxSubscriptions) {
      throw new AppError("RATE_LIMITED", `A socket may have ${maxSubscriptions} subscriptions`, {
        details: { limit: maxSubscriptions },
        retryable: false,
      });
    }
    const subscription = { topic, pluginId, after, gap: false, live: false };
    this.#held.set(key, subscription);
    this.#behind.push(subscription);
    if (!this.#catchingUp) void this.#catchUp();
  }

  remove(topic: SocketTopic, pluginId: string | undefined): void {
    const key = keyOf(topic, pluginId);
    const subscription = this.#held.get(key);
    this.#held.delete(key);
    if (subscription?.live) this.#leave(subscription);
  }

  clear(): void {
    for (const subscription of this.#held.values()) {
      if (subscription.live) this.#leave(subscription);
    }
    this.#held.clear();
    this.#behind.length = 0;
  }

  async #catchUp(): Promise<void> {
    const { outbox } = this.#deps;
    this.#catchingUp = true;
    for (let next = this.#behind[0]; next !== undefined; next = this.#behind[0]) {
      const wanted = this.#held.get(keyOf(next.topic, next.pluginId)) === next;
      if (wanted && !this.#replayPage(next)) {
        await outbox.drained();
        continue;
      }
      this.#behind.shift();
      if (!wanted) continue;
      this.#join(next);
      next.live = true;
      this.#confirm(next);
    }
    this.#catchingUp = false;
  }

  #join({ topic, pluginId }: Subscription): void {
    const { fanOut, jobFanOut, outbox } = this.#deps;
    if (topic === "jobs") jobFanOut.add(this.#jobSubscriber);
    else fanOut.add(outbox, { topic, pluginId });
  }

  #leave({ topic, pluginId }: Subscription): void {
    const { fanOut, jobFanOut, outbox } = this.#deps;
    if (topic === "jobs") jobFanOut.remove(this.#jobSubscriber);
    else fanOut.remove(outbox, { topic, pluginId });
  }

  /** Sends what was missed until the client has enough to read; answers whether that was all. */
  #replayPage(subscription: Subscription): boolean {
    const { host, outbox, send } = this.#deps;
    const { topic, pluginId, after } = subscription;
    if (after === undefined || topic === "jobs") return true;
    if (outbox.isFull) return false;
    const { events, gap } = host.history({ topic, pluginId, after });
    subscription.gap ||= gap;
    for (const message of toMessages(events)) {
      if (outbox.isFull) return false;
      send(message);
      subscription.after = message.seq;
    }
    return true;
  }

  #confirm({ topic, pluginId, gap }: Subscription): void {
    const of = pluginId === undefined ? { topic } : { topic, pluginId };
    this.#deps.send({ type: "subscribed", payload: { ...of, gap } });
  }
}

interface Subscription extends Omit<Interest, "topic"> {
  topic: SocketTopic;
  /** The newest `seq` that the client has; undefined: nothing is replayed. */
  after: number | undefined;
  gap: boolean;
  live: boolean;
}

function keyOf(topic: SocketTopic, pluginId: string | undefined): string {
  return `${topic} ${pluginId ?? ""}`;
}
