// <details class="fold">: a card that opens, with its summary as a row.

import { css } from "lit";

export const foldStyles = css`
  .fold {
    border: var(--bkg-card-border);
    border-radius: var(--bkg-card-radius);
    background: var(--wa-color-surface-raised);
    min-width: 0;
  }
  .fold > summary {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: var(--wa-space-2xs) var(--wa-space-s);
    padding: var(--wa-space-s) var(--wa-space-m);
    border-radius: var(--bkg-card-radius);
    cursor: pointer;
    list-style: none;
    overflow-wrap: anywhere;
  }
  .fold > summary::-webkit-details-marker {
    display: none;
  }
  .fold > summary > .chevron {
    margin-inline-start: auto;
    color: var(--wa-color-text-quiet);
  }
  .fold[open] > summary > .chevron {
    rotate: 180deg;
  }
  .fold > summary:hover {
    background: var(--bkg-hover);
  }
  .fold > .inside {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: var(--bkg-gap-s);
    padding: var(--wa-space-2xs) var(--wa-space-m) var(--wa-space-m);
  }
`;
