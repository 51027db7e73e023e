// A button that is only an icon: `class="icon"`. Taken in before an element's own styles, which may make it larger.

import { css } from "lit";

export const iconButtonStyles = css`
  .icon {
    display: grid;
    place-items: center;
    flex: none;
    width: 2rem;
    height: 2rem;
    padding: 0;
    border: 0;
    border-radius: var(--wa-border-radius-m);
    background: none;
    color: var(--wa-color-text-quiet);
    font-size: var(--wa-font-size-m);
    text-decoration: none;
    cursor: pointer;
  }
  .icon:hover {
    background: var(--bkg-hover);
    color: var(--wa-color-text-normal);
  }
`;
