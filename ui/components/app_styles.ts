// The shell's layout: navigation at the left, on a phone at the bottom.

import { css } from "lit";

export const appStyles = css`
  :host {
    display: grid;
    grid-template-columns: var(--bkg-nav-width) minmax(0, 1fr);
    min-height: 100dvh;
  }
  :host > .page,
  :host > bkg-sign-in {
    grid-column: 1 / -1;
  }
  main {
    grid-column: 2;
    position: relative;
    min-width: 0;
    padding-block-end: var(--bkg-bottom-bar);
  }
  main:focus {
    outline: none;
  }
  .skip {
    position: fixed;
    inset: var(--wa-space-xs) auto auto var(--wa-space-xs);
    z-index: 30;
    padding: var(--wa-space-xs) var(--wa-space-m);
    border: var(--bkg-card-border);
    border-radius: var(--wa-border-radius-m);
    background: var(--wa-color-surface-raised);
    color: var(--wa-color-text-normal);
    font: inherit;
    cursor: pointer;
  }
  .skip:not(:focus) {
    translate: 0 -200%;
  }
  /* A page that takes longer than a blink shows that it is on its way. */
  .loading {
    position: absolute;
    inset: 0 0 auto;
    height: 0.125rem;
    overflow: hidden;
    opacity: 0;
    animation: appear 0s 0.2s forwards;
  }
  .loading::after {
    content: "";
    display: block;
    width: 30%;
    height: 100%;
    background: var(--wa-color-brand-fill-loud);
    animation: slide 1s ease-in-out infinite alternate;
  }
  @keyframes appear {
    to {
      opacity: 1;
    }
  }
  @keyframes slide {
    from {
      translate: -20% 0;
    }
    to {
      translate: 260% 0;
    }
  }
  @media (max-width: 48rem) {
    :host {
      grid-template-columns: minmax(0, 1fr);
    }
    main {
      grid-column: 1;
    }
  }
`;
