import assert from "node:assert/strict";
import { createEventJournal, keptLines } from "./event_journal.ts";
import type { HostEvent, LogLine } from "./host.ts";

const line = { atMs: 1, level: "info", source: "plugin", message: "hello" } as const;

function open(
  stored: Record<string, readonly unknown[]> = { a: [], b: [] },
  options: { nowMs?: number; onListenerError?: (error: unknown) => void } = {},
) {
  const kept: LogLine[] = [];
  const journal = createEventJournal({
    stored: Object.entries(stored),
    now: () => options.nowMs ?? 5,
    onLine: (_pluginId, one) => kept.push(one),
    onListenerError: options.onListenerError,
  });
  const write = (pluginId: string, message = "hello") =>
    journal.add(pluginId, { topic: "logs", line: { ...line, message } });
  const messages = (events: HostEvent[]) =>
    events.map((event) => event.topic === "logs" ? event.line.message : event.topic);
  return { journal, kept, write, messages };
}

Deno.test("createEventJournal says that there is a gap only when something after `after` was dropped", () => {
  const { journal, write, messages } = open();
  const start = journal.lastSeq;
  for (let i = 0; i < keptLines; i++) write("a", `${i}`);
  write("b", "other");
  const query = { topic: "logs", pluginId: "a" } as const;
  assert.equal(journal.history({ ...query, after: start }).gap, false);
  write("a", "one more");
  assert.equal(journal.history({ ...query, after: start }).gap, true);
  assert.equal(journal.history({ ...query, after: start + 1 }).gap, false);
  assert.equal(journal.history({ ...query, after: journal.lastSeq + 1e9 }).gap, false);
  assert.equal(journal.history({ topic: "logs", pluginId: "b", after: start }).gap, false);
  const { events, gap } = journal.history({ topic: "logs", after: start + keptLines });
  assert.deepEqual([messages(events), gap], [["other", "one more"], false]);
  assert.equal(journal.history(query).gap, true);
  assert.deepEqual(journal.history({ topic: "telemetry", after: start }), {
    events: [],
    gap: false,
  });
});

Deno.test("createEventJournal tells every listener each event once and in order, though one causes events and one throws", () => {
  const errors: unknown[] = [];
  const { journal, write } = open(undefined, { onListenerError: (error) => errors.push(error) });
  const seen: number[] = [];
  const late: number[] = [];
  journal.subscribe((event) => {
    if (event.pluginId === "b") return;
    write("b");
    journal.subscribe(({ seq }) => late.push(seq));
  });
  journal.subscribe(() => {
    throw new Error("bad listener");
  });
  const unsubscribe = journal.subscribe(({ seq }) => seen.push(seq));
  write("a");
  const first = journal.lastSeq - 1;
  assert.deepEqual(seen, [first, first + 1]);
  assert.deepEqual(late, []);
  assert.equal(errors.length, 2);
  unsubscribe();
  write("b");
  assert.equal(seen.length, 2);
  assert.deepEqual(late, [first + 2]);
});

Deno.test("createEventJournal goes on where an earlier host ended, whatever the clock says", () => {
  const old = open({ a: [] }, { nowMs: 1000 });
  for (let i = 0; i < 5; i++) old.write("a", `${i}`);
  const seen = old.kept[2]!.seq;
  const next = open({ a: JSON.parse(JSON.stringify(old.kept)) }, { nowMs: 10 });
  next.write("a", "new");
  assert.equal(next.journal.lastSeq, old.journal.lastSeq + 1);
  const { events, gap } = next.journal.history({ topic: "logs", after: seen });
  assert.deepEqual([next.messages(events), gap], [["3", "4", "new"], false]);
  assert.deepEqual(next.journal.lines("a", 2).map(({ message }) => message), ["4", "new"]);
  assert.equal(open({ a: [] }, { nowMs: 1000 }).journal.lastSeq, 999_999);
});

Deno.test("createEventJournal skips damaged lines, cleans the others, and says that some are missing", () => {
  const at = (seq: number, message = `${seq}`) => ({ ...line, seq, message });
  const { journal, messages } = open({
    a: [at(1), undefined, at(5), { ...at(6), level: "loud" }, at(4), at(8, "\u001b[31m"), "{"],
    b: [at(2 ** 53)],
  });
  const query = { topic: "logs", pluginId: "a" } as const;
  const { events } = journal.history(query);
  assert.deepEqual(messages(events), ["1", "5", "\ufffd[31m"]);
  assert.equal(journal.history({ ...query, after: 3 }).gap, true);
  // What the host wrote last was torn: nobody knows how much it was.
  assert.equal(journal.history({ ...query, after: 8 }).gap, true);
  assert.equal(journal.history({ ...query, after: journal.lastSeq }).gap, false);
  assert.equal(journal.lastSeq, 4999);
});

Deno.test("createEventJournal knows exactly what is missing when one line more is stored than it keeps", () => {
  const stored = Array.from({ length: keptLines + 1 }, (_, i) => ({ ...line, seq: 10 + i * 10 }));
  const { journal } = open({ a: stored });
  assert.equal(journal.history({ topic: "logs", after: 9 }).gap, true);
  assert.equal(journal.history({ topic: "logs", after: 10 }).gap, false);
  assert.equal(journal.history({ topic: "logs", after: 10 }).events.length, keptLines);
});
