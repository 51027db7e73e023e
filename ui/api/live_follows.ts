// Who follows what on the live socket, and how far each has come. Caller: live.ts.
// Each listener gets each event once and in order, whatever is replayed to whom and however often it reconnects.

import type { HistoryQuery } from "../../plugins/runtime/host/host.ts";
import type {
  ClientMessage,
  ServerMessage,
  SocketTopic,
} from "../../plugins/runtime/host/socket_message.ts";

/** What to follow, of one plugin or of all; jobs are no plugin's. */
export type LiveQuery = Omit<HistoryQuery, "topic"> & { topic: SocketTopic };

export type LiveEvent = Extract<
  ServerMessage,
  { type: "status" | "logs" | "telemetry" | "jobs" }
>;

export interface LiveListener {
  event(event: LiveEvent): void;
  /** The server no longer had all of what was missed. */
  gap?(): void;
  /** What was kept has been told; from now on it is live. */
  ready?(): void;
}

export interface LiveFollows {
  follow(query: LiveQuery, listener: LiveListener): () => void;
  /** A socket is open, as of `seq`: subscribes all anew. */
  connected(seq: number, send: (message: ClientMessage) => void): void;
  disconnected(): void;
  received(message: ServerMessage): void;
}

export function createLiveFollows({ failed }: { failed: (error: unknown) => void }): LiveFollows {
  const channels = new Map<string, Channel>();
  let send: ((message: ClientMessage) => void) | undefined;
  let lastSeq = 0;

  const attempt = (run: () => void) => {
    try {
      run();
    } catch (error) {
      failed(error);
    }
  };

  /** A server replays to a new subscription alone: whoever wants history on an old one subscribes it anew. */
  const subscribe = (channel: Channel) => {
    if (channel.subscribed) unsubscribe(channel);
    const after = Math.min(...[...channel.followers].map(({ position = 0 }) => position));
    channel.subscribed = true;
    send?.({ action: "SUB", ...channel.of, after });
  };

  const unsubscribe = (channel: Channel) => {
    if (!channel.subscribed) return;
    channel.subscribed = false;
    channel.unsubscribing++;
    send?.({ action: "UNSUB", ...channel.of });
  };

  const deliver = (follower: Follower, event: LiveEvent) => {
    const fresh = newerThan(event, (pluginId) => follower.seen.get(pluginId) ?? follower.start);
    if (fresh === undefined) return;
    follower.seen.set(pluginIdOf(fresh), fresh.seq);
    follower.position = Math.max(follower.position ?? 0, fresh.seq);
    attempt(() => follower.listener.event(fresh));
  };

  /** What was kept has come: the waiting are told of it, in order, and are live. */
  const join = (channel: Channel, gap: boolean) => {
    for (const follower of [...channel.followers]) {
      if (follower.joining === undefined) continue;
      const events = inOrder(follower.joining);
      follower.joining = undefined;
      // Who asks for all that is kept misses nothing.
      if (follower.overflowed || (gap && follower.position !== 0)) {
        attempt(() => follower.listener.gap?.());
      }
      follower.overflowed = false;
      for (const event of events) if (channel.followers.has(follower)) deliver(follower, event);
      if (channel.followers.has(follower)) attempt(() => follower.listener.ready?.());
    }
  };

  return {
    follow({ topic, pluginId, after }, listener) {
      const key = keyOf(topic, pluginId);
      const of = pluginId === undefined ? { topic } : { topic, pluginId };
      const channel = channels.get(key) ?? createChannel(of);
      channels.set(key, channel);
      const position = after ?? (send === undefined ? undefined : lastSeq);
      const follower: Follower = {
        position,
        start: position ?? 0,
        seen: new Map(),
        joining: [],
        overflowed: false,
        listener,
      };
      const others = [...channel.followers];
      channel.followers.add(follower);
      if (send !== undefined && after !== undefined) subscribe(channel);
      else if (send !== undefined && !channel.subscribed) {
        channel.subscribed = true;
        send({ action: "SUB", ...of });
      } else if (others.some(({ joining }) => joining === undefined)) {
        follower.joining = undefined;
        queueMicrotask(() => channel.followers.has(follower) && attempt(() => listener.ready?.()));
      }
      return () => {
        if (!channel.followers.delete(follower) || channel.followers.size > 0) return;
        unsubscribe(channel);
      };
    },
    connected(seq, sendMessage) {
      send = sendMessage;
      lastSeq = seq;
      for (const [key, channel] of [...channels]) {
        if (channel.followers.size === 0) channels.delete(key);
        for (const follower of channel.followers) {
          if (follower.position === undefined) follower.position = follower.start = seq;
          if (follower.position <= seq) continue;
          // The server counts anew, so it lost what it knew: all that it has is new.
          follower.position = follower.start = 0;
          follower.seen.clear();
          attempt(() => follower.listener.gap?.());
        }
        if (channel.followers.size > 0) subscribe(channel);
      }
    },
    disconnected() {
      send = undefined;
      for (const channel of channels.values()) {
        channel.subscribed = false;
        channel.unsubscribing = 0;
        for (const follower of channel.followers) follower.joining = [];
      }
    },
    received(message) {
      if (message.type === "subscribed" || message.type === "unsubscribed") {
        const channel = channels.get(keyOf(message.payload.topic, message.payload.pluginId));
        if (channel === undefined) return;
        if (message.type === "unsubscribed") channel.unsubscribing--;
        // Else it answers a subscription that has been given up.
        else if (channel.unsubscribing === 0) join(channel, message.payload.gap);
      } else if (isEvent(message)) {
        // Jobs count ahead of what plugins tell, which would then seem to be old.
        if (message.type !== "jobs") lastSeq = Math.max(lastSeq, message.seq);
        const keys = [keyOf(message.type, undefined), keyOf(message.type, pluginIdOf(message))];
        for (const key of keys) {
          for (const follower of [...channels.get(key)?.followers ?? []]) {
            if (follower.joining === undefined) deliver(follower, message);
            else if (follower.joining.push(message) > maxJoining) {
              follower.joining.splice(0, maxJoining / 2);
              follower.overflowed = true;
            }
          }
        }
      }
    },
  };
}

/** All who follow one topic of one plugin, or of every plugin: one subscription of the socket. */
interface Channel {
  of: { topic: SocketTopic; pluginId?: string };
  followers: Set<Follower>;
  subscribed: boolean;
  /** UNSUBs without an answer yet. */
  unsubscribing: number;
}

interface Follower {
  /** The highest `seq` that it got, or that it asked to start after; undefined: from the first bootstrap on. */
  position: number | undefined;
  start: number;
  /** The highest `seq` by plugin: one plugin's replay may overtake another's events. */
  seen: Map<string, number>;
  /** Events that come while it waits for what is kept; told in order when all of it is here. */
  joining: LiveEvent[] | undefined;
  overflowed: boolean;
  listener: LiveListener;
}

function createChannel(of: Channel["of"]): Channel {
  return { of, followers: new Set(), subscribed: false, unsubscribing: 0 };
}

/** More than a server keeps of the logs of 50 plugins. */
const maxJoining = 50_000;

function keyOf(topic: string, pluginId: string | undefined): string {
  return `${topic} ${pluginId ?? "*"}`;
}

function isEvent(message: ServerMessage): message is LiveEvent {
  return ["status", "logs", "telemetry", "jobs"].includes(message.type);
}

function pluginIdOf(event: LiveEvent): string {
  return event.type === "jobs" ? "" : event.payload.pluginId;
}

/** What of an event is new to whom has seen `seen` of its plugin. */
function newerThan(
  event: LiveEvent,
  seen: (pluginId: string) => number,
): LiveEvent | undefined {
  const after = seen(pluginIdOf(event));
  if (event.seq <= after) return undefined;
  if (event.type !== "logs") return event;
  const { pluginId, lines } = event.payload;
  if ((lines[0]?.seq ?? 0) > after) return event;
  return { ...event, payload: { pluginId, lines: lines.filter(({ seq }) => seq > after) } };
}

/** By `seq`, each once: live events may have come before and amid a replay, and lines come in batches. */
function inOrder(events: LiveEvent[]): LiveEvent[] {
  const single = events.flatMap((event): LiveEvent[] => {
    if (event.type !== "logs") return [event];
    const { pluginId, lines } = event.payload;
    return lines.map((line) => ({ ...event, seq: line.seq, payload: { pluginId, lines: [line] } }));
  });
  single.sort((one, other) => one.seq - other.seq);
  const merged: LiveEvent[] = [];
  for (const event of single) {
    const last = merged.at(-1);
    if (last?.seq === event.seq) continue;
    if (
      event.type === "logs" && last?.type === "logs" &&
      last.payload.pluginId === event.payload.pluginId
    ) {
      last.payload.lines.push(...event.payload.lines);
      last.seq = event.seq;
    } else merged.push(event);
  }
  return merged;
}
