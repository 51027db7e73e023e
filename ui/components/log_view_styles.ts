// How the log of a plugin looks: one line a row, of one height, so that only what is seen is drawn.

import { css, unsafeCSS } from "lit";

/** Rows are laid out by it, and drawn with it. */
export const logRowHeightPx = 24;

export const logViewStyles = css`
  .tools {
    display: grid;
    grid-template-columns: minmax(8rem, 1fr) 9rem auto;
    gap: var(--bkg-gap-s);
    align-items: end;
  }
  .buttons {
    display: flex;
    flex-wrap: wrap;
    gap: var(--bkg-gap-s);
  }
  .status {
    display: flex;
    flex-wrap: wrap;
    justify-content: space-between;
    gap: var(--wa-space-2xs) var(--bkg-gap);
    min-height: 1.75rem;
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-s);
    font-variant-numeric: tabular-nums;
  }
  .frame {
    position: relative;
  }
  .log {
    position: relative;
    height: clamp(16rem, 55vh, 40rem);
    overflow: auto;
    overscroll-behavior: contain;
    contain: strict;
    padding-block: var(--wa-space-2xs);
    border: var(--bkg-card-border);
    border-radius: var(--bkg-card-radius);
    background: var(--wa-color-surface-lowered);
    font: var(--bkg-mono);
    line-height: ${unsafeCSS(logRowHeightPx)}px;
  }
  .space {
    position: relative;
    overflow: hidden;
  }
  .window {
    position: absolute;
    inset-inline: 0;
    top: 0;
  }
  .line {
    display: grid;
    grid-template-columns: 5.5em 4em 4.5em minmax(0, 1fr);
    gap: var(--wa-space-xs);
    height: ${unsafeCSS(logRowHeightPx)}px;
    padding-inline: var(--wa-space-s);
    overflow: hidden;
    white-space: pre;
    cursor: default;
  }
  .line > span {
    overflow: hidden;
    text-overflow: ellipsis;
    unicode-bidi: isolate;
  }
  .line:hover {
    background: var(--wa-color-neutral-fill-quiet);
  }
  .line[data-chosen] {
    background: var(--wa-color-brand-fill-quiet);
  }
  .time,
  .source,
  .fields {
    color: var(--wa-color-text-quiet);
  }
  .warn .level {
    color: var(--wa-color-warning-on-quiet);
    font-weight: var(--wa-font-weight-bold);
  }
  .error .level,
  .error .message {
    color: var(--wa-color-danger-on-quiet);
  }
  .error .level {
    font-weight: var(--wa-font-weight-bold);
  }
  .gap {
    height: ${unsafeCSS(logRowHeightPx)}px;
    padding-inline: var(--wa-space-s);
    color: var(--wa-color-warning-on-quiet);
  }
  .nothing {
    position: absolute;
    inset: 0;
    display: grid;
    place-items: center;
    padding: var(--wa-space-m);
    color: var(--wa-color-text-quiet);
    font-family: var(--wa-font-family-body);
    text-align: center;
  }
  .latest {
    position: absolute;
    inset-block-end: var(--wa-space-s);
    inset-inline-end: var(--wa-space-l);
  }
  .detail {
    display: grid;
    gap: var(--wa-space-xs);
    padding: var(--wa-space-m);
  }
  .detail pre {
    margin: 0;
    max-height: 14rem;
    overflow: auto;
    font: var(--bkg-mono);
    white-space: pre-wrap;
    overflow-wrap: anywhere;
    unicode-bidi: isolate;
  }
  @media (max-width: 40rem) {
    .tools {
      grid-template-columns: minmax(0, 1fr) 8rem;
    }
    .buttons {
      grid-column: 1 / -1;
    }
    .line {
      grid-template-columns: 5.5em 3.4em minmax(0, 1fr);
    }
    .source {
      display: none;
    }
  }
`;
