// What the person used: how much of each quota, day by day, and by capability.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "@awesome.me/webawesome/dist/components/progress-bar/progress-bar.js";
import { type QuotaView, readUsage, type Usage } from "../api/account.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-day-bars.ts";
import "./bkg-empty-state.ts";
import "./bkg-error-notice.ts";
import { dataTableStyles } from "./data_table_styles.ts";
import { capText, formatCount, formatDuration, formatPercent } from "./format.ts";
import { segmentedStyles } from "./segmented_styles.ts";
import { describeQuota } from "./usage_limit_words.ts";
import {
  type CapabilityTotals,
  lastDays,
  totalsByCapability,
  totalsByDay,
} from "./usage_totals.ts";

@customElement("bkg-usage")
export class BkgUsage extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor span: Span = 30;
  @state()
  private accessor counted: "calls" | "tokens" = "calls";
  @state()
  private accessor usage: Usage | undefined;
  /** Of `usage`. */
  @state()
  private accessor days: readonly string[] = [];
  @state()
  private accessor error: unknown;

  static override styles = [
    sharedStyles,
    segmentedStyles,
    dataTableStyles,
    css`
      .quotas {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr));
        gap: var(--bkg-gap) var(--wa-space-xl);
        list-style: none;
      }
      .quotas li {
        display: grid;
        gap: var(--wa-space-2xs);
        align-content: start;
      }
      .quotas .row {
        justify-content: space-between;
        gap: var(--wa-space-2xs) var(--wa-space-s);
      }
      wa-progress-bar {
        --track-height: 0.5rem;
      }
      .full {
        --indicator-color: var(--wa-color-danger-fill-loud);
      }
      .chart {
        display: grid;
        gap: var(--bkg-gap);
      }
      .is-number {
        width: 7.5rem;
      }
      .wait {
        height: 24rem;
      }
    `,
  ];

  override firstUpdated(): void {
    void this.#load();
  }

  override render() {
    const { usage, error } = this;
    return html`
      <section class="stack" aria-labelledby="usage">
        <div class="row spread">
          <h2 id="usage">Usage</h2>
          <fieldset class="segments">
            <legend class="visually-hidden">Time</legend>
            ${spans.map((span) =>
              html`
                <label>
                  <input
                    type="radio" name="span" .checked=${live(span === this.span)}
                    @change=${() => {
                      this.span = span;
                      void this.#load();
                    }}
                  >
                  <span>${span} days</span>
                </label>
              `
            )}
          </fieldset>
        </div>
        <bkg-error-notice
          heading="The usage could not be loaded" .error=${error} .retry=${() => void this.#load()}
        ></bkg-error-notice>
        ${usage !== undefined
          ? this.#content(usage)
          : error === undefined
          ? html`<div class="skeleton wait" role="status" aria-label="Loading the usage"></div>`
          : nothing}
      </section>
    `;
  }

  #content({ days, quotas }: Usage) {
    const totals = totalsByDay(days, this.days);
    const capabilities = totalsByCapability(days);
    const values = totals.map((one) => ({
      day: one.day,
      value: this.counted === "calls" ? one.calls : one.promptTokens + one.completionTokens,
    }));
    return html`
      ${quotas.length === 0 ? nothing : html`
        <ul class="quotas card" role="list" aria-label="Quotas">
          ${quotas.map((quota) => this.#quota(quota))}
        </ul>
      `}
      <div class="card chart">
        <fieldset class="segments">
          <legend class="visually-hidden">What is counted</legend>
          ${(["calls", "tokens"] as const).map((counted) =>
            html`
              <label>
                <input
                  type="radio" name="counted" .checked=${live(counted === this.counted)}
                  @change=${() => this.counted = counted}
                >
                <span>${counted === "calls" ? "Calls" : "Tokens"}</span>
              </label>
            `
          )}
        </fieldset>
        <bkg-day-bars .days=${values} unit=${this.counted}></bkg-day-bars>
      </div>
      ${capabilities.length === 0
        ? html`
          <div class="card">
            <bkg-empty-state
              icon="activity" heading="Nothing was used"
              text="Calls of capabilities, from the page or with a key, are counted here."
            ></bkg-empty-state>
          </div>
        `
        : this.#table(capabilities)}
    `;
  }

  #quota(quota: QuotaView) {
    const { subject, limit, used, remaining, resetMs } = quota;
    const share = limit <= 0 ? 100 : Math.min(100, Math.max(0, used / limit * 100));
    const label = capText(describeQuota(quota), 100);
    return html`
      <li>
        <div class="row">
          <strong class="small">${label}</strong>
          <span class="quiet small">${subject.startsWith("key:")
            ? html`key <code>${capText(subject.slice("key:".length), 40)}</code>`
            : nothing}</span>
        </div>
        <wa-progress-bar
          class=${remaining <= 0 ? "full" : ""} value=${share} label=${label}
        ></wa-progress-bar>
        <span class="quiet small number">
          ${formatCount(used)} of ${formatCount(limit)} (${formatPercent(share)})${resetMs > 0
            ? `, whole again in ${formatDuration(resetMs)}`
            : ""}
        </span>
      </li>
    `;
  }

  #table(capabilities: readonly CapabilityTotals[]) {
    return html`
      <div class="card table">
        <table role="table" aria-label="Usage by capability">
          <thead role="rowgroup">
            <tr role="row">
              <th role="columnheader" scope="col">Capability</th>
              <th role="columnheader" scope="col" class="is-number end">Calls</th>
              <th role="columnheader" scope="col" class="is-number end">Failed</th>
              <th role="columnheader" scope="col" class="is-number end">Tokens in</th>
              <th role="columnheader" scope="col" class="is-number end">Tokens out</th>
              <th role="columnheader" scope="col" class="is-number end">Time a call</th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            ${capabilities.map((one) =>
              html`
                <tr role="row">
                  <th role="rowheader" scope="row"><code class="isolate">${capText(
                    one.capability,
                    100,
                  )}</code></th>
                  <td role="cell" class="number end" data-label="Calls">${formatCount(
                    one.calls,
                  )}</td>
                  <td role="cell" class="number end" data-label="Failed">${formatCount(
                    one.errors,
                  )}</td>
                  <td role="cell" class="number end" data-label="Tokens in">${formatCount(
                    one.promptTokens,
                  )}</td>
                  <td role="cell" class="number end" data-label="Tokens out">${formatCount(
                    one.completionTokens,
                  )}</td>
                  <td role="cell" class="number end" data-label="Time a call">${formatDuration(
                    one.busyMs / Math.max(1, one.calls),
                  )}</td>
                </tr>
              `
            )}
          </tbody>
        </table>
      </div>
    `;
  }

  async #load(): Promise<void> {
    const { span } = this;
    const days = lastDays(span, Date.now());
    this.error = undefined;
    try {
      const range = { from: days[0] ?? "", to: days.at(-1) ?? "" };
      const usage = await readUsage(this.app.api, range);
      if (this.span !== span) return;
      this.usage = usage;
      this.days = days;
    } catch (error) {
      if (this.span === span) this.error = error;
    }
  }
}

const spans = [7, 30, 90] as const;
type Span = typeof spans[number];

declare global {
  interface HTMLElementTagNameMap {
    "bkg-usage": BkgUsage;
  }
}
