// Web Awesome's dialog in bkg's measure: a form or a question, with its buttons at the end.

import { css } from "lit";

export const dialogStyles = css`
  wa-dialog {
    --width: min(34rem, calc(100vw - var(--wa-space-m)));
    --spacing: var(--wa-space-l);
  }
  wa-dialog::part(dialog) {
    border: var(--bkg-card-border);
    border-radius: var(--bkg-card-radius);
    background: var(--wa-color-surface-raised);
    box-shadow: var(--bkg-shadow-float);
  }
  wa-dialog::part(title) {
    font-size: var(--wa-font-size-l);
    line-height: 1.3;
    overflow-wrap: anywhere;
    unicode-bidi: isolate;
  }
  wa-dialog::part(footer) {
    flex-wrap: wrap;
    gap: var(--bkg-gap-s);
  }
  .form {
    display: grid;
    gap: var(--bkg-gap);
    grid-template-columns: minmax(0, 1fr);
  }
  .form fieldset:not(.segments) {
    display: grid;
    gap: var(--wa-space-xs);
    min-width: 0;
    margin: 0;
    padding: 0;
    border: 0;
  }
  .form legend:not(.visually-hidden) {
    margin-block-end: var(--wa-space-2xs);
    padding: 0;
    font-weight: var(--wa-font-weight-semibold);
  }
  .choice {
    display: grid;
    grid-template-columns: auto minmax(0, 1fr);
    gap: 0 var(--wa-space-s);
    align-items: start;
    padding: var(--wa-space-xs) var(--wa-space-s);
    border: var(--wa-border-width-s) solid var(--bkg-control-border);
    border-radius: var(--wa-border-radius-m);
    cursor: pointer;
  }
  .choice:hover {
    background: var(--bkg-hover);
  }
  .choice:has(input:checked) {
    border-color: var(--wa-color-brand-border-loud);
    background: var(--wa-color-brand-fill-quiet);
  }
  .choice input {
    width: 1rem;
    height: 1rem;
    margin: 0.25rem 0 0;
    accent-color: var(--wa-color-brand-fill-loud);
  }
  .choice small {
    display: block;
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-s);
    overflow-wrap: anywhere;
  }
  .choice:has(input:checked) small {
    color: inherit;
  }
  .problem {
    color: var(--wa-color-danger-on-quiet);
    font-size: var(--wa-font-size-s);
    font-weight: var(--wa-font-weight-semibold);
  }
  .secret {
    display: grid;
    gap: var(--wa-space-2xs);
  }
`;
