// On the dashboard of a server that has no model to chat with: the way to a first one. Put away once, it stays away.
// Emits `bkg-dismiss`.

import { html, LitElement } from "lit";
import { customElement } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { dismissWelcome } from "../stores/welcome.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./icons.ts";
import { noticeStyles } from "./notice_styles.ts";

@customElement("bkg-welcome-notice")
export class BkgWelcomeNotice extends LitElement {
  static override styles = [
    sharedStyles,
    noticeStyles,
  ];

  override render() {
    return html`
      <section class="card notice" aria-label="First model">
        <wa-icon name="sparkles"></wa-icon>
        <p><strong>There is no model to chat with yet.</strong>
          <span class="quiet">See what this machine can do, and choose one that fits.</span></p>
        <div class="actions">
          <wa-button size="s" variant="brand" href="welcome">Choose a model</wa-button>
          <wa-button size="s" appearance="plain" @click=${this.#dismiss}>
            <wa-icon name="x" label="Do not show this again"></wa-icon>
          </wa-button>
        </div>
      </section>
    `;
  }

  #dismiss(): void {
    dismissWelcome();
    this.dispatchEvent(new CustomEvent("bkg-dismiss"));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-welcome-notice": BkgWelcomeNotice;
  }
}
