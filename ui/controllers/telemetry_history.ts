// The last samples of every plugin's telemetry, for small charts. Kept as long as the connection, so that a page
// which is shown again goes on with what was there and asks for what it missed. One page at a time has one.

import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { PluginTelemetry } from "../../plugins/runtime/host/host.ts";
import type { Live } from "../api/live.ts";

export interface TelemetrySample {
  atMs: number;
  /** Percent of one core; 0 while the plugin does not run. */
  cpuPercent: number;
  memoryBytes: number;
  requestsPerSecond: number;
}

export const keptSamples = 60;

export class TelemetryHistory implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #live: () => Live;
  #stop = () => {};

  constructor(host: ReactiveControllerHost, live: () => Live) {
    this.#host = host;
    this.#live = live;
    host.addController(this);
  }

  /** Oldest first. */
  of(pluginId: string): readonly TelemetrySample[] {
    return recorded(this.#live()).samples.get(pluginId)?.list ?? [];
  }

  hostConnected(): void {
    const live = this.#live();
    const record = recorded(live);
    const query = record.lastSeq === undefined ? {} : { after: record.lastSeq };
    this.#stop = live.follow({ topic: "telemetry", ...query }, {
      event: (event) => {
        if (event.type !== "telemetry") return;
        record.lastSeq = event.seq;
        addSample(record, event.payload);
        this.#host.requestUpdate();
      },
    });
  }

  hostDisconnected(): void {
    this.#stop();
  }
}

interface History {
  lastSeq: number | undefined;
  samples: Map<string, { list: TelemetrySample[]; requests: number }>;
}

const records = new WeakMap<Live, History>();

function recorded(live: Live): History {
  let record = records.get(live);
  if (record === undefined) {
    record = { lastSeq: undefined, samples: new Map() };
    records.set(live, record);
  }
  return record;
}

function addSample(
  record: History,
  { pluginId, atMs, telemetry }: { pluginId: string; atMs: number; telemetry: PluginTelemetry },
): void {
  const before = record.samples.get(pluginId);
  const last = before?.list.at(-1);
  const seconds = last === undefined ? 0 : (atMs - last.atMs) / 1000;
  // The counter starts anew with the server.
  const requests = Math.max(0, telemetry.requests - (before?.requests ?? telemetry.requests));
  const sample = {
    atMs,
    cpuPercent: telemetry.cpuPercent ?? 0,
    memoryBytes: telemetry.usage?.rssBytes ?? 0,
    requestsPerSecond: seconds > 0 ? requests / seconds : 0,
  };
  const list = [...(before?.list ?? []).slice(1 - keptSamples), sample];
  record.samples.set(pluginId, { list, requests: telemetry.requests });
}
