// CPU, memory, calls and the plugin's own metrics over the last minutes: what the server kept, then live.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import { type App, appContext } from "../app.ts";
import { TelemetryFollow } from "../controllers/telemetry_follow.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import type { ChartLine } from "./bkg-line-chart.ts";
import "./bkg-line-chart.ts";
import {
  capText,
  formatBytes,
  formatCount,
  formatDuration,
  formatNumber,
  formatPercent,
  formatRate,
} from "./format.ts";
import type { TelemetrySeries } from "./telemetry_series.ts";

@customElement("bkg-telemetry-charts")
export class BkgTelemetryCharts extends LitElement {
  @property({ attribute: false })
  accessor plugin: PluginView | undefined;

  @consume({ context: appContext })
  accessor app!: App;

  readonly #telemetry = new TelemetryFollow(this, {
    live: () => this.app.live,
    plugin: () => this.plugin,
  });

  static override styles = [
    sharedStyles,
    css`
      .charts {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr));
        gap: var(--bkg-gap);
      }
    `,
  ];

  override render() {
    const { plugin } = this;
    if (plugin === undefined) return nothing;
    const { memoryMb } = plugin.limits;
    const { series } = this.#telemetry;
    const { last } = series;
    const share = last?.usage === undefined
      ? ""
      : ` (${formatPercent(last.usage.rssBytes / (memoryMb * 1024 * 1024) * 100)})`;
    return html`
      <div class="charts">
        ${this.#chart("CPU", [line("CPU", series, "cpuPercent")], {
          format: formatPercent,
          note: "100% is one core",
          limit: plugin.limits.cpuPercent,
        })}
        ${this.#chart("Memory", [line("Memory", series, "memoryMb", 4)], {
          format: formatMb,
          note: `of ${formatMb(memoryMb)}${share}`,
          limit: memoryMb,
        })}
        ${this.#chart("Requests", [
          line("requests", series, "requests"),
          line("errors", series, "errors", 2),
        ], {
          format: formatRate,
          note: last === undefined ? "" : `${formatCount(last.requests)} in all`,
        })}
        ${this.#chart("Calls now", [
          line("running", series, "active"),
          line("waiting", series, "queued", 3),
        ], { format: formatCount, whole: true })}
        ${plugin.metrics.slice(0, maxMetrics).map((metric) => {
          const title = capText(metric.description || metric.name, 80);
          return this.#chart(
            title,
            [line(title, series, `metric:${metric.name}`)],
            {
              format: metricFormat(metric),
              note: metricNote(metric, last?.metrics[metric.name]),
            },
          );
        })}
      </div>
    `;
  }

  #empty(): string {
    const { status } = this.plugin ?? {};
    return status === "running" || status === "starting"
      ? "The first sample is on its way"
      : "Nothing yet: it does not run";
  }

  #chart(
    heading: string,
    lines: ChartLine[],
    { format, note = "", limit, whole = false }: {
      format: (value: number | undefined) => string;
      note?: string;
      limit?: number;
      whole?: boolean;
    },
  ) {
    return html`
      <bkg-line-chart
        heading=${heading} note=${note} .times=${this.#telemetry.series.times} .lines=${lines}
        .format=${format} .limit=${limit} empty=${this.#empty()} ?whole=${whole}
      ></bkg-line-chart>
    `;
  }
}

/** A manifest may declare a hundred; more charts than this help nobody. */
const maxMetrics = 24;

type Metric = PluginView["metrics"][number];

function line(
  label: string,
  series: TelemetrySeries,
  name: string,
  color: ChartLine["color"] = 1,
): ChartLine {
  return { label, column: series.column(name), color };
}

const formats = new Map<string, (value: number | undefined) => string>();

/** The same function for the same metric: a chart takes another one for a change. */
function metricFormat({ type, unit }: Metric): (value: number | undefined) => string {
  const key = `${type} ${unit}`;
  const known = formats.get(key);
  if (known !== undefined) return known;
  const plain = plainFormat(unit);
  const made = type === "counter"
    ? (value: number | undefined) => value === undefined ? plain(value) : `${plain(value)}/s`
    : plain;
  formats.set(key, made);
  return made;
}

/** Units that change how a number is written; others stand beside it. */
const unitFormats: Readonly<Record<string, (value: number | undefined) => string>> = {
  bytes: formatBytes,
  By: formatBytes,
  ms: formatDuration,
  "%": formatPercent,
  percent: formatPercent,
};

function plainFormat(unit: string): (value: number | undefined) => string {
  return Object.hasOwn(unitFormats, unit) ? unitFormats[unit] ?? formatNumber : formatNumber;
}

function metricNote({ type, unit }: Metric, value: number | undefined): string {
  // "1" and "{tokens}" are UCUM's ways to count things.
  const words = unit === "1" || Object.hasOwn(unitFormats, unit)
    ? ""
    : unit.replaceAll(/[{}]/g, "");
  const total = type === "counter" && value !== undefined
    ? `${plainFormat(unit)(value)} in all`
    : "";
  return [words, total].filter((part) => part !== "").join(", ");
}

function formatMb(value: number | undefined): string {
  return formatBytes(value === undefined ? undefined : value * 1024 * 1024);
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-telemetry-charts": BkgTelemetryCharts;
  }
}
