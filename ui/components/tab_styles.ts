// The tabs of a page.

import { css } from "lit";

export const tabStyles = css`
  wa-tab-group {
    --track-width: var(--wa-border-width-s);
  }
  wa-tab-panel::part(base),
  wa-tab-panel::part(tab-panel) {
    padding: var(--wa-space-l) 0 0;
  }
  wa-tab::part(base),
  wa-tab::part(tab) {
    padding: var(--wa-space-s) var(--wa-space-m);
  }
`;
