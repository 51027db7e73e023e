// One plugin's telemetry as columns to draw, from what the server kept on: a burst of samples is one update.
// Callers: charts of a plugin.

import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import type { Live } from "../api/live.ts";
import { createTelemetrySeries, type TelemetrySeries } from "../components/telemetry_series.ts";

export interface TelemetryFollowOptions {
  live: () => Live;
  plugin: () => Pick<PluginView, "id" | "metrics"> | undefined;
}

export class TelemetryFollow implements ReactiveController {
  series: TelemetrySeries = createTelemetrySeries();

  readonly #host: ReactiveControllerHost;
  readonly #options: TelemetryFollowOptions;
  #followed: string | undefined;
  #stop = () => {};
  #frame: number | undefined;

  constructor(host: ReactiveControllerHost, options: TelemetryFollowOptions) {
    this.#host = host;
    this.#options = options;
    host.addController(this);
  }

  hostUpdate(): void {
    const plugin = this.#options.plugin();
    if (plugin?.id === this.#followed) return;
    this.#end();
    if (plugin === undefined) return;
    this.#followed = plugin.id;
    const counters = plugin.metrics.filter(({ type }) => type === "counter");
    this.series = createTelemetrySeries({ counters: new Set(counters.map(({ name }) => name)) });
    this.#stop = this.#options.live().follow(
      { topic: "telemetry", pluginId: plugin.id, after: 0 },
      {
        event: (event) => {
          if (event.type !== "telemetry") return;
          this.series.add(event.payload.atMs, event.payload.telemetry);
          this.#frame ??= requestAnimationFrame(() => {
            this.#frame = undefined;
            this.#host.requestUpdate();
          });
        },
      },
    );
  }

  /** An element that comes back updates, and follows anew. */
  hostConnected(): void {
    this.#host.requestUpdate();
  }

  hostDisconnected(): void {
    this.#end();
  }

  #end(): void {
    this.#stop();
    this.#stop = () => {};
    this.#followed = undefined;
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
  }
}
