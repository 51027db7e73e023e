// An address that no page has.

import { html, LitElement } from "lit";
import { customElement } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "../components/bkg-empty-state.ts";
import "../components/bkg-page-header.ts";
import { sharedStyles } from "../theme/shared_styles.ts";

@customElement("bkg-not-found")
export class BkgNotFound extends LitElement {
  static override styles = sharedStyles;

  override render() {
    return html`
      <div class="page">
        <bkg-page-header heading="Page not found"></bkg-page-header>
        <div class="card">
          <bkg-empty-state
            icon="search"
            heading="There is nothing at this address"
            text="The link may be old, or a character was lost when it was copied."
          >
            <wa-button href="dashboard" variant="brand">Go to the dashboard</wa-button>
          </bkg-empty-state>
        </div>
      </div>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-not-found": BkgNotFound;
  }
}
