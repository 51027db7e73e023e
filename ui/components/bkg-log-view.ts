// A plugin's log, live: what the server kept, then each line as it comes. Lines are taken in once a frame and only
// rows that are seen exist, so a flood costs no more than a trickle. All of a line is text, never markup.

import { consume } from "@lit/context";
import { html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import "@awesome.me/webawesome/dist/components/option/option.js";
import "@awesome.me/webawesome/dist/components/select/select.js";
import type { LogLevel, LogLine } from "../../plugins/runtime/host/host.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-copy-button.ts";
import { formatCount, formatPlural, formatTime } from "./format.ts";
import "./icons.ts";
import {
  createLogBuffer,
  describeRow,
  logLevels,
  type LogRow,
  visibleRange,
} from "./log_buffer.ts";
import { logRowHeightPx, logViewStyles } from "./log_view_styles.ts";

@customElement("bkg-log-view")
export class BkgLogView extends LitElement {
  @property()
  accessor pluginId = "";

  @consume({ context: appContext })
  accessor app!: App;

  /** Follows the end until someone scrolls up. */
  @state()
  private accessor following = true;
  @state()
  private accessor chosen: LogRow | undefined;
  @state()
  private accessor level: LogLevel = "debug";
  @query(".log")
  private accessor log!: HTMLElement | null;

  readonly #buffer = createLogBuffer();
  #text = "";
  #arrived: LogLine[] = [];
  #frame: number | undefined;
  #filterTimer: ReturnType<typeof setTimeout> | undefined;
  #stop = () => {};
  #followed = "";
  /** Where a scroll that this element made itself ends. */
  #scrollTop = 0;
  #height = 0;
  readonly #resizing = new ResizeObserver(() => this.#measure());

  static override styles = [sharedStyles, logViewStyles];

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) {
      this.#follow();
      if (this.log !== null) this.#resizing.observe(this.log);
    }
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop();
    this.#followed = "";
    this.#resizing.disconnect();
    clearTimeout(this.#filterTimer);
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("pluginId") && this.pluginId !== this.#followed) {
      this.#buffer.clear();
      this.#follow();
    }
  }

  override firstUpdated(): void {
    if (this.log === null) return;
    this.#resizing.observe(this.log);
    this.#measure();
  }

  override updated(): void {
    this.#layOut();
    if (this.log === null || !this.following) return;
    // Where the end is follows from the number of rows: reading it back would force a layout.
    this.#scrollTop = Math.max(0, this.#buffer.rows.length * logRowHeightPx - this.#height);
    this.log.scrollTop = this.#buffer.rows.length * logRowHeightPx;
  }

  /** By properties: the page's policy lets no template write a style attribute. */
  #layOut(): void {
    const space = this.renderRoot.querySelector<HTMLElement>(".space");
    const window = space?.querySelector<HTMLElement>(".window");
    if (space === null || window === null || window === undefined) return;
    space.style.height = `${this.#buffer.rows.length * logRowHeightPx}px`;
    const start = Number(window.dataset["start"]);
    window.style.transform = `translateY(${start * logRowHeightPx}px)`;
  }

  #follow(): void {
    this.#stop();
    this.#followed = this.pluginId;
    if (this.pluginId === "") return;
    this.#stop = this.app.live.follow({ topic: "logs", pluginId: this.pluginId, after: 0 }, {
      event: (event) => {
        if (event.type !== "logs") return;
        this.#arrived.push(...event.payload.lines);
        this.#schedule();
      },
      gap: () => {
        this.#takeIn();
        this.#buffer.addGap();
        this.#schedule();
      },
    });
  }

  #schedule(): void {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#takeIn();
      this.requestUpdate();
    });
  }

  #takeIn(): void {
    if (this.#arrived.length === 0) return;
    const lines = this.#arrived;
    this.#arrived = [];
    const dropped = this.#buffer.add(lines);
    // Who reads further up goes on reading the same lines.
    if (dropped > 0 && !this.following && this.log !== null) {
      this.#scrollTop = Math.max(0, this.#scrollTop - dropped * logRowHeightPx);
      this.log.scrollTop = this.#scrollTop;
    }
  }

  override render() {
    const { rows, size, paused, waiting } = this.#buffer;
    return html`
      <div class="stack">
        <div class="tools">
          <wa-input
            size="s" type="search" label="Find" placeholder="Text in a line" with-clear
            @input=${this.#onFilterText}
          ><wa-icon slot="start" name="search"></wa-icon></wa-input>
          <wa-select
            size="s" label="Level" .value=${this.level} @change=${this.#onLevel}
          >${logLevels.map((level) =>
            html`<wa-option value=${level}>${levelWords[level]}</wa-option>`
          )}</wa-select>
          <div class="buttons">
            <wa-button size="s" appearance="outlined" @click=${this.#onPause}>
              <wa-icon slot="start" name=${paused ? "play" : "pause"}></wa-icon>${paused
                ? "Go on"
                : "Pause"}</wa-button>
            <wa-button size="s" appearance="outlined" @click=${this.#onClear}>
              <wa-icon slot="start" name="trash"></wa-icon>Clear</wa-button>
            <wa-button
              size="s" appearance="outlined" ?disabled=${rows.length === 0} @click=${this
                .#onDownload}
            ><wa-icon slot="start" name="download"></wa-icon>Download</wa-button>
          </div>
        </div>
        <div class="frame">
          <div
            class="log" role="log" aria-live="off" aria-label="Log lines" tabindex="0"
            @scroll=${this.#onScroll} @keydown=${this.#onKey} @click=${this.#onClick}
          >${this.#renderRows()}</div>
          ${this.following ? nothing : html`
            <wa-button class="latest" size="s" variant="brand" @click=${this.#onLatest}>
              <wa-icon slot="start" name="arrow-down"></wa-icon>To the newest
            </wa-button>
          `}
        </div>
        <div class="status">
          <span>${rows.length === size
            ? formatPlural(size, "line")
            : `${formatCount(rows.length)} of ${
              formatPlural(size, "line")
            }`}; the newest 2,000 are kept here</span>
          <span role="status">${paused
            ? waiting === 0 ? "Paused" : `Paused: ${formatPlural(roughly(waiting), "new line")}`
            : ""}</span>
        </div>
        ${this.#renderDetail()}
      </div>
    `;
  }

  #renderRows() {
    const { rows, size } = this.#buffer;
    if (rows.length === 0) {
      return html`
        <div class="nothing">${size === 0
          ? "No lines yet. What the plugin writes, and what happens to it, appears here."
          : "No line fits the filter. Take it away to see all of them."}</div>
      `;
    }
    const scrollTop = this.following ? Infinity : this.#scrollTop;
    const { start, end } = visibleRange({
      scrollTop,
      height: this.#height,
      rowHeight: logRowHeightPx,
      count: rows.length,
    });
    return html`
      <div class="space">
        <div
          class="window" data-start=${start}
        >${rows.slice(start, end).map((row) => this.#renderRow(row))}</div>
      </div>
    `;
  }

  #renderRow(row: LogRow) {
    if (row.kind === "gap") return html`<div class="gap">Some lines are missing here</div>`;
    const { atMs, level, source, message, fields } = row.line;
    return html`
      <div class=${`line ${level}`} ?data-chosen=${row === this.chosen}>
        <span class="time">${formatTime(atMs)}</span>
        <span class="level">${level}</span>
        <span class="source">${source}</span>
        <span class="message" dir="auto">${message.slice(0, maxRowChars)}${fields === undefined
          ? nothing
          : html`
            <span class="fields">${JSON.stringify(fields).slice(0, maxRowChars)}</span>
          `}</span>
      </div>
    `;
  }

  /** The chosen line, whole; it is read out, other than those that stream by. */
  #renderDetail() {
    const row = this.chosen;
    return html`
      <div aria-live="polite">${row?.kind !== "line" ? nothing : html`
        <div class="card detail">
          <div class="row spread">
            <strong>${new Date(row.line.atMs).toISOString()} · ${row.line.level} · ${row.line
              .source}</strong>
            <span class="row">
              <bkg-copy-button .text=${describeRow(row)} label="Copy this line"></bkg-copy-button>
              <wa-button size="s" appearance="plain" @click=${() => this.chosen = undefined}>
                <wa-icon name="x" label="Close this line"></wa-icon>
              </wa-button>
            </span>
          </div>
          <pre dir="auto" tabindex="0">${row.line.message}</pre>
          ${row.line.fields === undefined ? nothing : html`
            <pre dir="auto" tabindex="0">${JSON.stringify(row.line.fields, undefined, 2)}</pre>
          `}
        </div>
      `}</div>
    `;
  }

  #measure(): void {
    const height = this.log?.clientHeight ?? 0;
    if (height === this.#height) return;
    this.#height = height;
    this.requestUpdate();
  }

  #onScroll = (): void => {
    if (this.log === null) return;
    const { scrollTop, clientHeight } = this.log;
    // Measured now: a view that grew scrolls by itself before its observer tells.
    const end = this.#buffer.rows.length * logRowHeightPx - clientHeight;
    const up = clientHeight === this.#height && scrollTop < this.#scrollTop - 1;
    this.#scrollTop = scrollTop;
    if (scrollTop >= end - logRowHeightPx) this.following = true;
    else if (up) this.following = false;
    this.requestUpdate();
  };

  #onKey = (event: KeyboardEvent): void => {
    const { rows } = this.#buffer;
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key === "Escape") this.chosen = undefined;
    if (event.key === "End") return this.#onLatest();
    const step = steps[event.key];
    if (step === undefined || rows.length === 0) return;
    event.preventDefault();
    const at = this.chosen === undefined ? -1 : rows.indexOf(this.chosen);
    const next = at < 0 ? rows.length - 1 : Math.min(rows.length - 1, Math.max(0, at + step));
    this.chosen = rows[next];
    this.#show(next);
  };

  #show(index: number): void {
    if (this.log === null) return;
    const top = index * logRowHeightPx;
    const { scrollTop } = this.log;
    const least = top + 2 * logRowHeightPx - this.#height;
    if (top >= scrollTop && least <= scrollTop) return;
    this.following = index === this.#buffer.rows.length - 1;
    this.#scrollTop = top < scrollTop ? top : least;
    this.log.scrollTop = this.#scrollTop;
  }

  #onClick = (event: MouseEvent): void => {
    // A selection that was dragged over rows is no click on one.
    if (globalThis.getSelection()?.type === "Range") return;
    const row = (event.target as Element).closest(".line");
    const window = row?.parentElement;
    if (row === null || window === null || window === undefined) return;
    const at = Number(window.dataset["start"]) + [...window.children].indexOf(row);
    this.chosen = this.#buffer.rows[at];
  };

  #onLatest = (): void => {
    this.following = true;
    this.log?.focus();
  };

  #onFilterText = (event: Event): void => {
    this.#text = String((event.target as HTMLInputElement).value ?? "");
    clearTimeout(this.#filterTimer);
    this.#filterTimer = setTimeout(() => this.#filter(), filterDelayMs);
  };

  #onLevel = (event: Event): void => {
    const { value } = event.target as HTMLInputElement;
    this.level = logLevels.find((level) => level === value) ?? "debug";
    this.#filter();
  };

  #filter(): void {
    this.#buffer.filter({ text: this.#text, level: this.level });
    this.following = true;
    this.requestUpdate();
  }

  #onPause = (): void => {
    this.#takeIn();
    if (this.#buffer.paused) this.#buffer.resume();
    else this.#buffer.pause();
    this.requestUpdate();
  };

  #onClear = (): void => {
    this.#takeIn();
    this.#buffer.clear();
    this.chosen = undefined;
    this.following = true;
    this.requestUpdate();
  };

  #onDownload = (): void => {
    const url = URL.createObjectURL(new Blob([this.#buffer.text()], { type: "text/plain" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `${this.pluginId}.log`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
}

/** A row shows no more than fits the widest screen; the whole line is below when it is chosen. */
const maxRowChars = 400;
const filterDelayMs = 120;

const levelWords: Readonly<Record<LogLevel, string>> = {
  debug: "All",
  info: "Info and up",
  warn: "Warnings and up",
  error: "Errors",
};

/** Exact while small; then in steps, so that a screen reader is not told of each line. */
function roughly(count: number): number {
  return count < 10 ? count : count < 100 ? count - count % 10 : count - count % 100;
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-log-view": BkgLogView;
  }
}
