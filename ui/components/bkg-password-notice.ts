// On the dashboard of a server whose admins have no password yet: how to sign in from other devices. Put away once,
// it stays away on this device.

import { html, LitElement, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./icons.ts";
import { noticeStyles } from "./notice_styles.ts";

@customElement("bkg-password-notice")
export class BkgPasswordNotice extends LitElement {
  @state()
  private accessor dismissed = isDismissed();

  static override styles = [
    sharedStyles,
    noticeStyles,
  ];

  override render() {
    if (this.dismissed) return nothing;
    return html`
      <section class="card notice" aria-label="Password">
        <wa-icon name="key"></wa-icon>
        <p><strong>Set a password to sign in from other devices.</strong>
          <span class="quiet">Until then each needs a link from "bkg login".</span></p>
        <div class="actions">
          <wa-button size="s" appearance="outlined" href="account">Set a password</wa-button>
          <wa-button size="s" appearance="plain" @click=${this.#dismiss}>
            <wa-icon name="x" label="Do not show this again"></wa-icon>
          </wa-button>
        </div>
      </section>
    `;
  }

  #dismiss(): void {
    this.dismissed = true;
    dismissPasswordNotice();
    this.dispatchEvent(new CustomEvent("bkg-dismiss"));
  }
}

const storageKey = "bkg.password-notice.dismissed";

/** From now on it is not shown on this device. */
export function dismissPasswordNotice(): void {
  try {
    localStorage.setItem(storageKey, "1");
  } catch {
    // Storage may be blocked; it then comes again with the page.
  }
}

/** Whether the person does not want to see it, on this device. */
export function isDismissed(): boolean {
  try {
    return localStorage.getItem(storageKey) !== null;
  } catch {
    return false;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-password-notice": BkgPasswordNotice;
  }
}
