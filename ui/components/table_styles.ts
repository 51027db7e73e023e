// A table in a card, as wide as it. What its rows become on a phone, each list says for itself.

import { css } from "lit";

export const tableStyles = css`
  .wait {
    height: 20rem;
  }
  .table {
    padding: 0;
    overflow: hidden;
  }
  table {
    width: 100%;
    border-collapse: collapse;
    table-layout: fixed;
    text-align: start;
  }
  thead th {
    padding-block: var(--wa-space-xs);
    background: var(--wa-color-surface-lowered);
    font: var(--bkg-label);
    color: var(--wa-color-text-quiet);
  }
  th,
  td {
    padding: var(--wa-space-s) var(--wa-space-s);
    text-align: start;
    vertical-align: middle;
    font-weight: var(--wa-font-weight-normal);
    font-size: var(--wa-font-size-s);
  }
  th:first-child,
  td:first-child {
    padding-inline-start: var(--bkg-card-padding);
  }
  th:last-child,
  td:last-child {
    padding-inline-end: var(--bkg-card-padding);
  }
  tbody tr {
    border-block-start: var(--bkg-card-border);
  }
`;
