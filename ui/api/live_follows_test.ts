import assert from "node:assert/strict";
import type { LogLine } from "../../plugins/runtime/host/host.ts";
import type { ClientMessage } from "../../plugins/runtime/host/socket_message.ts";
import { createLiveFollows, type LiveEvent, type LiveQuery } from "./live_follows.ts";

Deno.test("an event that is replayed is told once, of whatever topic", () => {
  const page = openPage();
  const changes = page.follow({ topic: "status" });
  page.connect(10);
  page.confirm("status");
  page.tell(status(11), status(12));
  page.follows.disconnected();
  page.connect(14);
  page.tell(status(12), status(13));
  page.confirm("status");
  page.tell(status(13), status(15));
  assert.deepEqual(changes, ["ready", 11, 12, 13, "ready", 15]);
  assert.deepEqual(page.sent.map((message) => "after" in message && message.after), [10, 12]);
});

Deno.test("live events amid a replay wait for it, batches and all", () => {
  const page = openPage();
  page.connect(100);
  const lines = page.follow({ topic: "logs", pluginId: "a", after: 0 });
  page.tell(logs(101), logs(1, 2, 3), logs(4, 101), logs(102));
  assert.deepEqual(lines, []);
  page.confirm("logs", "a");
  page.tell(logs(102, 103));
  assert.deepEqual(lines, [1, 2, 3, 4, 101, 102, "ready", 103]);
});

Deno.test("the answer to a subscription that was given up makes nobody ready", () => {
  const page = openPage();
  page.connect(100);
  page.follow({ topic: "logs", pluginId: "a" });
  const late = page.follow({ topic: "logs", pluginId: "a", after: 50 });
  assert.deepEqual(page.sent.map(({ action }) => action), ["SUB", "UNSUB", "SUB"]);
  page.confirm("logs", "a");
  page.tell(logs(101));
  assert.deepEqual(late, []);
  page.follows.received({ type: "unsubscribed", payload: { topic: "logs", pluginId: "a" } });
  page.tell(logs(51, 101));
  page.confirm("logs", "a");
  assert.deepEqual(late, [51, 101, "ready"]);
});

Deno.test("who leaves hears no more, within his own listener too, and the last one unsubscribes", () => {
  const page = openPage();
  page.connect(10);
  const seen: number[] = [];
  const stop = page.follows.follow({ topic: "status", after: 0 }, {
    event(event) {
      seen.push(event.seq);
      stop();
    },
  });
  page.tell(status(5), status(6));
  page.confirm("status");
  page.tell(status(11));
  stop();
  assert.deepEqual(seen, [5]);
  assert.deepEqual(page.sent.map(({ action }) => action), ["SUB", "UNSUB"]);
});

Deno.test("a replay without an end costs bounded memory, and is told as a gap", () => {
  const page = openPage();
  page.connect(1_000_000);
  const lines = page.follow({ topic: "logs", pluginId: "a", after: 0 });
  for (let seq = 1; seq <= 120_000; seq++) page.tell(logs(seq));
  page.confirm("logs", "a");
  assert.equal(lines[0], "gap");
  assert.ok(lines.length < 60_000);
  assert.deepEqual(lines.slice(-2), [120_000, "ready"]);
});

Deno.test("jobs, which count ahead, make what plugins tell afterwards no older", () => {
  const page = openPage();
  page.connect(10);
  const jobs = page.follow({ topic: "jobs" });
  page.confirm("jobs");
  page.tell(job(11), job(12), job(13));
  const changes = page.follow({ topic: "status" });
  page.confirm("status");
  page.tell(status(11), job(14));
  assert.deepEqual(jobs, ["ready", 11, 12, 13, 14]);
  assert.deepEqual(changes, ["ready", 11]);
});

function openPage() {
  const failed = (error: unknown) => assert.fail(String(error));
  const follows = createLiveFollows({ failed });
  const sent: ClientMessage[] = [];
  return {
    follows,
    sent,
    connect: (seq: number) => follows.connected(seq, (message) => void sent.push(message)),
    confirm(topic: "status" | "logs" | "jobs", pluginId?: string) {
      const of = pluginId === undefined ? { topic } : { topic, pluginId };
      follows.received({ type: "subscribed", payload: { ...of, gap: false } });
    },
    tell: (...events: LiveEvent[]) => events.forEach((event) => follows.received(event)),
    follow(query: LiveQuery) {
      const told: (number | string)[] = [];
      follows.follow(query, {
        event: (event) =>
          void told.push(
            ...event.type === "logs" ? event.payload.lines.map(({ seq }) => seq) : [event.seq],
          ),
        gap: () => void told.push("gap"),
        ready: () => void told.push("ready"),
      });
      return told;
    },
  };
}

function status(seq: number): LiveEvent {
  return { type: "status", seq, payload: { pluginId: "a", plugin: {} as never } };
}

function job(seq: number): LiveEvent {
  return { type: "jobs", seq, payload: { job: {} as never } };
}

function logs(...seqs: number[]): LiveEvent {
  const lines = seqs.map((seq): LogLine => ({
    seq,
    atMs: seq,
    level: "info",
    source: "plugin",
    message: String(seq),
  }));
  return { type: "logs", seq: seqs.at(-1)!, payload: { pluginId: "a", lines } };
}
