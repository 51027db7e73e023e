// A link by which somebody chooses a password: shown this once, to be handed over.

import { css, html, LitElement } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { Invitation } from "../api/users.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-code-block.ts";
import { capText } from "./format.ts";
import { comingTime, exactTime } from "./time_words.ts";
import "./icons.ts";

@customElement("bkg-invitation")
export class BkgInvitation extends LitElement {
  @property({ attribute: false })
  accessor invitation!: Invitation;
  /** Whose it is. */
  @property()
  accessor name = "";

  static override styles = [
    sharedStyles,
    css`
      .stack {
        gap: var(--wa-space-s);
      }
    `,
  ];

  override render() {
    const { url, expiresAtMs } = this.invitation;
    return html`
      <div class="stack">
        <p>
          Give this link to <strong class="isolate wrap" dir="auto">${capText(
            this.name,
            100,
          )}</strong>.
          It opens a page where they choose a password, and signs them in.
        </p>
        <bkg-code-block label="Link" .code=${url}></bkg-code-block>
        <p class="quiet small">
          It works once, and until ${exactTime(expiresAtMs)} (${comingTime(expiresAtMs)}). It is not
          shown again; whoever has it can use it.
        </p>
      </div>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-invitation": BkgInvitation;
  }
}
