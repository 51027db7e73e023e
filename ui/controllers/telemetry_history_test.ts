import assert from "node:assert/strict";
import type { Live, LiveEvent, LiveQuery } from "../api/live.ts";
import { keptSamples, TelemetryHistory } from "./telemetry_history.ts";

type Listener = Parameters<Live["follow"]>[1];

/** A connection that a test speaks for. */
function createLive() {
  const queries: LiveQuery[] = [];
  const listeners = new Set<Listener>();
  const live: Pick<Live, "follow"> = {
    follow(query, listener) {
      queries.push(query);
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  let seq = 0;
  return {
    live: live as Live,
    queries,
    listeners,
    sample(pluginId: string, { atMs, requests }: { atMs: number; requests: number }) {
      const event = {
        type: "telemetry",
        seq: ++seq,
        payload: {
          pluginId,
          atMs,
          telemetry: { pluginId, requests, cpuPercent: 12, usage: { rssBytes: 1000 } },
        },
      } as LiveEvent;
      for (const { event: hear } of listeners) hear(event);
    },
  };
}

function createHistory(live: Live) {
  let updates = 0;
  const history = new TelemetryHistory({
    addController() {},
    removeController() {},
    requestUpdate: () => void updates++,
    updateComplete: Promise.resolve(true),
  }, () => live);
  return { history, updates: () => updates };
}

Deno.test("TelemetryHistory: the rate is of the time between two samples, never below zero", () => {
  const server = createLive();
  const { history, updates } = createHistory(server.live);
  history.hostConnected();
  server.sample("a", { atMs: 1000, requests: 500 });
  server.sample("a", { atMs: 3000, requests: 510 });
  // The server was started anew: it counts from zero again.
  server.sample("a", { atMs: 5000, requests: 2 });
  server.sample("b", { atMs: 5000, requests: 7 });
  assert.deepEqual(history.of("a").map((one) => one.requestsPerSecond), [0, 5, 0]);
  assert.deepEqual(history.of("b").map((one) => one.memoryBytes), [1000]);
  assert.deepEqual(history.of("nobody"), []);
  assert.equal(updates(), 4);
});

Deno.test("TelemetryHistory keeps no more than a chart shows", () => {
  const server = createLive();
  const { history } = createHistory(server.live);
  history.hostConnected();
  for (let n = 1; n <= 1000; n++) server.sample("a", { atMs: n * 1000, requests: n });
  assert.equal(history.of("a").length, keptSamples);
  assert.equal(history.of("a").at(-1)?.atMs, 1_000_000);
});

Deno.test("TelemetryHistory: a page that is shown again asks for what it missed", () => {
  const server = createLive();
  const first = createHistory(server.live).history;
  first.hostConnected();
  server.sample("a", { atMs: 1000, requests: 1 });
  first.hostDisconnected();
  assert.equal(server.listeners.size, 0);
  const second = createHistory(server.live).history;
  assert.equal(second.of("a").length, 1);
  second.hostConnected();
  assert.deepEqual(server.queries, [
    { topic: "telemetry" },
    { topic: "telemetry", after: 1 },
  ]);
});
