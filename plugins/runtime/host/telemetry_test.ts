import assert from "node:assert/strict";
import type { HostEvent, PluginTelemetry } from "./host.ts";
import {
  createTestHost,
  installed,
  ManualTime,
  operator,
  settle,
  type TestPlugin,
} from "./testing.ts";

const options = { principal: operator };
const echo = { "demo.echo": {} };
const guest: TestPlugin = { "demo.echo": (input) => input };

/** A host whose cells use 10 % of a core, with the samples that it emits and the measurements it made. */
function sampled(extra: Record<string, unknown> = {}) {
  const parts = createTestHost([installed("demo", echo, extra)], { demo: guest }, {
    async spawnCell(spec, spawnOptions) {
      const cell = await parts.spawnCell(spec, spawnOptions);
      const startedMs = parts.time.nowMs;
      cell.usage = () => {
        reads.count++;
        const cpuSeconds = (parts.time.nowMs - startedMs) / 10_000;
        return Promise.resolve({ rssBytes: 1, cpuSeconds, threads: 1, diskBytes: 0 });
      };
      return cell;
    },
  });
  const reads = { count: 0 };
  const samples: PluginTelemetry[] = [];
  parts.host.subscribe((event: HostEvent) => {
    if (event.topic === "telemetry") samples.push(event.telemetry);
  });
  return { ...parts, reads, samples };
}

Deno.test("telemetry is sampled every two seconds while a plugin runs, once at its stop, and never else", async () => {
  const { host, bus, time, reads, samples } = sampled();
  await time.advance(10_000);
  assert.deepEqual([samples.length, reads.count], [0, 0]);
  await bus.call("demo.echo", 1, options);
  await time.advance(10_000);
  assert.equal(samples.length, 5);
  assert.deepEqual(samples.map(({ status }) => status), new Array(5).fill("running"));
  await host.stop("demo", operator);
  assert.equal(samples.length, 6);
  const { status, usage, pid, requests } = samples[5]!;
  assert.deepEqual([status, usage, pid, requests], ["stopped", undefined, undefined, 1]);
  const before = reads.count;
  await time.advance(10_000);
  assert.deepEqual([samples.length, reads.count], [6, before]);
  const { events } = host.history({ topic: "telemetry", pluginId: "demo" });
  assert.deepEqual(events.map((event) => event.topic === "telemetry" && event.telemetry), samples);
  await host[Symbol.asyncDispose]();
});

Deno.test("telemetry tells the same share of the CPU however many ask, and measures once a second at most", async () => {
  const { host, bus, time, reads, samples } = sampled();
  await bus.call("demo.echo", 1, options);
  const seen: (number | undefined)[] = [];
  for (let second = 0; second < 20; second++) {
    await time.advance(500);
    const all = await Promise.all([1, 2, 3].map(() => host.telemetry("demo")));
    seen.push(...all.map(({ cpuPercent }) => cpuPercent));
  }
  const wrong = [...seen, ...samples.map(({ cpuPercent }) => cpuPercent)]
    .filter((cpuPercent) => cpuPercent === undefined || Math.abs(cpuPercent - 10) > 0.01);
  assert.deepEqual(wrong, []);
  assert.ok(reads.count <= 11, `${reads.count} measurements`);
  await host[Symbol.asyncDispose]();
});

Deno.test("telemetry of a new cell counts from its start, and its metrics are its own", async () => {
  const { host, bus, time, last } = sampled({ metrics: [{ name: "loaded", type: "gauge" }] });
  await bus.call("demo.echo", 1, options);
  last().guest.notify("metric", { name: "loaded", value: 7 });
  await time.advance(5000);
  assert.deepEqual((await host.telemetry("demo")).metrics, { loaded: 7 });
  await host.restart("demo", operator);
  assert.deepEqual((await host.telemetry("demo")).metrics, {});
  last().guest.notify("metric", { name: "loaded", value: 1 });
  await time.advance(3000);
  const { cpuPercent, uptimeMs, metrics } = await host.telemetry("demo");
  assert.ok(Math.abs((cpuPercent ?? 0) - 10) < 0.01, `${cpuPercent}`);
  assert.deepEqual([uptimeMs, metrics], [3000, { loaded: 1 }]);
  await host[Symbol.asyncDispose]();
});

Deno.test("telemetry stands a cell that cannot be measured", async () => {
  const { host, bus, time, last, samples } = sampled();
  await bus.call("demo.echo", 1, options);
  last().usage = () => Promise.reject(new Error("gone"));
  await time.advance(2000);
  assert.deepEqual([samples[0]?.status, samples[0]?.usage], ["running", undefined]);
  await host[Symbol.asyncDispose]();
});

Deno.test("a change of health is told once, by an event and in the view", async () => {
  let sick = true;
  const time = new ManualTime();
  const { host, bus } = createTestHost(
    [installed("demo", echo, { healthcheck: { intervalMs: 1000 } })],
    {
      demo: {
        ...guest,
        health: () => {
          if (sick) throw new Error("model gone");
          return null;
        },
      },
    },
    { timers: time, now: time.now, monotonicNow: time.now },
  );
  const seen: (boolean | undefined)[] = [];
  await bus.call("demo.echo", 1, options);
  assert.equal(host.get("demo").healthy, undefined);
  host.subscribe((event) => event.topic === "status" && seen.push(event.plugin.healthy));
  await time.advance(3000);
  assert.deepEqual(seen, [false]);
  assert.match(host.logs("demo", 1)[0]?.message ?? "", /Unhealthy: model gone/);
  assert.deepEqual([host.get("demo").healthy, host.get("demo").status], [false, "running"]);
  sick = false;
  await time.advance(3000);
  assert.deepEqual(seen, [false, true]);
  await host.stop("demo", operator);
  await settle();
  assert.equal(host.get("demo").healthy, undefined);
  await host[Symbol.asyncDispose]();
});
