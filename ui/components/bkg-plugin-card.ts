// A plugin at a glance, for the dashboard: how it is, what it uses, where it runs.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import { type App, appContext } from "../app.ts";
import { StoreController } from "../controllers/store_controller.ts";
import type { TelemetrySample } from "../controllers/telemetry_history.ts";
import { pluginPath } from "../routes.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import {
  capText,
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatRate,
} from "./format.ts";
import "./bkg-plugin-status.ts";
import "./bkg-sparkline.ts";
import "./icons.ts";

@customElement("bkg-plugin-card")
export class BkgPluginCard extends LitElement {
  @property({ attribute: false })
  accessor plugin!: PluginView;
  /** Oldest first. */
  @property({ attribute: false })
  accessor samples: readonly TelemetrySample[] = [];
  @consume({ context: appContext })
  @state()
  private accessor app!: App;

  static override styles = [
    sharedStyles,
    css`
      :host {
        height: 100%;
        min-width: 0;
      }
      article {
        position: relative;
        display: flex;
        flex-direction: column;
        gap: var(--wa-space-m);
        height: 100%;
      }
      article:hover {
        border-color: var(--wa-color-neutral-border-normal);
      }
      header {
        display: flex;
        align-items: flex-start;
        justify-content: space-between;
        gap: var(--wa-space-s);
      }
      h3 {
        font-size: var(--wa-font-size-m);
      }
      h3 a {
        color: inherit;
        border-radius: var(--wa-border-radius-s);
        text-decoration: none;
      }
      /* The whole card is the link's target. */
      h3 a::after {
        content: "";
        position: absolute;
        inset: 0;
        border-radius: var(--bkg-card-radius);
      }
      h3 a:focus-visible {
        outline: none;
      }
      h3 a:focus-visible::after {
        outline: var(--wa-focus-ring);
      }
      .name {
        min-width: 0;
        display: grid;
        gap: var(--wa-space-2xs);
      }
      .two-lines {
        display: -webkit-box;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 2;
        overflow: hidden;
      }
      dl {
        display: grid;
        grid-template-columns: repeat(2, minmax(0, 1fr));
        gap: var(--wa-space-s) var(--wa-space-l);
      }
      dd {
        font-variant-numeric: tabular-nums;
      }
      dd strong {
        font-size: var(--wa-font-size-l);
        font-weight: var(--wa-font-weight-semibold);
        letter-spacing: -0.01em;
        line-height: 1.4;
      }
      bkg-sparkline {
        margin-block-start: var(--wa-space-2xs);
      }
      footer {
        display: flex;
        flex-wrap: wrap;
        gap: var(--wa-space-3xs) var(--wa-space-m);
        margin-block-start: auto;
        padding-block-start: var(--wa-space-s);
        border-block-start: var(--bkg-card-border);
        font-size: var(--wa-font-size-s);
      }
      footer span {
        display: inline-flex;
        align-items: center;
        gap: var(--wa-space-2xs);
      }
      .error {
        color: var(--wa-color-danger-on-quiet);
      }
      footer .error {
        display: block;
        flex-basis: 100%;
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.app.plugins, this.app.homes]);
  }

  override render() {
    const { plugin, samples } = this;
    const home = this.app.homes.state(plugin.id);
    const telemetry = this.app.plugins.telemetry(plugin.id);
    const up = plugin.status === "running";
    const cpu = up ? telemetry?.cpuPercent : undefined;
    const memory = up ? telemetry?.usage?.rssBytes : undefined;
    const memoryLimit = plugin.limits.memoryMb * 1024 * 1024;
    const rate = samples.at(-1)?.requestsPerSecond ?? 0;
    const errors = telemetry?.errors ?? 0;
    const lastError = plugin.lastError ?? telemetry?.lastError;
    return html`
      <article class="card">
        <header>
          <div class="name">
            <h3 class="two-lines wrap isolate" dir="auto">
              <a href=${pluginPath(plugin.id)}>${capText(plugin.name, 100)}</a>
            </h3>
            <div class="row">
              <span class="tag number">${plugin.version}</span>
              ${plugin.origin === "external" ? html`<span class="tag">external</span>` : nothing}
            </div>
          </div>
          <bkg-plugin-status .status=${plugin.status} .disabled=${!plugin
            .enabled}></bkg-plugin-status>
        </header>
        <dl>
          ${up ? nothing : html`
            <div class="about quiet small">
              <dt class="visually-hidden">What it does</dt>
              <dd class="three-lines wrap isolate" dir="auto">${capText(plugin.description, 300)}</dd>
            </div>
          `} ${this.#metric("CPU", formatPercent(cpu), "", samples.map((one) => one.cpuPercent), 100)}
          ${this.#metric(
            "Memory",
            formatBytes(memory),
            up ? `of ${formatBytes(memoryLimit)}` : "",
            samples.map((one) => one.memoryBytes),
            memoryLimit / 4,
          )}
          ${this.#metric(
            "Requests",
            formatCount(telemetry?.requests ?? 0),
            up ? formatRate(rate) : "",
            samples.map((one) => one.requestsPerSecond),
            2,
          )}
          <div>
            <dt class="label">Errors</dt>
            <dd><strong class=${errors > 0 ? "error" : ""}>${formatCount(errors)}</strong></dd>
          </div>
        </dl>
        <footer class="quiet">
          <span>
            <wa-icon name=${home.kind === "browser" ? "laptop" : "server"}></wa-icon>
            ${home.kind === "browser" ? "Runs in this browser" : "Runs on the server"}
          </span>
          ${up
            ? html`<span class="number">
              <wa-icon name="clock"></wa-icon>up ${formatDuration(telemetry?.uptimeMs)}
            </span>`
            : nothing}
          ${lastError === undefined ? nothing : html`
            <span class="error clip isolate" dir="auto" title=${capText(lastError.message, 300)}>
              Last error: ${capText(lastError.message, 200)}
            </span>
          `}
        </footer>
      </article>
    `;
  }

  #metric(
    label: string,
    value: string,
    aside: string,
    values: readonly number[],
    ceiling: number,
  ) {
    return html`
      <div>
        <dt class="label">${label}</dt>
        <dd>
          <strong>${value}</strong>
          ${aside === "" ? nothing : html`<span class="quiet small">${aside}</span>`}
          <bkg-sparkline .values=${values} .ceiling=${ceiling}></bkg-sparkline>
        </dd>
      </div>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-plugin-card": BkgPluginCard;
  }
}
