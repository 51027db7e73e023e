// Styles that every page's shadow root takes in: type, cards, rows, labels. Values come from tokens.css.

import { css } from "lit";

export const sharedStyles = css`
  :host {
    display: block;
  }
  :host([hidden]),
  [hidden] {
    display: none !important;
  }
  *,
  ::before,
  ::after {
    box-sizing: border-box;
  }
  h1,
  h2,
  h3,
  p,
  ul,
  ol,
  dl,
  dd,
  figure,
  pre {
    margin: 0;
  }
  h1,
  h2,
  h3 {
    font-weight: var(--wa-font-weight-heading);
    letter-spacing: -0.01em;
    text-wrap: balance;
  }
  h1 {
    font-size: var(--wa-font-size-xl);
    line-height: 1.25;
  }
  h2 {
    font-size: var(--wa-font-size-m);
    line-height: 1.4;
  }
  h3 {
    font-size: var(--wa-font-size-s);
    line-height: 1.4;
  }
  a {
    color: var(--wa-color-text-link);
    text-underline-offset: 0.2em;
    text-decoration-thickness: 0.0625rem;
  }
  code,
  pre {
    font-family: var(--wa-font-family-code);
    font-size: 0.925em;
  }
  .page {
    max-width: var(--bkg-page-width);
    margin-inline: auto;
    padding: var(--wa-space-xl);
    display: grid;
    gap: var(--bkg-gap-l);
    grid-template-columns: minmax(0, 1fr);
  }
  .card {
    border: var(--bkg-card-border);
    border-radius: var(--bkg-card-radius);
    background: var(--wa-color-surface-raised);
    padding: var(--bkg-card-padding);
    min-width: 0;
  }
  .stack {
    display: grid;
    gap: var(--bkg-gap);
    grid-template-columns: minmax(0, 1fr);
  }
  .row {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: var(--bkg-gap-s);
  }
  .spread {
    justify-content: space-between;
  }
  .quiet {
    color: var(--wa-color-text-quiet);
  }
  .small {
    font-size: var(--wa-font-size-s);
  }
  /* What a value is called, above or beside it. */
  .label {
    font: var(--bkg-label);
    color: var(--wa-color-text-quiet);
  }
  .number {
    font-variant-numeric: tabular-nums;
  }
  .mono {
    font: var(--bkg-mono);
  }
  .wrap {
    overflow-wrap: anywhere;
  }
  /* One line of a stranger's text. */
  .clip {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    min-width: 0;
  }
  .isolate {
    unicode-bidi: isolate;
  }
  /* A word beside a name: where it comes from, its version. */
  .tag {
    display: inline-block;
    padding: 0 var(--wa-space-2xs);
    border: var(--bkg-card-border);
    border-radius: var(--wa-border-radius-m);
    background: var(--wa-color-surface-lowered);
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-xs);
    font-weight: var(--wa-font-weight-semibold);
    line-height: 1.6;
    white-space: nowrap;
    max-width: 14rem;
    overflow: hidden;
    text-overflow: ellipsis;
  }
  /* Holds the room of what is on its way; it shows itself only when that takes long. */
  .skeleton {
    border-radius: var(--bkg-card-radius);
    background: var(--bkg-hover);
    opacity: 0;
    animation: skeleton 1s 0.3s ease-in-out infinite alternate;
  }
  @keyframes skeleton {
    from {
      opacity: 0.5;
    }
    to {
      opacity: 1;
    }
  }
  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  :focus-visible {
    outline: var(--wa-focus-ring);
    outline-offset: var(--wa-focus-ring-offset);
  }
  @media (max-width: 48rem) {
    .page {
      padding: var(--wa-space-m);
    }
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    ::before,
    ::after {
      animation-duration: 0.01ms !important;
      animation-iteration-count: 1 !important;
      transition-duration: 0.01ms !important;
    }
  }
`;
