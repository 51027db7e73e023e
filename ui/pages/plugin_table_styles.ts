// The table of plugins: columns where there is room, on a phone one card a plugin.

import { css } from "lit";

export const pluginTableStyles = css`
  .tools {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: space-between;
    gap: var(--wa-space-s);
  }
  .tools wa-input {
    flex: 1 1 14rem;
    max-width: 22rem;
  }
  .segments {
    flex-wrap: wrap;
  }
  .segments small {
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-xs);
    font-weight: var(--wa-font-weight-normal);
  }
  .problem {
    display: flex;
    gap: var(--wa-space-s);
    padding: var(--wa-space-s) var(--wa-space-m);
    border: var(--bkg-card-border);
    border-radius: var(--bkg-card-radius);
    background: var(--wa-color-surface-lowered);
    font-size: var(--wa-font-size-s);
  }
  .problem wa-icon {
    flex: none;
    margin-block-start: 0.2em;
  }
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
  tbody tr:not(.failure):hover {
    background: var(--bkg-hover);
  }
  .plugin {
    width: 34%;
    min-width: 12rem;
  }
  .plugin a {
    border-radius: var(--wa-border-radius-s);
    color: var(--wa-color-text-normal);
    font-size: var(--wa-font-size-m);
    font-weight: var(--wa-font-weight-bold);
    text-decoration: none;
  }
  .plugin a:hover {
    color: var(--wa-color-text-link);
  }
  .two-lines {
    display: -webkit-box;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 2;
    overflow: hidden;
    width: fit-content;
  }
  .tags {
    display: flex;
    align-items: center;
    gap: var(--wa-space-2xs);
    min-width: 0;
    margin-block-start: var(--wa-space-3xs);
  }
  .tags .clip {
    max-width: 14rem;
  }
  .tags .mono {
    font-size: var(--wa-font-size-xs);
  }
  td small {
    display: block;
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-xs);
    line-height: 1.5;
  }
  td.status {
    width: 10.5rem;
    max-width: 10.5rem;
  }
  td.number {
    white-space: nowrap;
  }
  .unit {
    margin-inline-start: 0.3em;
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-xs);
  }
  td .error {
    color: var(--wa-color-danger-on-quiet);
  }
  .error.clip {
    display: block;
  }
  td.home {
    min-width: 13rem;
  }
  .only {
    display: inline-flex;
    align-items: center;
    gap: var(--wa-space-2xs);
    padding-inline-start: var(--wa-space-xs);
    color: var(--wa-color-text-quiet);
  }
  td.controls {
    width: 5.5rem;
    text-align: end;
    white-space: nowrap;
  }
  tbody tr.failure {
    border: 0;
  }
  tr.failure td {
    padding-block-start: 0;
  }

  @media (max-width: 64rem) {
    table,
    tbody,
    tr.failure,
    tr.failure td {
      display: block;
    }
    thead {
      position: absolute;
      width: 1px;
      height: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
    tbody tr:not(.failure) {
      display: grid;
      grid-template-columns: repeat(2, minmax(0, 1fr)) auto;
      gap: var(--wa-space-s) var(--wa-space-m);
      padding: var(--wa-space-m) var(--bkg-card-padding);
    }
    tbody tr:first-child {
      border: 0;
    }
    tbody tr:not(.failure) > :is(th, td) {
      width: auto;
      max-width: none;
      min-width: 0;
      padding: 0;
    }
    .plugin {
      grid-column: 1 / -2;
    }
    td.controls {
      grid-column: -2;
      grid-row: 1;
    }
    td.status {
      grid-column: 1;
    }
    td.home {
      grid-column: 1 / -1;
    }
    td[data-label]::before {
      content: attr(data-label);
      display: block;
      font: var(--bkg-label);
      color: var(--wa-color-text-quiet);
    }
    td.home[data-label]::before {
      margin-block-end: var(--wa-space-2xs);
    }
    .only {
      padding: 0;
    }
    tr.failure td {
      padding: 0 var(--bkg-card-padding) var(--wa-space-m);
    }
  }
`;
