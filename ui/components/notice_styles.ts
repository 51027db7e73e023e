// A line on the dashboard that tells of one thing to do, and can be put away.

import { css } from "lit";

export const noticeStyles = css`
  .notice {
    display: grid;
    grid-template-columns: auto minmax(0, 1fr) auto;
    align-items: center;
    gap: var(--wa-space-s);
    padding-block: var(--wa-space-s);
  }
  .notice > wa-icon {
    color: var(--wa-color-brand-on-quiet);
  }
  .actions {
    display: flex;
    align-items: center;
    gap: var(--wa-space-3xs);
  }
  @media (max-width: 40rem) {
    .notice {
      grid-template-columns: auto minmax(0, 1fr);
    }
    .actions {
      grid-column: 2;
    }
  }
`;
