// The table of the models that a plugin has in memory: what each runs in, and what it takes.

import { css } from "lit";
import { dataTableStyles } from "./data_table_styles.ts";

const ownStyles = css`
  .is-backend {
    width: 17.5rem;
  }
  .is-bytes {
    width: 6.5rem;
  }
  tbody th {
    font: var(--bkg-mono);
    font-weight: var(--wa-font-weight-semibold);
  }
  th small {
    font-family: var(--wa-font-family-body);
  }
  .backend::first-letter {
    text-transform: uppercase;
  }
`;

export const residentTableStyles = [dataTableStyles, ownStyles];
