// The chat page's layout: the list at the side, the conversation, the composer always in sight.

import { css } from "lit";

export const chatsStyles = css`
  :host {
    display: grid;
    grid-template-columns: 16.5rem minmax(0, 1fr);
    height: calc(100dvh - var(--bkg-bottom-bar));
  }
  aside {
    min-height: 0;
    padding: var(--wa-space-m) var(--wa-space-s) 0;
    border-inline-end: var(--bkg-card-border);
  }
  aside bkg-chat-list {
    height: 100%;
  }
  .chat {
    position: relative;
    display: grid;
    grid-template: auto minmax(0, 1fr) auto / minmax(0, 1fr);
    min-width: 0;
    min-height: 0;
  }
  header {
    display: flex;
    align-items: center;
    gap: var(--wa-space-2xs) var(--wa-space-s);
    min-height: 3.5rem;
    padding: var(--wa-space-2xs) var(--wa-space-m);
    border-block-end: var(--bkg-card-border);
  }
  h1 {
    flex: 1 1 8rem;
    font-size: var(--wa-font-size-m);
    line-height: 1.4;
    unicode-bidi: isolate;
    border-radius: var(--wa-border-radius-s);
  }
  h1:focus:not(:focus-visible) {
    outline: none;
  }
  .tools {
    display: flex;
    align-items: center;
    gap: var(--wa-space-2xs) var(--wa-space-s);
    min-width: 0;
  }
  bkg-model-picker {
    max-width: 18rem;
  }
  bkg-home-switch {
    flex: none;
    max-width: 14rem;
  }
  .icon {
    position: relative;
    width: 2.25rem;
    height: 2.25rem;
    font-size: 1.125rem;
  }
  .icon.changed::after {
    content: "";
    position: absolute;
    inset: 0.3125rem 0.3125rem auto auto;
    width: 0.4375rem;
    height: 0.4375rem;
    border-radius: 50%;
    background: var(--wa-color-brand-fill-loud);
  }
  .narrow {
    display: none;
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
  .start {
    display: grid;
    place-items: center;
    min-height: 100%;
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
  .bar {
    display: flex;
    align-items: center;
    gap: var(--wa-space-xs) var(--wa-space-s);
    margin-block-end: var(--wa-space-xs);
    padding: var(--wa-space-2xs) var(--wa-space-2xs) var(--wa-space-2xs) var(--wa-space-m);
    border: var(--bkg-card-border);
    border-radius: var(--bkg-card-radius);
    background: var(--wa-color-surface-raised);
    font-size: var(--wa-font-size-s);
  }
  .bar > span {
    flex: 1;
  }
  .bar.warning {
    padding-block: var(--wa-space-xs);
    border-color: var(--wa-color-warning-border-normal);
    background: var(--wa-color-warning-fill-quiet);
  }
  .bar.warning wa-icon {
    color: var(--wa-color-warning-on-quiet);
  }
  .bar button.text {
    min-height: 2rem;
    padding: 0 var(--wa-space-xs);
    border: 0;
    border-radius: var(--wa-border-radius-m);
    background: none;
    color: var(--wa-color-text-link);
    font: inherit;
    font-weight: var(--wa-font-weight-semibold);
    cursor: pointer;
  }
  wa-drawer {
    --size: min(24rem, 100vw - 2rem);
  }
  wa-drawer bkg-chat-list {
    height: 100%;
  }
  @media (max-width: 64rem) {
    :host {
      grid-template-columns: minmax(0, 1fr);
    }
    aside {
      display: none;
    }
    .narrow {
      display: grid;
    }
  }
  @media (max-width: 48rem) {
    header {
      flex-wrap: wrap;
      padding-inline: var(--wa-space-xs);
    }
    h1 {
      flex-basis: calc(100% - 10rem);
    }
    .tools {
      order: 1;
      flex: 1 1 100%;
      justify-content: space-between;
    }
    .messages,
    .foot {
      padding-inline: var(--wa-space-s);
    }
    .messages {
      scrollbar-gutter: auto;
    }
  }
`;
