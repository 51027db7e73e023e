// What a page shows when there is nothing yet: what it would be, and what to do next (default slot).

import { css, html, LitElement, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./icons.ts";

@customElement("bkg-empty-state")
export class BkgEmptyState extends LitElement {
  /** Of ui/components/icons.ts. */
  @property()
  accessor icon = "box";
  @property()
  accessor heading = "";
  @property()
  accessor text = "";

  static override styles = [
    sharedStyles,
    css`
      .empty {
        display: grid;
        justify-items: center;
        gap: var(--bkg-gap-s);
        padding: var(--wa-space-xl) var(--wa-space-m);
        text-align: center;
      }
      .icon {
        display: grid;
        place-items: center;
        width: 3rem;
        height: 3rem;
        margin-block-end: var(--wa-space-2xs);
        border: var(--bkg-card-border);
        border-radius: var(--bkg-card-radius);
        background: var(--wa-color-surface-lowered);
        color: var(--wa-color-text-quiet);
        font-size: 1.25rem;
      }
      p {
        max-width: 34rem;
        text-wrap: balance;
      }
      ::slotted(*) {
        margin-block-start: var(--bkg-gap-s);
        max-width: 100%;
      }
    `,
  ];

  override render() {
    return html`
      <div class="empty">
        <div class="icon"><wa-icon name=${this.icon} canvas="square"></wa-icon></div>
        <h2>${this.heading}</h2>
        ${this.text === "" ? nothing : html`<p class="quiet">${this.text}</p>`}
        <slot></slot>
      </div>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-empty-state": BkgEmptyState;
  }
}
