// How an answer's Markdown looks: type, lists, tables, code and its colours.

import { css } from "lit";

export const markdownStyles = css`
  .body {
    display: block;
    overflow-wrap: anywhere;
    line-height: 1.65;
  }
  .block + .block,
  .section + .section {
    margin-block-start: var(--wa-space-s);
  }
  .section:not(:last-child) {
    content-visibility: auto;
    contain-intrinsic-size: auto 80rem;
  }
  .block > :first-child {
    margin-block-start: 0;
  }
  .block > * + * {
    margin-block-start: var(--wa-space-s);
  }
  .growing .section:last-child .block:last-child:not(:has(figure)) > :last-child:not(ul, ol, .table, blockquote)::after {
    content: "";
    display: inline-block;
    width: 0.5em;
    height: 1em;
    margin-inline-start: 0.15em;
    border-radius: 0.1em;
    background: var(--wa-color-brand-fill-loud);
    vertical-align: -0.15em;
    animation: blink 1.1s steps(2, jump-none) infinite;
  }
  @keyframes blink {
    from {
      opacity: 1;
    }
    to {
      opacity: 0.15;
    }
  }
  .plain {
    white-space: pre-wrap;
  }
  h3,
  h4,
  h5,
  h6 {
    margin: 0;
    font-weight: var(--wa-font-weight-heading);
    line-height: 1.35;
    text-wrap: balance;
  }
  .block > :is(h3, h4, h5, h6) {
    margin-block-start: var(--wa-space-2xs);
  }
  h3 {
    font-size: 1.25em;
  }
  h4 {
    font-size: 1.125em;
  }
  h5,
  h6 {
    font-size: 1em;
  }
  p,
  li,
  blockquote,
  td,
  th {
    unicode-bidi: plaintext;
  }
  ul,
  ol {
    display: grid;
    gap: var(--wa-space-2xs);
    grid-template-columns: minmax(0, 1fr);
    padding-inline-start: 1.6em;
  }
  li > :is(ul, ol, p + p, figure, .table) {
    margin-block-start: var(--wa-space-2xs);
  }
  li::marker {
    color: var(--wa-color-text-quiet);
    font-variant-numeric: tabular-nums;
  }
  blockquote {
    margin: 0;
    padding-inline-start: var(--wa-space-m);
    border-inline-start: 0.1875rem solid var(--wa-color-neutral-border-normal);
    color: var(--wa-color-text-quiet);
  }
  blockquote > * + * {
    margin-block-start: var(--wa-space-xs);
  }
  hr {
    border: 0;
    border-block-start: var(--bkg-card-border);
    margin-block: var(--wa-space-m);
  }
  a {
    unicode-bidi: isolate;
    text-decoration: underline;
    text-decoration-color: color-mix(in oklab, currentColor 40%, transparent);
  }
  .link-target {
    color: var(--wa-color-text-quiet);
    font-size: 0.875em;
    unicode-bidi: isolate;
  }
  .link-target::before {
    content: "(";
  }
  .link-target::after {
    content: ")";
  }
  :not(pre) > code {
    padding: 0.1em 0.35em;
    border-radius: var(--wa-border-radius-s);
    background: var(--bkg-selected);
    font-size: 0.9em;
    unicode-bidi: isolate;
  }
  .table {
    max-width: 100%;
    overflow-x: auto;
    border: var(--bkg-card-border);
    border-radius: var(--wa-border-radius-m);
    background: var(--wa-color-surface-raised);
  }
  table {
    width: 100%;
    border-collapse: collapse;
    font-size: var(--wa-font-size-s);
    line-height: 1.45;
    overflow-wrap: normal;
    font-variant-numeric: tabular-nums;
  }
  th,
  td {
    min-width: 4rem;
    max-width: 24rem;
    padding: var(--wa-space-2xs) var(--wa-space-s);
    text-align: start;
    vertical-align: top;
    overflow-wrap: anywhere;
  }
  th {
    background: var(--wa-color-surface-lowered);
    font-weight: var(--wa-font-weight-semibold);
    white-space: nowrap;
  }
  [align="center"] {
    text-align: center;
  }
  [align="right"] {
    text-align: end;
  }
  tbody tr {
    border-block-start: var(--bkg-card-border);
  }
  figure {
    margin: 0;
    border: var(--bkg-card-border);
    border-radius: var(--bkg-card-radius);
    background: var(--wa-color-surface-lowered);
    overflow: hidden;
  }
  figcaption {
    display: flex;
    align-items: center;
    gap: var(--wa-space-s);
    min-height: 2.25rem;
    padding-inline: var(--wa-space-s) var(--wa-space-3xs);
    border-block-end: var(--bkg-card-border);
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-xs);
  }
  .language {
    flex: 1;
    min-width: 0;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    unicode-bidi: isolate;
  }
  .warning {
    color: var(--wa-color-warning-on-quiet);
  }
  .pending {
    visibility: hidden;
  }
  pre {
    overflow-x: auto;
    padding: var(--wa-space-s);
    font: var(--bkg-mono);
    line-height: 1.6;
    tab-size: 2;
    overflow-wrap: normal;
  }
  pre:focus-visible,
  .table:focus-visible {
    outline-offset: calc(-1 * var(--wa-focus-ring-width));
  }
  .more {
    min-height: 2rem;
    padding: 0 var(--wa-space-s);
    border: 0;
    background: none;
    color: var(--wa-color-text-link);
    font: inherit;
    font-size: var(--wa-font-size-s);
    font-weight: var(--wa-font-weight-semibold);
    cursor: pointer;
  }
  .more:hover {
    text-decoration: underline;
  }
  figure .more {
    width: 100%;
    border-block-start: var(--bkg-card-border);
  }
  .hljs-comment,
  .hljs-quote,
  .hljs-meta {
    color: var(--wa-color-text-quiet);
  }
  .hljs-keyword,
  .hljs-selector-tag,
  .hljs-literal,
  .hljs-doctag {
    color: light-dark(var(--wa-color-purple-40), var(--wa-color-purple-70));
  }
  .hljs-string,
  .hljs-regexp,
  .hljs-addition,
  .hljs-template-tag {
    color: light-dark(var(--wa-color-green-40), var(--wa-color-green-70));
  }
  .hljs-number,
  .hljs-attr,
  .hljs-attribute,
  .hljs-variable,
  .hljs-template-variable,
  .hljs-symbol,
  .hljs-bullet {
    color: light-dark(var(--wa-color-orange-40), var(--wa-color-orange-70));
  }
  .hljs-title,
  .hljs-section,
  .hljs-name,
  .hljs-selector-id,
  .hljs-selector-class {
    color: light-dark(var(--wa-color-blue-40), var(--wa-color-blue-70));
  }
  .hljs-type,
  .hljs-built_in,
  .hljs-class,
  .hljs-params {
    color: light-dark(var(--wa-color-cyan-40), var(--wa-color-cyan-70));
  }
  .hljs-params {
    color: inherit;
  }
  .hljs-deletion {
    color: light-dark(var(--wa-color-red-40), var(--wa-color-red-70));
  }
  .hljs-emphasis {
    font-style: italic;
  }
  .hljs-strong {
    font-weight: var(--wa-font-weight-bold);
  }
`;
