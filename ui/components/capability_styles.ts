// How a capability's form and its answer look.

import { css } from "lit";

export const capabilityStyles = css`
  .about {
    max-width: var(--bkg-reading-width);
    unicode-bidi: isolate;
    white-space: pre-line;
  }
  .answer {
    padding-block-start: var(--bkg-gap);
    border-block-start: var(--bkg-card-border);
  }
  pre {
    margin: 0;
    max-height: 24rem;
    overflow: auto;
    font: var(--bkg-mono);
    white-space: pre-wrap;
    overflow-wrap: anywhere;
    unicode-bidi: isolate;
  }
  .code::part(textarea) {
    font: var(--bkg-mono);
  }
  .issue {
    color: var(--wa-color-danger-on-quiet);
    font-weight: var(--wa-font-weight-semibold);
  }
  @media (pointer: coarse) {
    .keys {
      display: none;
    }
  }
`;
