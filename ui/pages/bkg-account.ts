// /account: what is one's own: who one is here, password, sessions, usage and the look of the page.

import { consume } from "@lit/context";
import { css, html, LitElement } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { may } from "../api/scopes.ts";
import { getUser } from "../api/users.ts";
import { type App, appContext } from "../app.ts";
import "../components/bkg-page-header.ts";
import "../components/bkg-password-form.ts";
import { dismissPasswordNotice } from "../components/bkg-password-notice.ts";
import "../components/bkg-session-list.ts";
import type { BkgSessionList } from "../components/bkg-session-list.ts";
import "../components/bkg-theme-switch.ts";
import "../components/bkg-usage.ts";
import { dataTableStyles } from "../components/data_table_styles.ts";
import { capText } from "../components/format.ts";
import { scopeChips } from "../components/scope_chips.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { sharedStyles } from "../theme/shared_styles.ts";

@customElement("bkg-account")
export class BkgAccount extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  /** Without one, nobody is asked for the current one. */
  @state()
  private accessor hasPassword = true;
  @query("bkg-session-list")
  private accessor sessions!: BkgSessionList | null;

  static override styles = [
    sharedStyles,
    dataTableStyles,
    css`
      .halves {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr));
        gap: var(--bkg-gap);
        align-items: start;
      }
      dl {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: var(--wa-space-2xs) var(--wa-space-m);
        font-size: var(--wa-font-size-s);
      }
      bkg-theme-switch {
        max-width: 20rem;
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.app.session]);
  }

  override firstUpdated(): void {
    void this.#look();
  }

  override render() {
    const { principal } = this.app.session;
    return html`
      <div class="page">
        <bkg-page-header
          heading="Account" lead="Your password, where you are signed in, and what you used."
        ></bkg-page-header>
        <div class="halves">
          <div class="stack">
            <section class="card stack" aria-labelledby="you">
              <h2 id="you">You</h2>
              <dl>
                <dt class="quiet">Name</dt>
                <dd class="isolate wrap" dir="auto">${capText(principal?.name ?? "", 100)}</dd>
                <dt class="quiet">Role</dt>
                <dd class="isolate wrap" dir="auto">${capText(principal?.role ?? "", 64)}</dd>
                <dt class="quiet">May do</dt>
                <dd>${scopeChips(principal?.scopes ?? [], 12)}</dd>
              </dl>
            </section>
            <bkg-password-form
              ?replaces=${this.hasPassword}
              @bkg-changed=${() => {
                dismissPasswordNotice();
                void this.sessions?.load();
                void this.#look();
              }}
            ></bkg-password-form>
          </div>
          <div class="stack">
            <bkg-session-list></bkg-session-list>
            <section class="card stack" aria-labelledby="look">
              <h2 id="look">Appearance</h2>
              <bkg-theme-switch></bkg-theme-switch>
            </section>
          </div>
        </div>
        <bkg-usage></bkg-usage>
      </div>
    `;
  }

  /** Only an administrator can be here without a password: by the link that the server printed. */
  async #look(): Promise<void> {
    const { principal } = this.app.session;
    if (principal === undefined || !may(principal, "users:manage")) return;
    try {
      this.hasPassword = (await getUser(this.app.api, principal.id)).hasPassword;
    } catch {
      // Asking for one that is not there is the smaller harm.
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-account": BkgAccount;
  }
}
