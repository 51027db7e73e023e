// How presets look in their drawer: a list of cards, and the form of one.

import { css } from "lit";

export const presetStyles = css`
  :host {
    display: grid;
    gap: var(--wa-space-m);
    grid-template-columns: minmax(0, 1fr);
  }
  .intro code {
    overflow-wrap: anywhere;
  }
  ul {
    display: grid;
    gap: var(--wa-space-xs);
    grid-template-columns: minmax(0, 1fr);
    padding: 0;
    list-style: none;
  }
  li {
    display: grid;
    gap: var(--wa-space-xs);
    padding: var(--wa-space-s);
    border: var(--bkg-card-border);
    border-radius: var(--bkg-card-radius);
    background: var(--wa-color-surface-raised);
  }
  .head {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: var(--wa-space-3xs) var(--wa-space-xs);
  }
  .name {
    font-weight: var(--wa-font-weight-semibold);
  }
  .prompt {
    display: -webkit-box;
    overflow: hidden;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 2;
  }
  .warn {
    color: var(--wa-color-warning-on-quiet);
  }
  .field {
    display: grid;
    gap: var(--wa-space-2xs);
  }
  label {
    font-size: var(--wa-font-size-s);
    font-weight: var(--wa-font-weight-semibold);
  }
  input,
  select {
    width: 100%;
    min-height: 2.375rem;
    padding: 0.4rem var(--wa-space-s);
    border: var(--wa-border-width-s) solid var(--bkg-control-border);
    border-radius: var(--wa-border-radius-m);
    background: var(--wa-color-surface-raised);
    color: inherit;
    font: inherit;
  }
  [aria-invalid="true"] {
    border-color: var(--wa-color-danger-border-loud);
  }
  .hint {
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-xs);
    line-height: 1.4;
  }
  .refused {
    color: var(--wa-color-danger-on-quiet);
  }
  .bar {
    padding-block-start: var(--wa-space-m);
    border-block-start: var(--bkg-card-border);
  }
`;
