// The chat page's layout: the list at the side, the conversation, the composer always in sight.

import { css } from "lit";

export const chatsStyles = css`
  :host {
    display: grid;
    grid-template: minmax(0, 1fr) / 16.5rem minmax(0, 1fr);
    height: calc(100dvh - var(--bkg-bottom-bar));
  }
  aside {
    min-height: 0;
    padding: var(--wa-space-m) var(--wa-space-s) 0;
    border-inline-end: var(--bkg-card-border);
  }
  .chat {
    position: relative;
    display: grid;
    grid-template: auto minmax(0, 1fr) auto / minmax(0, 1fr);
    min-width: 0;
    min-height: 0;
  }
  .messages {
    overflow-y: auto;
    overscroll-behavior: contain;
    scrollbar-gutter: stable both-edges;
    padding-inline: var(--wa-space-m);
  }
  .messages:focus-visible {
    outline-offset: -2px;
  }
  .foot {
    position: relative;
    padding: 0 var(--wa-space-m) var(--wa-space-xs);
  }
  .foot > * {
    max-width: var(--bkg-reading-width);
    margin-inline: auto;
  }
  .jump {
    position: absolute;
    inset: -3.25rem 0 auto;
    display: grid;
    place-items: center;
    width: 2.375rem;
    height: 2.375rem;
    padding: 0;
    border: var(--bkg-card-border);
    border-radius: 50%;
    background: var(--wa-color-surface-raised);
    box-shadow: var(--bkg-shadow-float);
    color: var(--wa-color-text-normal);
    cursor: pointer;
  }
  wa-drawer {
    /* Open, it would be given a row of the page. */
    position: absolute;
    --size: min(24rem, 100vw - 2rem);
  }
  @media (max-width: 64rem) {
    :host {
      grid-template-columns: minmax(0, 1fr);
    }
    aside {
      display: none;
    }
  }
  @media (max-width: 48rem) {
    .messages,
    .foot {
      padding-inline: var(--wa-space-s);
    }
    .messages {
      scrollbar-gutter: auto;
    }
  }
`;
