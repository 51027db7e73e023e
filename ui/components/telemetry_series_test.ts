import assert from "node:assert/strict";
import type { PluginTelemetry } from "../../plugins/runtime/host/host.ts";
import { createTelemetrySeries, summarize } from "./telemetry_series.ts";

Deno.test("createTelemetrySeries makes rates of counters, also after they began anew", () => {
  const series = createTelemetrySeries({ counters: new Set(["tokens"]) });
  series.add(1000, sample({ requests: 10, metrics: { tokens: 100, loaded: 1 } }));
  series.add(3000, sample({ requests: 14, metrics: { tokens: 150, loaded: 2 } }));
  series.add(4000, sample({ requests: 3, metrics: { tokens: 5, loaded: 0 } }));
  assert.deepEqual(series.times, [1, 3, 4]);
  assert.deepEqual(series.column("requests"), [null, 2, 3]);
  assert.deepEqual(series.column("metric:tokens"), [null, 25, 5]);
  assert.deepEqual(series.column("metric:loaded"), [1, 2, 0]);
});

Deno.test("createTelemetrySeries leaves gaps where nothing was measured", () => {
  const series = createTelemetrySeries();
  series.add(1000, sample({ cpuPercent: 5 }));
  series.add(2000, { ...sample({}), usage: undefined });
  series.add(3000, sample({ cpuPercent: 7, metrics: { late: 4 } }));
  assert.deepEqual(series.column("cpuPercent"), [5, null, 7]);
  assert.deepEqual(series.column("memoryMb"), [2, null, 2]);
  assert.deepEqual(series.column("metric:late"), [null, null, 4]);
  assert.deepEqual(series.column("metric:never"), [null, null, null]);
});

Deno.test("createTelemetrySeries keeps the newest samples, each once and in order", () => {
  const series = createTelemetrySeries({ capacity: 3 });
  for (const atMs of [1000, 2000, 2000, 1500, 3000, 4000]) {
    series.add(atMs, sample({ active: atMs }));
  }
  assert.deepEqual(series.times, [2, 3, 4]);
  assert.deepEqual(series.column("active"), [2000, 3000, 4000]);
});

Deno.test("summarize looks past gaps", () => {
  assert.equal(summarize([null, null]), undefined);
  assert.deepEqual(summarize([3, null, 1, 2]), { current: 2, min: 1, max: 3 });
  assert.deepEqual(summarize([3, null]), { current: undefined, min: 3, max: 3 });
});

function sample(part: Partial<PluginTelemetry>): PluginTelemetry {
  return {
    pluginId: "demo",
    status: "running",
    pid: 1,
    usage: { rssBytes: 2 * 1024 * 1024, cpuSeconds: 1, threads: 1, diskBytes: 0 },
    cpuPercent: undefined,
    uptimeMs: 0,
    requests: 0,
    errors: 0,
    active: 0,
    queued: 0,
    lastError: undefined,
    metrics: {},
    ...part,
  };
}
