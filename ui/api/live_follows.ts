// Who follows what on the live socket, and how far each has come. Caller: live.ts.
// Each listener gets each event once and in order, whatever is replayed to whom and however often it reconnects.

import type { HistoryQuery } from "../../plugins/runtime/host/host.ts";
import type { ClientMessage, ServerMessage } from "../../plugins/runtime/host/socket_message.ts";

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
  follow(query: HistoryQuery, listener: LiveListener): () => void;
  /** A socket is open, as of `seq`: subscribes all anew. */
  connected(seq: number, send: (message: ClientMessage) => void): void;
  disconnected(): void;
  received(message: ServerMessage): void;
}

export function createLiveFollows({ failed }: { failed: (error: unknown) => void }): LiveFollows {
  const followers = new Set<Follower>();
  let send: ((message: ClientMessage) => void) | undefined;
  let lastSeq = 0;
  /** Who waits for the answer to a SUB, in the order of sending, by topic and plugin. */
  let waiting = new Map<string, Follower[][]>();

  /** One SUB for followers of the same thing that have come equally far. */
  const subscribe = (group: Follower[]) => {
    const [first] = group;
    if (first === undefined || send === undefined) return;
    for (const follower of group) follower.joining = [];
    const { topic, pluginId } = first;
    const queue = waiting.get(first.key) ?? [];
    waiting.set(first.key, [...queue, group]);
    send({
      action: "SUB",
      topic,
      ...(pluginId === undefined ? {} : { pluginId }),
      after: first.after!,
    });
  };

  const attempt = (run: () => void) => {
    try {
      run();
    } catch (error) {
      failed(error);
    }
  };

  const deliver = (follower: Follower, event: LiveEvent) => {
    const fresh = newerThan(event, (pluginId) => follower.seen.get(pluginId) ?? follower.start);
    if (fresh === undefined || !followers.has(follower)) return;
    follower.seen.set(pluginIdOf(fresh), fresh.seq);
    follower.after = Math.max(follower.after ?? 0, fresh.seq);
    attempt(() => follower.listener.event(fresh));
  };

  const subscribed = (key: string, gap: boolean) => {
    const queue = waiting.get(key) ?? [];
    for (const follower of queue.shift() ?? []) {
      const events = follower.joining ?? [];
      follower.joining = undefined;
      if (!followers.has(follower)) continue;
      // Who asks for all that is kept misses nothing.
      if (gap && follower.after !== 0) attempt(() => follower.listener.gap?.());
      for (const event of inOrder(events)) deliver(follower, event);
      attempt(() => follower.listener.ready?.());
    }
  };

  return {
    follow({ topic, pluginId, after }, listener) {
      const key = keyOf(topic, pluginId);
      const start = after ?? (send === undefined ? undefined : lastSeq);
      const follower: Follower = {
        key,
        topic,
        pluginId,
        after: start,
        start: start ?? 0,
        seen: new Map(),
        joining: undefined,
        listener,
      };
      const isLive = [...followers].some((other) =>
        other.key === key && other.joining === undefined
      );
      followers.add(follower);
      if (send === undefined) follower.joining = [];
      else if (isLive && after === undefined) {
        queueMicrotask(() => followers.has(follower) && attempt(() => listener.ready?.()));
      } else subscribe([follower]);
      return () => {
        if (!followers.delete(follower)) return;
        if ([...followers].some((other) => other.key === key)) return;
        send?.({ action: "UNSUB", topic, ...(pluginId === undefined ? {} : { pluginId }) });
      };
    },
    connected(seq, sendMessage) {
      send = sendMessage;
      lastSeq = seq;
      waiting = new Map();
      const groups = new Map<string, Follower[]>();
      for (const follower of followers) {
        if (follower.after === undefined) follower.after = follower.start = seq;
        if (follower.after > seq) {
          // The server counts anew, so it has lost what it knew: all that it has is new.
          follower.after = follower.start = 0;
          follower.seen.clear();
          attempt(() => follower.listener.gap?.());
        }
        const group = `${follower.key} ${follower.after}`;
        groups.set(group, [...groups.get(group) ?? [], follower]);
      }
      for (const group of groups.values()) subscribe(group);
    },
    disconnected() {
      send = undefined;
      for (const follower of followers) follower.joining = [];
    },
    received(message) {
      if (message.type === "subscribed") {
        const { topic, pluginId, gap } = message.payload;
        subscribed(keyOf(topic, pluginId), gap);
      } else if (isEvent(message)) {
        lastSeq = Math.max(lastSeq, message.seq);
        const pluginId = pluginIdOf(message);
        for (const follower of [...followers]) {
          if (follower.topic !== message.type) continue;
          if (follower.pluginId !== undefined && follower.pluginId !== pluginId) continue;
          if (follower.joining === undefined) deliver(follower, message);
          else if (follower.joining.length < maxJoining) follower.joining.push(message);
        }
      }
    },
  };
}

interface Follower {
  key: string;
  topic: HistoryQuery["topic"];
  pluginId: string | undefined;
  /** The highest `seq` that it got, or that it asked to start after; undefined: from the first bootstrap on. */
  after: number | undefined;
  start: number;
  /** The highest `seq` by plugin: one plugin's replay may overtake another's events. */
  seen: Map<string, number>;
  /** Events since SUB was sent; told in order once the server answered. */
  joining: LiveEvent[] | undefined;
  listener: LiveListener;
}

/** More than any server keeps of one topic; what is over is told of by the server's next replay. */
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
