// The table of plugins: columns where there is room, on a phone one card a plugin.

import { css } from "lit";
import { tableStyles } from "../components/table_styles.ts";

const ownStyles = css`
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
  .tools wa-input::part(form-control-label) {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
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
  tbody tr:not(.failure):hover {
    background: var(--bkg-hover);
  }
  .is-status {
    width: 10rem;
  }
  .is-usage {
    width: 6.5rem;
  }
  .is-requests {
    width: 6.5rem;
  }
  .is-home {
    width: 14.5rem;
  }
  .is-controls {
    width: 7rem;
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
    flex-wrap: wrap;
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
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-xs);
    line-height: 1.5;
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
  .only {
    display: inline-flex;
    align-items: center;
    gap: var(--wa-space-2xs);
    padding-inline-start: var(--wa-space-xs);
    color: var(--wa-color-text-quiet);
  }
  td.controls {
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
      grid-template-columns: repeat(3, minmax(0, 1fr)) 14rem;
      gap: var(--wa-space-s) var(--wa-space-m);
      padding: var(--wa-space-m) var(--bkg-card-padding);
    }
    tbody tr:first-child {
      border: 0;
    }
    tbody tr:not(.failure) > :is(th, td) {
      min-width: 0;
      padding: 0;
    }
    .plugin {
      grid-column: 1 / -2;
    }
    td.controls {
      grid-column: -2;
      grid-row: 1;
      margin-inline-end: calc(-1 * var(--wa-space-xs));
    }
    td.status {
      grid-column: 1;
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
  @media (max-width: 48rem) {
    tbody tr:not(.failure) {
      grid-template-columns: repeat(3, minmax(0, 1fr));
    }
    td.home {
      grid-column: 1 / -1;
    }
  }
`;

export const pluginTableStyles = [tableStyles, ownStyles];
