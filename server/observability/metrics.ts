// Prometheus metrics. HTTP requests are counted in plain arrays and turned into text only when scraped:
// prom-client hashes its labels on every observation, which the hot path cannot afford.

import process from "node:process";
import { Counter, Gauge, Registry } from "prom-client";
import type { PluginHost, PluginTelemetry } from "../../plugins/runtime/host/host.ts";

export interface Metrics {
  readonly registry: Registry;
  readonly contentType: string;
  observe(method: string, route: string, status: number, seconds: number): void;
  setSockets(count: number): void;
  /** The Prometheus text, with the plugins' telemetry of this moment. */
  render(host: Pick<PluginHost, "list" | "telemetry">): Promise<string>;
}

export interface MetricsOptions {
  /** Of the database's own process; absent where it has none. */
  databaseMemoryBytes?: () => number | undefined;
}

export function createMetrics({ databaseMemoryBytes }: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  const cells = new Map<string, RequestCell>();
  const setPlugins = pluginMetrics(registry);
  processMetrics(registry);
  if (databaseMemoryBytes !== undefined) {
    new Gauge({
      name: "bkg_database_resident_memory_bytes",
      help: "Resident memory of the process that holds the database in the data folder",
      registers: [registry],
      collect() {
        this.set(databaseMemoryBytes() ?? NaN);
      },
    });
  }
  new Counter({
    name: "bkg_http_requests_total",
    help: "HTTP requests answered",
    labelNames: ["method", "route", "status"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, count } of cells.values()) this.inc(labels, count);
    },
  });
  const sockets = new Gauge({
    name: "bkg_websockets_open",
    help: "WebSockets that are open",
    registers: [registry],
  });
  return {
    registry,
    setSockets: (count) => sockets.set(count),
    contentType: registry.contentType,
    observe(method, route, status, seconds) {
      const key = `${method} ${route} ${status}`;
      let cell = cells.get(key);
      if (cell === undefined) {
        cell = createCell({ method: knownMethods.has(method) ? method : "other", route, status });
        cells.set(key, cell);
      }
      cell.count++;
      cell.seconds += seconds;
      let bucket = 0;
      while (bucket < bounds.length && seconds > bounds[bucket]!) bucket++;
      cell.buckets[bucket]!++;
    },
    async render(host) {
      const telemetry = await Promise.all(
        host.list().map((plugin) => host.telemetry(plugin.id).catch(() => undefined)),
      );
      setPlugins(telemetry.filter((one) => one !== undefined));
      return await registry.metrics() + histogramText([...cells.values()]);
    },
  };
}

interface RequestCell {
  labels: { method: string; route: string; status: number };
  count: number;
  seconds: number;
  /** Observations per bucket, the last one without a bound. */
  buckets: number[];
}

/** Seconds: from a call that costs microseconds to a long answer of a language model. */
const bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];
const knownMethods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

function createCell(labels: RequestCell["labels"]): RequestCell {
  return { labels, count: 0, seconds: 0, buckets: new Array(bounds.length + 1).fill(0) };
}

/** prom-client's histograms take one observation at a time; its text format is a few lines. */
function histogramText(cells: readonly RequestCell[]): string {
  const name = "bkg_http_request_seconds";
  const lines = [
    "",
    `# HELP ${name} Time until the answer's headers, seconds`,
    `# TYPE ${name} histogram`,
  ];
  for (const { labels, count, seconds, buckets } of cells) {
    const fixed = `method="${labels.method}",route="${labels.route}",status="${labels.status}"`;
    let sum = 0;
    bounds.forEach((bound, index) => {
      sum += buckets[index]!;
      lines.push(`${name}_bucket{${fixed},le="${bound}"} ${sum}`);
    });
    lines.push(`${name}_bucket{${fixed},le="+Inf"} ${count}`);
    lines.push(`${name}_sum{${fixed}} ${seconds}`, `${name}_count{${fixed}} ${count}`);
  }
  return lines.join("\n") + "\n";
}

function pluginMetrics(registry: Registry): (telemetry: readonly PluginTelemetry[]) => void {
  const gauge = (name: string, help: string, labels: string[] = []) =>
    new Gauge({ name, help, labelNames: ["plugin", ...labels], registers: [registry] });
  const counter = (name: string, help: string) =>
    new Counter({ name, help, labelNames: ["plugin"], registers: [registry] });
  const requests = counter("bkg_plugin_requests_total", "Calls to a plugin");
  const errors = counter("bkg_plugin_errors_total", "Calls to a plugin that failed");
  const cpu = counter("bkg_plugin_cpu_seconds_total", "CPU time of a plugin's running cell");
  const memory = gauge("bkg_plugin_resident_memory_bytes", "Resident memory of a plugin's cell");
  const disk = gauge("bkg_plugin_disk_bytes", "Bytes in a cell's throw-away folder");
  const threads = gauge("bkg_plugin_threads", "Threads of a plugin's cell");
  const active = gauge("bkg_plugin_active_calls", "Calls that run now");
  const queued = gauge("bkg_plugin_queued_calls", "Calls that wait");
  const uptime = gauge("bkg_plugin_uptime_seconds", "Time since the cell started");
  const status = gauge("bkg_plugin_status", "1 for the status a plugin has", ["status"]);
  const own = gauge("bkg_plugin_metric", "A plugin's own metrics", ["name"]);
  const all = [
    requests,
    errors,
    cpu,
    memory,
    disk,
    threads,
    active,
    queued,
    uptime,
    status,
    own,
  ];
  return (telemetry) => {
    for (const metric of all) metric.reset();
    for (const one of telemetry) {
      const labels = { plugin: one.pluginId };
      requests.inc(labels, one.requests);
      errors.inc(labels, one.errors);
      active.set(labels, one.active);
      queued.set(labels, one.queued);
      status.set({ ...labels, status: one.status }, 1);
      if (one.uptimeMs !== undefined) uptime.set(labels, one.uptimeMs / 1000);
      if (one.usage !== undefined) {
        cpu.inc(labels, one.usage.cpuSeconds);
        memory.set(labels, one.usage.rssBytes);
        disk.set(labels, one.usage.diskBytes);
        threads.set(labels, one.usage.threads);
      }
      for (const [name, value] of Object.entries(one.metrics)) {
        if (Number.isFinite(value)) own.set({ ...labels, name }, value);
      }
    }
  };
}

/** prom-client's own defaults lean on Node internals that Deno does not have. */
function processMetrics(registry: Registry): void {
  const startedAtMs = performance.timeOrigin;
  new Gauge({
    name: "process_start_time_seconds",
    help: "Start of the process, seconds since the epoch",
    registers: [registry],
    collect() {
      this.set(startedAtMs / 1000);
    },
  });
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory of the host process",
    registers: [registry],
    collect() {
      this.set(Deno.memoryUsage().rss);
    },
  });
  new Counter({
    name: "process_cpu_seconds_total",
    help: "CPU time of the host process, user and system",
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
}
