// The top of each page: its one h1, a line about it, and its actions. It also names the document.
// Slots: `badge` beside the heading, the default one for actions.

import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property } from "lit/decorators.js";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText } from "./format.ts";
import "./icons.ts";

@customElement("bkg-page-header")
export class BkgPageHeader extends LitElement {
  /** May be plugin-authored. */
  @property()
  accessor heading = "";
  /** One sentence under the heading; may be plugin-authored. */
  @property()
  accessor lead = "";
  /** Where one comes from, above the heading; relative to the page's base. */
  @property({ attribute: false })
  accessor back: { href: string; label: string } | undefined;

  static override styles = [
    sharedStyles,
    css`
      header {
        display: flex;
        flex-wrap: wrap;
        align-items: flex-start;
        justify-content: space-between;
        gap: var(--bkg-gap);
      }
      .text {
        flex: 1 1 8rem;
        min-width: 0;
      }
      .title {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--wa-space-2xs) var(--wa-space-s);
      }
      h1 {
        outline-offset: var(--wa-space-2xs);
        border-radius: var(--wa-border-radius-s);
        unicode-bidi: isolate;
        overflow-wrap: anywhere;
        min-width: 0;
      }
      /* Focus goes to it on a page change; a ring is for those who went there by keyboard. */
      h1:focus:not(:focus-visible) {
        outline: none;
      }
      p {
        margin-block-start: var(--wa-space-2xs);
        max-width: var(--bkg-reading-width);
        unicode-bidi: isolate;
      }
      .back {
        display: inline-flex;
        align-items: center;
        gap: var(--wa-space-2xs);
        min-height: 1.75rem;
        margin-block-end: var(--wa-space-2xs);
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-s);
        text-decoration: none;
      }
      .back:hover {
        color: var(--wa-color-text-normal);
      }
      .actions {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--bkg-gap-s);
      }
    `,
  ];

  /** Moves the focus to the heading: on a page change it says where one is. */
  override focus(options?: FocusOptions): void {
    this.renderRoot.querySelector("h1")?.focus(options);
  }

  override render() {
    return html`
      <header>
        <div class="text">
          ${this.back === undefined ? nothing : html`
            <a class="back" href=${this.back.href}>
              <wa-icon name="arrow-left"></wa-icon>${this.back.label}
            </a>
          `}
          <div class="title">
            <h1 tabindex="-1" dir="auto">${capText(this.heading, 120)}</h1>
            <slot name="badge"></slot>
          </div>
          ${this.lead === ""
            ? nothing
            : html`<p class="quiet wrap" dir="auto">${capText(this.lead, 500)}</p>`}
        </div>
        <div class="actions"><slot></slot></div>
      </header>
    `;
  }

  override updated(changed: PropertyValues<this>): void {
    if (changed.has("heading") && this.heading !== "") nameDocument(this.heading);
  }
}

/** What the browser's tab, history and bookmarks show. */
export function nameDocument(page: string): void {
  document.title = `${capText(page, 60)} · bkg`;
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-page-header": BkgPageHeader;
  }
}
