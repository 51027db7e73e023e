// Five figures in one card, at the head of a dashboard: <dl class="card totals"> of `total`s.

import { css, html } from "lit";
import { unknownNumber } from "./format.ts";

export const totalsStyles = css`
  .totals {
    display: grid;
    grid-template-columns: repeat(5, minmax(0, 1fr));
    padding: 0;
    overflow: hidden;
  }
  .totals > div {
    padding: var(--wa-space-m) var(--bkg-card-padding);
    /* Lines between the cells, however they wrap. */
    margin: 0 0 -1px -1px;
    border-inline-start: var(--bkg-card-border);
    border-block-end: var(--bkg-card-border);
  }
  .totals dd {
    font-size: var(--wa-font-size-l);
    font-weight: var(--wa-font-weight-semibold);
    font-variant-numeric: tabular-nums;
    letter-spacing: -0.01em;
    line-height: 1.4;
  }
  .totals small {
    display: block;
    min-height: 1.5em;
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-s);
    font-weight: var(--wa-font-weight-normal);
    letter-spacing: 0;
  }
  @media (max-width: 64rem) {
    .totals {
      grid-template-columns: repeat(6, minmax(0, 1fr));
    }
    .totals > div {
      grid-column: span 2;
    }
    .totals > div:nth-child(n + 4) {
      grid-column: span 3;
    }
  }
  @media (max-width: 30rem) {
    .totals > div:nth-child(n) {
      grid-column: span 3;
    }
    .totals > div:first-child {
      grid-column: span 6;
    }
  }
`;

/** `hint` may be "": its line keeps its room. */
export function total(label: string, value: unknown, hint: string) {
  return html`
    <div>
      <dt class="label">${label}</dt>
      <dd>${value ?? unknownNumber}<small>${hint}</small></dd>
    </div>
  `;
}
