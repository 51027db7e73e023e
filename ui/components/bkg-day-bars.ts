// One number a day, as bars. The day under the pointer or the focus is told in words; a table beside it tells the rest.

import { css, html, LitElement, nothing, svg } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { sharedStyles } from "../theme/shared_styles.ts";
import { formatCount } from "./format.ts";

export interface DayValue {
  /** Such as "2026-01-31". */
  day: string;
  value: number;
}

@customElement("bkg-day-bars")
export class BkgDayBars extends LitElement {
  @property({ attribute: false })
  accessor days: readonly DayValue[] = [];
  /** What is counted, such as "calls". */
  @property()
  accessor unit = "";
  @state()
  private accessor pointed: number | undefined;

  static override styles = [
    sharedStyles,
    css`
      figure {
        display: grid;
        gap: var(--wa-space-xs);
      }
      figcaption {
        display: flex;
        justify-content: space-between;
        gap: var(--wa-space-s);
        min-height: 1.5em;
        font-size: var(--wa-font-size-s);
        font-variant-numeric: tabular-nums;
      }
      svg {
        display: block;
        width: 100%;
        height: 9rem;
        border-block-end: var(--bkg-card-border);
      }
      line {
        stroke: var(--wa-color-surface-border);
        stroke-dasharray: 3 3;
      }
      .day {
        fill: transparent;
      }
      .day:hover {
        fill: var(--bkg-hover);
      }
      .bar {
        fill: var(--wa-color-brand-fill-loud);
        pointer-events: none;
      }
      .ends {
        display: flex;
        justify-content: space-between;
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-xs);
      }
    `,
  ];

  override render() {
    const { days, unit } = this;
    const highest = Math.max(0, ...days.map(({ value }) => value));
    const total = days.reduce((sum, { value }) => sum + value, 0);
    const pointed = this.pointed === undefined ? undefined : days[this.pointed];
    const [first] = days;
    const last = days.at(-1);
    return html`
      <figure>
        <figcaption>
          <span>${pointed === undefined
            ? html`<strong>${formatCount(total)}</strong> ${unit} in ${days.length} days`
            : html`<strong>${formatCount(pointed.value)}</strong> ${unit} on ${
              sayDay(pointed.day)
            }`}</span>
          <span class="quiet">${highest > 0 ? `most in a day: ${formatCount(highest)}` : ""}</span>
        </figcaption>
        <svg role="img" aria-label=${summary(days, unit)} @pointerleave=${() =>
          this.pointed = undefined}>
          ${svg`
            <line x1="0" x2="100%" y1="0.5" y2="0.5" />
            <line x1="0" x2="100%" y1="50%" y2="50%" />
            ${days.map(({ value }, index) => this.#bar(index, value / highest))}
          `}
        </svg>
        <div class="ends" aria-hidden="true">
          <span>${first === undefined ? "" : sayDay(first.day)}</span>
          <span>${last === undefined ? "" : sayDay(last.day)}</span>
        </div>
      </figure>
    `;
  }

  /** `share` of the highest; its column hears the pointer at any height. */
  #bar(index: number, share: number) {
    const width = 100 / this.days.length;
    const height = Math.max(1.5, share * 100);
    return svg`
      <rect
        class="day" x="${index * width}%" y="0" width="${width}%" height="100%"
        @pointerenter=${() => this.pointed = index}
      />
      ${share > 0
        ? svg`
          <rect
            class="bar" x="${(index + 0.15) * width}%" width="${width * 0.7}%"
            y="${100 - height}%" height="${height}%" rx="2"
          />
        `
        : nothing}
    `;
  }
}

const dayWords = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  timeZone: "UTC",
});

/** "31 Jan"; a text that is no day says itself. */
function sayDay(day: string): string {
  const atMs = Date.parse(`${day}T00:00:00Z`);
  return Number.isFinite(atMs) ? dayWords.format(atMs) : day;
}

function summary(days: readonly DayValue[], unit: string): string {
  const used = days.filter(({ value }) => value > 0);
  if (used.length === 0) return `No ${unit} in ${days.length} days`;
  const most = used.reduce((one, other) => other.value > one.value ? other : one);
  return `${unit} a day over ${days.length} days; the most, ${formatCount(most.value)}, on ${
    sayDay(most.day)
  }`;
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-day-bars": BkgDayBars;
  }
}
