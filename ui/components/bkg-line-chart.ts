// One chart over time, drawn by uPlot, which is loaded with the first chart. It redraws at most once a frame,
// takes its colours from tokens, and says in words what it shows.

import { css, html, LitElement, nothing, type PropertyValues, unsafeCSS } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import type uPlot from "uplot";
import { sharedStyles } from "../theme/shared_styles.ts";
import { formatDuration, formatTime, unknownNumber } from "./format.ts";
import { type Column, summarize } from "./telemetry_series.ts";

/** Reserved before the chart is there, so that nothing moves. */
const chartHeightPx = 150;

export interface ChartLine {
  label: string;
  column: Column;
  /** One of the chart's four colours. */
  color: 1 | 2 | 3 | 4;
}

@customElement("bkg-line-chart")
export class BkgLineChart extends LitElement {
  /** May be plugin-authored, as the labels and the note. */
  @property()
  accessor heading = "";
  @property()
  accessor note = "";
  /** Shown while there is no sample. */
  @property()
  accessor empty = "No samples yet";
  /** Seconds since the epoch. */
  @property({ attribute: false })
  accessor times: readonly number[] = [];
  @property({ attribute: false })
  accessor lines: readonly ChartLine[] = [];
  @property({ attribute: false })
  accessor format: (value: number | undefined) => string = (value) =>
    value === undefined ? unknownNumber : String(value);
  /** The axis names whole numbers alone. */
  @property({ type: Boolean })
  accessor whole = false;
  /** Drawn as a dashed line once the values come near it. */
  @property({ attribute: false })
  accessor limit: number | undefined;

  @query(".plot")
  private accessor plotElement!: HTMLElement;
  /** The sample under the pointer. */
  @state()
  private accessor hovered: number | undefined;

  #plot: uPlot | undefined;
  #frame: number | undefined;
  readonly #resizing = new ResizeObserver(() => this.#resize());
  readonly #themeChange = new MutationObserver(() => this.#plot?.redraw(false));

  static override styles = [
    sharedStyles,
    css`
      :host {
        --chart-1: var(--wa-color-brand-fill-loud);
        --chart-2: var(--wa-color-danger-fill-loud);
        --chart-3: var(--wa-color-warning-fill-loud);
        --chart-4: var(--wa-color-success-fill-loud);
        --chart-grid: var(--wa-color-surface-border);
        --chart-text: var(--wa-color-text-quiet);
      }
      figure {
        display: grid;
        grid-template-rows: 1fr auto;
        height: 100%;
        gap: var(--wa-space-xs);
        padding: var(--wa-space-m);
      }
      figcaption {
        display: grid;
        gap: var(--wa-space-3xs);
        align-content: start;
        min-height: 3.4rem;
      }
      h3 {
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-s);
        font-weight: var(--wa-font-weight-semibold);
        unicode-bidi: isolate;
      }
      .head {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: var(--wa-space-s);
        align-items: baseline;
      }
      .head .name {
        max-width: 9rem;
        text-align: end;
      }
      .values {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0 var(--wa-space-m);
        font-size: var(--wa-font-size-l);
        font-weight: var(--wa-font-weight-semibold);
        font-variant-numeric: tabular-nums;
      }
      .value {
        display: inline-flex;
        align-items: baseline;
        gap: var(--wa-space-2xs);
      }
      .name {
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-xs);
        font-weight: var(--wa-font-weight-normal);
      }
      .mark {
        align-self: center;
        width: 0.7rem;
        height: 0.2rem;
        border-radius: 0.1rem;
      }
      .mark.c1 {
        background: var(--chart-1);
      }
      .mark.c2 {
        background: var(--chart-2);
      }
      .mark.c3 {
        background: var(--chart-3);
      }
      .mark.c4 {
        background: var(--chart-4);
      }
      .plot {
        position: relative;
        height: ${unsafeCSS(chartHeightPx)}px;
        overflow: hidden;
      }
      .empty {
        position: absolute;
        inset: 0;
        display: grid;
        place-items: center;
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-s);
      }

      /* What uPlot needs of its style sheet, without its legend. */
      .uplot {
        width: min-content;
      }
      .u-wrap {
        position: relative;
        user-select: none;
      }
      .u-over,
      .u-under,
      .u-axis {
        position: absolute;
      }
      .u-under {
        overflow: hidden;
      }
      .uplot canvas {
        display: block;
        position: relative;
        width: 100%;
        height: 100%;
      }
      .u-cursor-x,
      .u-cursor-y,
      .u-cursor-pt {
        position: absolute;
        left: 0;
        top: 0;
        pointer-events: none;
      }
      .u-cursor-x {
        height: 100%;
        border-inline-end: 1px dashed var(--chart-text);
      }
      .u-cursor-pt {
        border-radius: 50%;
      }
      .u-off,
      .u-select,
      .u-cursor-y {
        display: none;
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    this.#themeChange.observe(document.documentElement, { attributeFilter: ["class"] });
    if (this.hasUpdated) this.#start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resizing.disconnect();
    this.#themeChange.disconnect();
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  override firstUpdated(): void {
    this.#start();
  }

  override updated(changed: PropertyValues<this>): void {
    if (changed.has("times") || changed.has("lines") || changed.has("limit")) this.#scheduleDraw();
  }

  override render() {
    const at = this.hovered ?? this.times.length - 1;
    const time = this.hovered === undefined ? undefined : this.times[this.hovered];
    return html`
      <figure class="card">
        <figcaption>
          <div class="head">
            <h3 class="wrap" dir="auto">${this.heading}</h3>
            <span class="name wrap isolate" dir="auto">${time === undefined
              ? this.note
              : `at ${formatTime(time * 1000)}`}</span>
          </div>
          <div class="values" aria-hidden="true">
            ${this.lines.map((line) =>
              html`
                <span class="value">
                  ${this.lines.length > 1
                    ? html`<span class=${`mark c${line.color}`}></span>`
                    : nothing}
                  <span>${this.format(line.column[at] ?? undefined)}</span>
                  ${this.lines.length > 1 ? html`<span class="name">${line.label}</span>` : nothing}
                </span>
              `
            )}

          </div>
          <p class="visually-hidden">${this.#words()}</p>
        </figcaption>
        <div class="plot" aria-hidden="true">
          ${this.times.length === 0 ? html`<div class="empty">${this.empty}</div>` : nothing}
        </div>
      </figure>
    `;
  }

  #words(): string {
    const [first] = this.times;
    if (first === undefined) return "No samples yet.";
    const span = formatDuration(((this.times.at(-1) ?? first) - first) * 1000);
    return this.lines.map(({ label, column }) => {
      const summary = summarize(column);
      if (summary === undefined) return `${label}: not measured.`;
      const { current, min, max } = summary;
      return `${label}: now ${
        current === undefined ? "not measured" : this.format(current)
      }, lowest ${this.format(min)}, highest ${this.format(max)} in ${span}.`;
    }).join(" ");
  }

  #start(): void {
    this.#resizing.observe(this.plotElement);
    this.#scheduleDraw();
  }

  #scheduleDraw(): void {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      void this.#draw();
    });
  }

  async #draw(): Promise<void> {
    const Plot = await loadPlot();
    if (!this.isConnected || this.times.length === 0) return;
    const data = this.#data();
    if (this.#plot !== undefined && this.#plot.series.length !== data.length) {
      this.#plot.destroy();
      this.#plot = undefined;
    }
    if (this.#plot !== undefined) return this.#plot.setData(data);
    const width = this.plotElement.clientWidth;
    // A chart in a hidden tab gets its size when it is shown.
    if (width === 0) return;
    this.#plot = new Plot(this.#options(width), data, this.plotElement);
  }

  #data(): uPlot.AlignedData {
    const highest = Math.max(0, ...this.lines.map(({ column }) => summarize(column)?.max ?? 0));
    const near = this.limit !== undefined && highest > this.limit * nearShare;
    const limit = this.times.map(() => near ? this.limit : null);
    return [
      [...this.times],
      ...this.lines.map(({ column }) => [...column]),
      limit,
    ] as uPlot.AlignedData;
  }

  #options(width: number): uPlot.Options {
    const axis = {
      stroke: () => this.#color("--chart-text"),
      font: `11px ${getComputedStyle(this).fontFamily}`,
      ticks: { show: false },
    };
    return {
      width,
      height: chartHeightPx,
      padding: [8, 26, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false, sync: { key: "bkg" }, points: { size: 7 } },
      scales: { y: { range: (_, __, highest) => [0, roundUp(highest)] } },
      hooks: {
        setCursor: [(plot) => this.hovered = plot.cursor.idx ?? undefined],
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          space: 70,
          size: 24,
          values: (_, splits) => splits.map((second) => formatTime(second * 1000)),
        },
        {
          ...axis,
          grid: { stroke: () => this.#color("--chart-grid"), width: 1 },
          space: 36,
          size: 64,
          values: (_, splits) =>
            splits.map((value) => this.whole && !Number.isInteger(value) ? "" : this.format(value)),
        },
      ],
      series: [
        {},
        ...this.lines.map(({ label, color }): uPlot.Series => ({
          label,
          stroke: () => this.#color(`--chart-${color}`),
          width: 1.75,
          points: { show: false },
        })),
        {
          label: "Limit",
          stroke: () => this.#color("--chart-2"),
          width: 1,
          dash: [4, 4],
          points: { show: false },
        },
      ],
    };
  }

  #color(name: string): string {
    return getComputedStyle(this).getPropertyValue(name).trim();
  }

  #resize(): void {
    const width = this.plotElement.clientWidth;
    if (width === 0) return;
    if (this.#plot === undefined) return this.#scheduleDraw();
    if (width !== this.#plot.width) this.#plot.setSize({ width, height: chartHeightPx });
  }
}

/** A limit is drawn when the values reach this share of it: far above, it would flatten them. */
const nearShare = 0.4;

let loading: Promise<typeof uPlot> | undefined;

function loadPlot(): Promise<typeof uPlot> {
  return loading ??= import("uplot").then((module) => module.default);
}

/** The next 1, 2, 2.5 or 5 times a power of ten, so that the axis does not jump at each sample. */
function roundUp(value: number | null): number {
  if (value === null || !(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 2.5, 5, 10].find((candidate) => candidate * power >= value) ?? 10;
  return step * power;
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-line-chart": BkgLineChart;
  }
}
