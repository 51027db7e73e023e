// A table of records in a card: columns where there is room, on a phone one card a record (td[data-label] says which
// value it is). Rows and cells carry their ARIA roles, as display: grid would take them away.

import { css } from "lit";
import { tableStyles } from "./table_styles.ts";

const ownStyles = css`
  .tools {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: space-between;
    gap: var(--wa-space-s);
  }
  .tools wa-input[type="search"] {
    flex: 1 1 14rem;
    max-width: 22rem;
  }
  .hidden-label::part(form-control-label) {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
  }
  /* In a grid it would take the whole width. */
  .segments {
    justify-self: start;
  }
  th,
  td {
    padding-block: var(--wa-space-xs);
    overflow-wrap: anywhere;
  }
  td.end,
  th.end {
    text-align: end;
  }
  tbody tr {
    height: 3.25rem;
  }
  tbody tr:hover {
    background: var(--bkg-hover);
  }
  tbody th {
    font-weight: var(--wa-font-weight-semibold);
  }
  td small,
  th small {
    display: block;
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-xs);
    font-weight: var(--wa-font-weight-normal);
    line-height: 1.5;
  }
  th .tag,
  td .tag {
    vertical-align: middle;
  }
  .chips {
    display: flex;
    flex-wrap: wrap;
    gap: var(--wa-space-3xs);
    min-width: 0;
  }
  .chips .tag {
    max-width: 100%;
    white-space: normal;
    overflow-wrap: anywhere;
  }
  .actions {
    display: flex;
    justify-content: flex-end;
    gap: var(--wa-space-3xs);
  }
  .dot::before {
    content: "";
    display: inline-block;
    flex: none;
    margin-inline-end: 0.5em;
    width: 0.5em;
    height: 0.5em;
    border-radius: 50%;
    background: var(--bkg-status-stopped);
  }
  .dot.good::before {
    background: var(--bkg-status-running);
  }
  .dot.waiting::before {
    background: var(--bkg-status-starting);
  }
  .dot.bad::before {
    background: var(--bkg-status-error);
  }
  .more {
    display: grid;
    justify-items: center;
    gap: var(--bkg-gap-s);
    min-height: 2.25rem;
  }

  @media (max-width: 52rem) {
    table,
    tbody {
      display: block;
    }
    thead {
      position: absolute;
      width: 1px;
      height: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
    tbody tr {
      display: grid;
      grid-template-columns: repeat(2, minmax(0, 1fr));
      gap: var(--wa-space-xs) var(--wa-space-m);
      height: auto;
      padding: var(--wa-space-s) var(--bkg-card-padding);
    }
    tbody tr:first-child {
      border: 0;
    }
    tbody tr > :is(th, td):nth-child(n) {
      min-width: 0;
      padding: 0;
      text-align: start;
    }
    tbody th,
    td.wide {
      grid-column: 1 / -1;
    }
    td[data-label]::before {
      content: attr(data-label);
      display: block;
      font: var(--bkg-label);
      color: var(--wa-color-text-quiet);
    }
    .actions {
      justify-content: flex-start;
      flex-wrap: wrap;
    }
  }
`;

export const dataTableStyles = [tableStyles, ownStyles];
