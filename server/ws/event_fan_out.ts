// Events of the host to the sockets that subscribed. An event costs its subscribers alone, and its text is made
// once for all of them. Messages go out in order of `seq`; log lines that follow each other go out together.

import type {
  EventTopic,
  HostEvent,
  LogLine,
  PluginHost,
} from "../../plugins/runtime/host/host.ts";
import type { ServerMessage } from "../../plugins/runtime/host/socket_message.ts";

export interface Subscriber {
  send(text: string): void;
}

/** What a subscriber wants; without `pluginId` of every plugin. */
export interface Interest {
  topic: EventTopic;
  pluginId: string | undefined;
}

export interface EventFanOut {
  /** From now on: what happened before, held back or not, does not reach this subscriber. */
  add(subscriber: Subscriber, interest: Interest): void;
  remove(subscriber: Subscriber, interest: Interest): void;
  close(): void;
}

export interface EventFanOutOptions {
  /** How long lines are held back after one went out, ms. */
  batchMs?: number;
}

export function createEventFanOut(
  host: Pick<PluginHost, "subscribe">,
  { batchMs = 50 }: EventFanOutOptions = {},
): EventFanOut {
  const topics = new Map<EventTopic, Audience>();
  let held: HostEvent[] = [];
  let window: ReturnType<typeof setTimeout> | undefined;

  const flush = () => {
    const events = held;
    held = [];
    for (const message of toMessages(events)) deliver(message);
  };
  const openWindow = () => {
    window = setTimeout(() => {
      window = undefined;
      if (held.length === 0) return;
      flush();
      openWindow();
    }, batchMs);
  };
  const deliver = (message: EventMessage) => {
    const audience = topics.get(message.type);
    if (audience === undefined) return;
    const { every, ofPlugin } = audience;
    const some = ofPlugin.get(message.payload.pluginId);
    if (every.size === 0 && some === undefined) return;
    const text = JSON.stringify(message);
    for (const subscriber of every) subscriber.send(text);
    for (const subscriber of some ?? []) {
      if (!every.has(subscriber)) subscriber.send(text);
    }
  };
  const isHeard = ({ topic, pluginId }: HostEvent) => {
    const audience = topics.get(topic);
    return audience !== undefined && (audience.every.size > 0 || audience.ofPlugin.has(pluginId));
  };
  const unsubscribe = host.subscribe((event) => {
    if (!isHeard(event)) return;
    held.push(event);
    // A line within the window waits; anything else goes out now, after the lines before it.
    if (event.topic === "logs") {
      if (window !== undefined) return;
      openWindow();
    }
    flush();
  });

  return {
    add(subscriber, { topic, pluginId }) {
      flush();
      let audience = topics.get(topic);
      if (audience === undefined) {
        topics.set(topic, audience = { every: new Set(), ofPlugin: new Map() });
      }
      if (pluginId === undefined) {
        audience.every.add(subscriber);
        return;
      }
      const some = audience.ofPlugin.get(pluginId);
      if (some === undefined) audience.ofPlugin.set(pluginId, new Set([subscriber]));
      else some.add(subscriber);
    },
    remove(subscriber, { topic, pluginId }) {
      const audience = topics.get(topic);
      if (audience === undefined) return;
      if (pluginId === undefined) {
        audience.every.delete(subscriber);
        return;
      }
      const some = audience.ofPlugin.get(pluginId);
      some?.delete(subscriber);
      if (some?.size === 0) audience.ofPlugin.delete(pluginId);
    },
    close() {
      clearTimeout(window);
      unsubscribe();
    },
  };
}

export type EventMessage = Extract<ServerMessage, { type: HostEvent["topic"] }>;

/** Events as messages, in their order: lines of one plugin that follow each other become one message. */
export function* toMessages(events: readonly HostEvent[]): Generator<EventMessage> {
  let run: { pluginId: string; lines: LogLine[] } | undefined;
  const logs = (payload: { pluginId: string; lines: LogLine[] }): EventMessage => ({
    type: "logs",
    seq: payload.lines.at(-1)?.seq ?? 0,
    payload,
  });
  for (const event of events) {
    const { pluginId, seq } = event;
    if (event.topic === "logs" && run?.pluginId === pluginId && run.lines.length < maxLines) {
      run.lines.push(event.line);
      continue;
    }
    if (run !== undefined) yield logs(run);
    run = undefined;
    switch (event.topic) {
      case "logs":
        run = { pluginId, lines: [event.line] };
        break;
      case "status":
        yield { type: "status", seq, payload: { pluginId, plugin: event.plugin } };
        break;
      case "telemetry":
        yield {
          type: "telemetry",
          seq,
          payload: { pluginId, atMs: event.atMs, telemetry: event.telemetry },
        };
        break;
      default:
        event satisfies never;
    }
  }
  if (run !== undefined) yield logs(run);
}

interface Audience {
  every: Set<Subscriber>;
  ofPlugin: Map<string, Set<Subscriber>>;
}

/** A line has up to 12 KiB. */
const maxLines = 200;
