// Above the composer: what is to be known of the chats, and what can be taken back. Emits `bkg-undo` when it was.

import { css, html, LitElement, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { StoreController } from "../controllers/store_controller.ts";
import type { Chats } from "../stores/chats.ts";
import { iconButtonStyles } from "../theme/icon_button_styles.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText } from "./format.ts";
import "./icons.ts";

@customElement("bkg-chat-bars")
export class BkgChatBars extends LitElement {
  @property({ attribute: false })
  accessor chats!: Chats;

  static override styles = [
    sharedStyles,
    iconButtonStyles,
    css`
      .bar {
        display: flex;
        align-items: center;
        gap: var(--wa-space-xs) var(--wa-space-s);
        margin-block-end: var(--wa-space-xs);
        padding: var(--wa-space-2xs) var(--wa-space-2xs) var(--wa-space-2xs) var(--wa-space-m);
        border: var(--bkg-card-border);
        border-radius: var(--bkg-card-radius);
        background: var(--wa-color-surface-raised);
        font-size: var(--wa-font-size-s);
      }
      .bar > span {
        flex: 1;
      }
      .warning {
        padding-block: var(--wa-space-xs);
        border-color: var(--wa-color-warning-border-normal);
        background: var(--wa-color-warning-fill-quiet);
      }
      .warning wa-icon {
        color: var(--wa-color-warning-on-quiet);
      }
      .text {
        min-height: 2rem;
        padding: 0 var(--wa-space-xs);
        border: 0;
        border-radius: var(--wa-border-radius-m);
        background: none;
        color: var(--wa-color-text-link);
        font: inherit;
        font-weight: var(--wa-font-weight-semibold);
        cursor: pointer;
      }
      .icon {
        width: 2.25rem;
        height: 2.25rem;
        font-size: 1.125rem;
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.chats]);
  }

  override render() {
    const { undo, notice } = this.chats;
    return html`
      ${notice === undefined ? nothing : html`
        <div class="bar warning" role="status">
          <wa-icon name="warning"></wa-icon><span class="wrap">${notice}.</span>
        </div>
      `}
      ${undo === undefined ? nothing : html`
        <div class="bar" role="status">
          <span class="wrap isolate" dir="auto">${capText(undo.label, 100)}</span>
          <button type="button" class="text" @click=${() => void this.#undo(undo)}>Undo</button>
          <button type="button" class="icon" aria-label="Dismiss"
            @click=${() => this.chats.dismissUndo()}><wa-icon name="x"></wa-icon></button>
        </div>
      `}
    `;
  }

  async #undo(undo: NonNullable<Chats["undo"]>): Promise<void> {
    await undo.run();
    this.dispatchEvent(new CustomEvent("bkg-undo"));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-chat-bars": BkgChatBars;
  }
}
