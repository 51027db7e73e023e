// Numbers what happens to plugins, keeps the newest of it, and tells subscribers.
// Caller: createPluginHost. Invariant: every subscriber gets every event after its subscription once, in order of seq.

import type {
  EventHistory,
  HistoryQuery,
  HostEvent,
  LogLine,
  PluginTelemetry,
  PluginView,
} from "./host.ts";
import { readStoredLine } from "./plugin_log.ts";
import { SeqRing } from "./seq_ring.ts";

/** An event before it has a number. */
export type NewEvent =
  | { topic: "status"; plugin: PluginView }
  | { topic: "logs"; line: Omit<LogLine, "seq"> }
  | { topic: "telemetry"; telemetry: PluginTelemetry };

export interface EventJournal {
  readonly lastSeq: number;
  add(pluginId: string, event: NewEvent): void;
  history(query: HistoryQuery): EventHistory;
  /** The newest `count` lines of a plugin, oldest first. */
  lines(pluginId: string, count: number): LogLine[];
  subscribe(listener: (event: HostEvent) => void): () => void;
}

export interface EventJournalDeps {
  /** Each plugin's id, with the lines that an earlier host stored, as `LogStore.load` answers them. */
  stored: Iterable<readonly [pluginId: string, lines: readonly unknown[]]>;
  /** Ms since the epoch. */
  now: () => number;
  /** Called with each line before its subscribers are. */
  onLine(pluginId: string, line: LogLine): void;
  /** A listener threw. */
  onListenerError?: ((error: unknown) => void) | undefined;
}

/** Log lines that are kept of each plugin. */
export const keptLines = 1000;
const keptStatuses = 100;
const keptTelemetry = 300;

export function createEventJournal(
  { stored, now, onLine, onListenerError }: EventJournalDeps,
): EventJournal {
  const kept = new Map<string, Rings>();
  const restored = Array.from(stored, ([pluginId, lines]) => {
    const rings = createRings();
    kept.set(pluginId, rings);
    return restoreLines(pluginId, { lines, logs: rings.logs });
  });
  // A clock that was set back must not bring a number back.
  const newest = restored.reduce((seq, one) => Math.max(seq, one.lastSeq), 0);
  let lastSeq = Math.max(newest, Math.floor(now() * seqsPerMs) - 1);
  for (const { logs, endsBroken } of restored) if (endsBroken) logs.lost(lastSeq);

  const listeners = new Set<{ listener: (event: HostEvent) => void; after: number }>();
  const untold: HostEvent[] = [];
  let telling = false;

  /** A listener may cause an event: it waits until all have heard the one before. */
  function tell(event: HostEvent): void {
    untold.push(event);
    if (telling) return;
    telling = true;
    for (let next = untold.shift(); next !== undefined; next = untold.shift()) {
      for (const entry of [...listeners]) {
        if (entry.after >= next.seq || !listeners.has(entry)) continue;
        try {
          entry.listener(next);
        } catch (error) {
          onListenerError?.(error);
        }
      }
    }
    telling = false;
  }

  return {
    get lastSeq() {
      return lastSeq;
    },
    add(pluginId, added) {
      const seq = ++lastSeq;
      const rings = kept.get(pluginId) as Rings;
      const event: HostEvent = added.topic === "logs"
        ? { seq, atMs: added.line.atMs, pluginId, topic: "logs", line: { seq, ...added.line } }
        : { seq, atMs: now(), pluginId, ...added };
      rings[added.topic].add(event);
      if (event.topic === "logs") onLine(pluginId, event.line);
      tell(event);
    },
    history({ topic, pluginId, after = -1 }) {
      const asked = pluginId === undefined ? [...kept.values()] : [kept.get(pluginId) as Rings];
      const parts = asked.map((rings) => rings[topic].after(after));
      const events = parts.flatMap(({ entries }) => entries);
      if (parts.length > 1) events.sort((a, b) => a.seq - b.seq);
      return { events, gap: parts.some(({ gap }) => gap) };
    },
    lines(pluginId, count) {
      const events = kept.get(pluginId)?.logs.newest(count) ?? [];
      return events.flatMap((event) => event.topic === "logs" ? [event.line] : []);
    },
    subscribe(listener) {
      // Wrapped, so that one function may be subscribed twice.
      const entry = { listener, after: lastSeq };
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
  };
}

/** So that a host that is started again is ahead of the last one, which emitted fewer. */
const seqsPerMs = 1000;

type Rings = Record<HostEvent["topic"], SeqRing<HostEvent>>;

function createRings(): Rings {
  return {
    status: new SeqRing(keptStatuses),
    logs: new SeqRing(keptLines),
    telemetry: new SeqRing(keptTelemetry),
  };
}

/** Takes back what an earlier host stored; a line that cannot be read is missing, and the reader is told so. */
function restoreLines(
  pluginId: string,
  { lines, logs }: { lines: readonly unknown[]; logs: SeqRing<HostEvent> },
) {
  let lastSeq = -1;
  let endsBroken = false;
  for (const stored of lines) {
    const line = readStoredLine(stored);
    if (line === undefined || line.seq <= lastSeq) {
      endsBroken = true;
      continue;
    }
    if (endsBroken) logs.lost(line.seq - 1);
    endsBroken = false;
    lastSeq = line.seq;
    logs.add({ seq: line.seq, atMs: line.atMs, pluginId, topic: "logs", line });
  }
  return { logs, lastSeq, endsBroken };
}
