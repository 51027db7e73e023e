// Samples of telemetry as columns that charts draw: rates from counters, gaps where nothing was measured.
// Caller: bkg-telemetry-charts.

import type { PluginTelemetry } from "../../plugins/runtime/host/host.ts";

/** Null is a gap. */
export type Column = readonly (number | null)[];

export interface TelemetrySeries {
  /** Samples that are older than the last one are left out. */
  add(atMs: number, telemetry: PluginTelemetry): void;
  /** Seconds since the epoch. */
  readonly times: readonly number[];
  readonly last: PluginTelemetry | undefined;
  /** By name: `cpuPercent memoryMb requests errors active queued`, and `metric:<name>` of the plugin's own. */
  column(name: string): Column;
}

export interface TelemetrySeriesOptions {
  capacity?: number;
  /** The plugin's own metrics that count up: their rate is drawn. */
  counters?: ReadonlySet<string>;
}

export function createTelemetrySeries(
  { capacity = 300, counters = new Set() }: TelemetrySeriesOptions = {},
): TelemetrySeries {
  let times: number[] = [];
  const columns = new Map<string, (number | null)[]>();
  let last: { atMs: number; telemetry: PluginTelemetry } | undefined;

  return {
    get times() {
      return times;
    },
    get last() {
      return last?.telemetry;
    },
    column: (name) => columns.get(name) ?? times.map(() => null),
    add(atMs, telemetry) {
      if (last !== undefined && atMs <= last.atMs) return;
      const sample = measure(atMs, telemetry);
      last = { atMs, telemetry };
      for (const name of Object.keys(sample)) {
        if (!columns.has(name)) columns.set(name, times.map(() => null));
      }
      times = [...times, atMs / 1000].slice(-capacity);
      for (const [name, column] of columns) {
        columns.set(name, [...column, sample[name] ?? null].slice(-capacity));
      }
    },
  };

  function measure(atMs: number, telemetry: PluginTelemetry): Record<string, number | null> {
    const before = last?.telemetry;
    const seconds = last === undefined ? 0 : (atMs - last.atMs) / 1000;
    const rate = (now: number, then: number | undefined) => {
      if (then === undefined || seconds <= 0) return null;
      // A counter that went back was started anew.
      return (now >= then ? now - then : now) / seconds;
    };
    const { usage, metrics } = telemetry;
    return {
      cpuPercent: telemetry.cpuPercent ?? null,
      memoryMb: usage === undefined ? null : usage.rssBytes / bytesInMb,
      requests: rate(telemetry.requests, before?.requests),
      errors: rate(telemetry.errors, before?.errors),
      active: telemetry.active,
      queued: telemetry.queued,
      ...Object.fromEntries(
        Object.entries(metrics).map(([name, value]) => [
          `metric:${name}`,
          counters.has(name) ? rate(value, before?.metrics[name]) : value,
        ]),
      ),
    };
  }
}

const bytesInMb = 1024 * 1024;

/** The lowest, the highest and the newest value; undefined while there is none. */
export function summarize(
  column: Column,
): { current: number | undefined; min: number; max: number } | undefined {
  let min = Infinity;
  let max = -Infinity;
  for (const value of column) {
    if (value === null) continue;
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return min === Infinity ? undefined : { current: column.at(-1) ?? undefined, min, max };
}
