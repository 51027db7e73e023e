// A plugin at a glance, for the dashboard: how it is, what it uses, where it runs.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { PluginTelemetry, PluginView } from "../../plugins/runtime/host/host.ts";
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
        container-type: inline-size;
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
      .about {
        grid-column: span 2;
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
      @container (min-width: 40rem) {
        dl {
          grid-template-columns: repeat(4, minmax(0, 1fr));
        }
      }
      /* As high as a label, a value and its line. */
      .about {
        height: calc(var(--wa-font-size-xs) * 1.4 + var(--wa-font-size-l) * 1.4 + 2rem);
      }
      .about dd {
        display: -webkit-box;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 3;
        overflow: hidden;
        max-width: 34rem;
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
    const { plugin } = this;
    const home = this.app.homes.state(plugin.id);
    const here = home.kind === "browser";
    // Whoever moved it here wants to know how it is here.
    const status = here ? home.view.status : plugin.status;
    const telemetry = this.app.plugins.telemetry(plugin.id);
    const up = status === "running" && !here;
    const lastError = here ? home.view.lastError : plugin.lastError ?? telemetry?.lastError;
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
              ${plugin.needsConsent && up
                ? html`<span class="tag">update needs consent</span>`
                : nothing}
            </div>
          </div>
          <bkg-plugin-status
            .status=${status}
            .disabled=${!plugin.enabled}
            .waiting=${plugin.needsConsent && !here}
            .unhealthy=${plugin.healthy === false}
          ></bkg-plugin-status>
        </header>
        <dl>
          ${up ? this.#usage(telemetry) : this.#about()} ${this.#calls(telemetry)}
        </dl>
        <footer class="quiet">
          <span>
            <wa-icon name=${here ? "laptop" : "server"}></wa-icon>
            ${here ? "Runs in this browser" : "Runs on the server"}
          </span>
          ${up
            ? html`<span class="number">
              <wa-icon name="clock"></wa-icon>up ${formatDuration(telemetry?.uptimeMs)}
            </span>`
            : nothing}
          ${lastError === undefined || lastError.code === "CONSENT_REQUIRED" ? nothing : html`
            <span class="error clip isolate" dir="auto" title=${capText(lastError.message, 300)}>
              Last error: ${capText(lastError.message, 200)}
            </span>
          `}
        </footer>
      </article>
    `;
  }

  /** Stands where a running plugin's usage does, in the same room. */
  #about() {
    return html`
      <div class="about">
        <dt class="visually-hidden">What it does</dt>
        <dd class="quiet small wrap isolate" dir="auto">
          ${capText(this.plugin.description, 300)}
        </dd>
      </div>
    `;
  }

  #usage(telemetry: PluginTelemetry | undefined) {
    const memoryLimit = this.plugin.limits.memoryMb * 1024 * 1024;
    return [
      metric({
        label: "CPU",
        value: formatPercent(telemetry?.cpuPercent),
        values: this.samples.map((one) => one.cpuPercent),
        ceiling: 100,
      }),
      metric({
        label: "Memory",
        value: formatBytes(telemetry?.usage?.rssBytes),
        aside: `of ${formatBytes(memoryLimit)}`,
        values: this.samples.map((one) => one.memoryBytes),
        ceiling: memoryLimit / 4,
      }),
    ];
  }

  #calls(telemetry: PluginTelemetry | undefined) {
    const rate = this.samples.at(-1)?.requestsPerSecond ?? 0;
    const errors = telemetry?.errors ?? 0;
    return [
      metric({
        label: "Requests",
        value: formatCount(telemetry?.requests ?? 0),
        aside: rate > 0 ? formatRate(rate) : "",
        values: this.samples.map((one) => one.requestsPerSecond),
        ceiling: 2,
      }),
      html`
        <div>
          <dt class="label">Errors</dt>
          <dd><strong class=${errors > 0 ? "error" : ""}>${formatCount(errors)}</strong></dd>
        </div>
      `,
    ];
  }
}

interface Metric {
  label: string;
  value: string;
  /** Said more quietly beside the value. */
  aside?: string;
  /** Oldest first. */
  values: readonly number[];
  /** The top of the line's picture. */
  ceiling: number;
}

function metric({ label, value, aside = "", values, ceiling }: Metric) {
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

declare global {
  interface HTMLElementTagNameMap {
    "bkg-plugin-card": BkgPluginCard;
  }
}
