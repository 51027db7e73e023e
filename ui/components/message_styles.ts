// How a message looks: questions in a bubble at the right, answers as text over the whole width.

import { css } from "lit";

export const messageStyles = css`
  :host {
    min-width: 0;
  }
  .question {
    display: flex;
    align-items: flex-start;
    justify-content: flex-end;
    gap: var(--wa-space-2xs);
  }
  .asked {
    display: grid;
    justify-items: end;
    gap: 0.125rem;
    min-width: 0;
    max-width: min(85%, 36rem);
  }
  .bubble {
    max-width: 100%;
    padding: var(--wa-space-xs) var(--wa-space-m);
    border-radius: 1.125rem 1.125rem 0.25rem 1.125rem;
    background: var(--bkg-selected);
    white-space: pre-wrap;
    unicode-bidi: plaintext;
    line-height: 1.55;
  }
  .actions {
    display: flex;
    align-items: center;
    min-height: 2rem;
  }
  .question .actions {
    flex: none;
    margin-block-start: 0.125rem;
    opacity: 0;
  }
  .question:hover .actions,
  .question:focus-within .actions {
    opacity: 1;
  }
  @media (hover: none) {
    .question .actions {
      opacity: 1;
    }
  }
  .link {
    min-height: 1.75rem;
    padding: 0;
    border: 0;
    background: none;
    color: var(--wa-color-text-link);
    font: inherit;
    font-size: var(--wa-font-size-s);
    font-weight: var(--wa-font-weight-semibold);
    cursor: pointer;
  }
  .answer {
    display: grid;
    gap: var(--wa-space-xs);
    grid-template-columns: minmax(0, 1fr);
  }
  .thinking {
    padding-inline-start: var(--wa-space-m);
    border-inline-start: 0.125rem solid var(--wa-color-surface-border);
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-s);
  }
  summary {
    display: inline-flex;
    align-items: center;
    gap: var(--wa-space-2xs);
    min-height: 1.75rem;
    font-weight: var(--wa-font-weight-semibold);
    cursor: pointer;
    list-style: none;
  }
  summary::-webkit-details-marker {
    display: none;
  }
  summary:hover {
    color: var(--wa-color-text-normal);
  }
  .wait {
    display: flex;
    align-items: center;
    gap: var(--wa-space-s);
    min-height: 1.65em;
  }
  .dots {
    display: inline-flex;
    gap: 0.25rem;
  }
  .dots i {
    width: 0.4375rem;
    height: 0.4375rem;
    border-radius: 50%;
    background: var(--wa-color-text-quiet);
    animation: wave 1.2s ease-in-out infinite;
  }
  .dots i:nth-child(2) {
    animation-delay: 0.15s;
  }
  .dots i:nth-child(3) {
    animation-delay: 0.3s;
  }
  @keyframes wave {
    0%,
    60%,
    100% {
      opacity: 0.3;
    }
    30% {
      opacity: 1;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    .dots i {
      animation: none;
    }
  }
  .notice {
    display: grid;
    grid-template-columns: auto minmax(0, 1fr);
    gap: var(--wa-space-s);
    padding: var(--wa-space-s) var(--wa-space-m);
    border: var(--wa-border-width-s) solid var(--wa-color-danger-border-normal);
    border-radius: var(--bkg-card-radius);
    background: var(--wa-color-danger-fill-quiet);
    font-size: var(--wa-font-size-s);
  }
  .notice > wa-icon {
    margin-block-start: 0.2em;
    color: var(--wa-color-danger-on-quiet);
  }
  .notice > div {
    display: grid;
    gap: var(--wa-space-3xs);
    justify-items: start;
  }
  .notice wa-button {
    margin-block-start: var(--wa-space-2xs);
  }
  .remark {
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-s);
  }
  footer {
    display: flex;
    align-items: center;
    gap: var(--wa-space-2xs) var(--wa-space-xs);
    margin-inline-start: -0.5rem;
  }
  footer .actions {
    flex: none;
  }
  .facts {
    display: flex;
    flex-wrap: wrap;
    column-gap: 0.5em;
    padding: 0;
    list-style: none;
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-xs);
    line-height: 1.5;
    min-width: 0;
  }
  .facts li {
    display: inline-flex;
    align-items: center;
    gap: 0.375em;
    min-width: 0;
  }
  .facts li:not(:last-child)::after {
    content: "·";
  }
  .editor {
    display: grid;
    gap: var(--wa-space-xs);
  }
  .editor textarea {
    width: 100%;
    max-height: 50dvh;
    padding: var(--wa-space-s) var(--wa-space-m);
    border: var(--wa-border-width-s) solid var(--bkg-control-border);
    border-radius: 1.125rem;
    background: var(--wa-color-surface-raised);
    color: inherit;
    font: inherit;
    font-size: max(1rem, var(--wa-font-size-m));
    line-height: 1.5;
    resize: none;
  }
  .editor .row {
    justify-content: flex-end;
  }
`;
