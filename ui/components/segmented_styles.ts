// Native radios drawn as one segmented control: <fieldset class="segments"> of <label><input><span>.

import { css } from "lit";

export const segmentedStyles = css`
  .segments {
    display: inline-flex;
    gap: 0.125rem;
    margin: 0;
    padding: 0.125rem;
    border: var(--bkg-card-border);
    border-radius: calc(var(--wa-border-radius-m) + 0.125rem);
    background: var(--wa-color-surface-lowered);
    min-width: 0;
  }
  .segments label {
    position: relative;
    min-width: 0;
  }
  .segments input {
    position: absolute;
    inset: 0;
    margin: 0;
    opacity: 0;
    cursor: pointer;
  }
  .segments span {
    display: flex;
    align-items: center;
    justify-content: center;
    gap: var(--wa-space-2xs);
    min-height: 1.75rem;
    padding-inline: var(--wa-space-xs);
    border: var(--wa-border-width-s) solid transparent;
    border-radius: var(--wa-border-radius-m);
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-s);
    font-weight: var(--wa-font-weight-semibold);
    line-height: 1.2;
    white-space: nowrap;
  }
  .segments label:hover span {
    color: var(--wa-color-text-normal);
  }
  .segments input:checked + span {
    border-color: var(--wa-color-surface-border);
    background: var(--wa-color-surface-raised);
    color: var(--wa-color-text-normal);
    box-shadow: 0 0.0625rem 0.125rem rgb(0 0 0 / 8%);
  }
  .segments input:focus-visible + span {
    outline: var(--wa-focus-ring);
    outline-offset: 0;
  }
  .segments input:disabled {
    cursor: not-allowed;
  }
  .segments input:disabled:not(:checked) + span {
    opacity: 0.5;
  }
`;
