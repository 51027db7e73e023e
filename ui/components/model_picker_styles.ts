// How the model picker looks: a quiet button, and a menu of native radios.

import { css } from "lit";

export const modelPickerStyles = css`
  :host {
    min-width: 0;
  }
  .current {
    display: inline-flex;
    align-items: center;
    gap: var(--wa-space-xs);
    max-width: 100%;
    min-height: 2.25rem;
    padding: 0 var(--wa-space-xs);
    border: 0;
    border-radius: var(--wa-border-radius-m);
    background: none;
    color: var(--wa-color-text-normal);
    font: inherit;
    font-size: var(--wa-font-size-s);
    font-weight: var(--wa-font-weight-semibold);
    cursor: pointer;
  }
  .current:hover {
    background: var(--bkg-hover);
  }
  .current:disabled {
    color: var(--wa-color-text-quiet);
    cursor: default;
  }
  .current > .clip {
    flex: 1 1 auto;
  }
  .current > small {
    white-space: nowrap;
    font-weight: var(--wa-font-weight-normal);
  }
  .current > wa-icon {
    color: var(--wa-color-text-quiet);
    font-size: 0.875em;
  }
  .wait {
    display: block;
    width: 8rem;
    height: 0.75rem;
    border-radius: var(--wa-border-radius-s);
    background: var(--bkg-selected);
  }
  .menu {
    position: fixed;
    inset: auto;
    margin: 0;
    padding: var(--wa-space-2xs);
    overflow-y: auto;
    border: var(--bkg-card-border);
    border-radius: var(--bkg-card-radius);
    background: var(--wa-color-surface-raised);
    color: var(--wa-color-text-normal);
    box-shadow: var(--bkg-shadow-float);
  }
  .search {
    width: 100%;
    min-height: 2.25rem;
    margin-block-end: var(--wa-space-2xs);
    padding: 0 var(--wa-space-s);
    border: var(--wa-border-width-s) solid var(--bkg-control-border);
    border-radius: var(--wa-border-radius-m);
    background: none;
    color: inherit;
    font: inherit;
    font-size: var(--wa-font-size-s);
  }
  fieldset {
    display: grid;
    margin: 0;
    padding: 0;
    border: 0;
    min-width: 0;
  }
  fieldset + fieldset {
    margin-block-start: var(--wa-space-2xs);
    padding-block-start: var(--wa-space-2xs);
    border-block-start: var(--bkg-card-border);
  }
  .manage {
    display: flex;
    align-items: center;
    gap: var(--wa-space-xs);
    width: 100%;
    min-height: 2.25rem;
    margin-block-start: var(--wa-space-2xs);
    padding: 0 var(--wa-space-xs);
    border: 0;
    border-radius: var(--wa-border-radius-m);
    background: none;
    color: var(--wa-color-text-link);
    font: inherit;
    font-size: var(--wa-font-size-s);
    text-align: start;
    cursor: pointer;
  }
  .manage:hover {
    background: var(--bkg-hover);
  }
  legend {
    padding: var(--wa-space-2xs) var(--wa-space-xs);
  }
  label {
    display: grid;
    grid-template-columns: auto minmax(0, 1fr) auto;
    align-items: start;
    gap: var(--wa-space-xs);
    padding: var(--wa-space-xs);
    border-radius: var(--wa-border-radius-m);
    cursor: pointer;
  }
  label:hover {
    background: var(--bkg-hover);
  }
  label:has(:checked) {
    background: var(--bkg-selected);
  }
  input[type="radio"] {
    width: 1rem;
    height: 1rem;
    margin: 0.2rem 0 0;
    accent-color: var(--wa-color-brand-fill-loud);
  }
  .option {
    display: grid;
    gap: 0.125rem;
    min-width: 0;
  }
  .name {
    font-size: var(--wa-font-size-s);
    font-weight: var(--wa-font-weight-semibold);
  }
  .badge {
    padding: 0.0625rem 0.4375rem;
    border-radius: 1rem;
    background: var(--wa-color-brand-fill-quiet);
    color: var(--wa-color-brand-on-quiet);
    font-size: var(--wa-font-size-xs);
    font-weight: var(--wa-font-weight-semibold);
    white-space: nowrap;
  }
  .badge.plain {
    background: var(--bkg-selected);
    color: var(--wa-color-text-quiet);
  }
  .progress {
    display: inline-grid;
    grid-template-columns: 5rem auto;
    align-items: center;
    gap: var(--wa-space-xs);
    color: var(--wa-color-text-quiet);
    font-weight: var(--wa-font-weight-normal);
    white-space: nowrap;
  }
  wa-progress-bar {
    --track-height: 0.25rem;
  }
  .none {
    padding: var(--wa-space-xs);
  }
`;
