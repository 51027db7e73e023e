// What the dashboards of plugins share.

import { css } from "lit";

export const dashboardStyles = css`
  .wait {
    height: 9rem;
  }
  .charts {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
    gap: var(--bkg-gap);
  }
`;
