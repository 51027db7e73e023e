// How the fields of a form made from a schema look.

import { css } from "lit";

export const schemaFormStyles = css`
  .fields {
    display: grid;
    gap: var(--wa-space-l);
    grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr));
    align-items: start;
  }
  /* Short fields stand side by side. */
  .fields > fieldset,
  .fields > [data-wide] {
    grid-column: 1 / -1;
  }
  fieldset {
    min-width: 0;
    margin: 0;
    padding: var(--wa-space-m);
    border: var(--bkg-card-border);
    border-radius: var(--bkg-card-radius);
  }
  legend {
    padding-inline: var(--wa-space-2xs);
    margin-inline-start: calc(-1 * var(--wa-space-2xs));
    font-weight: var(--wa-font-weight-semibold);
    overflow-wrap: anywhere;
  }
  .field {
    display: grid;
    gap: var(--wa-space-2xs);
    grid-template-columns: minmax(0, 1fr);
  }
  .title,
  .description,
  legend span {
    unicode-bidi: isolate;
    overflow-wrap: anywhere;
  }
  .title {
    font-weight: var(--wa-font-weight-semibold);
  }
  .mark {
    margin-inline-start: var(--wa-space-2xs);
    padding: 0.1em 0.5em;
    border-radius: var(--wa-border-radius-pill);
    background: var(--wa-color-neutral-fill-quiet);
    color: var(--wa-color-neutral-on-quiet);
    font-size: var(--wa-font-size-2xs);
    font-weight: var(--wa-font-weight-semibold);
    white-space: nowrap;
  }
  .mark.changed {
    background: var(--wa-color-brand-fill-quiet);
    color: var(--wa-color-brand-on-quiet);
  }
  .description {
    display: block;
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-s);
    white-space: pre-line;
  }
  .issue {
    display: block;
    color: var(--wa-color-danger-on-quiet);
    font-size: var(--wa-font-size-s);
    font-weight: var(--wa-font-weight-semibold);
    overflow-wrap: anywhere;
    unicode-bidi: isolate;
  }
  .invalid::part(base),
  .invalid::part(combobox) {
    border-color: var(--wa-color-danger-border-loud);
  }
  .under {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: var(--wa-space-2xs) var(--wa-space-s);
  }
  .under:empty {
    display: none;
  }
  .item {
    display: grid;
    grid-template-columns: minmax(0, 1fr) auto;
    gap: var(--wa-space-2xs);
    align-items: start;
  }
  .items {
    display: grid;
    gap: var(--wa-space-s);
  }
  .note {
    display: grid;
  }
  .note:empty {
    display: none;
  }
  wa-textarea::part(textarea) {
    overflow-wrap: anywhere;
  }
  wa-textarea.code::part(textarea) {
    font: var(--bkg-mono);
  }
`;
