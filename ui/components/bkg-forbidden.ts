// In the place of a page whose right the person does not have: which one it is, and whom to ask.

import { consume } from "@lit/context";
import { css, html, LitElement } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { type App, appContext } from "../app.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-empty-state.ts";
import "./bkg-page-header.ts";
import { capText } from "./format.ts";
import { describeScope } from "./scope_words.ts";

@customElement("bkg-forbidden")
export class BkgForbidden extends LitElement {
  /** Of the page. */
  @property()
  accessor heading = "";
  /** What it needs. */
  @property()
  accessor scope = "";
  @consume({ context: appContext })
  @state()
  private accessor app!: App;

  static override styles = [
    sharedStyles,
    css`
      .card {
        display: grid;
        justify-items: center;
      }
      dl {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: var(--wa-space-2xs) var(--wa-space-m);
        padding-block-end: var(--wa-space-l);
        font-size: var(--wa-font-size-s);
      }
      dd {
        overflow-wrap: anywhere;
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.app.session]);
  }

  override render() {
    const { principal } = this.app.session;
    return html`
      <div class="page">
        <bkg-page-header heading=${this.heading}></bkg-page-header>
        <div class="card">
          <bkg-empty-state
            icon="shield-alert"
            heading="You may not see this page"
            text="Ask an administrator of this server for the right that is missing, or for another role."
          ></bkg-empty-state>
          <dl>
            <dt class="quiet">Missing right</dt>
            <dd>${describeScope(this.scope)} <code class="quiet">${this.scope}</code></dd>
            <dt class="quiet">Your role</dt>
            <dd><span class="isolate" dir="auto">${capText(
              principal?.role ?? "unknown",
              60,
            )}</span></dd>
          </dl>
        </div>
      </div>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-forbidden": BkgForbidden;
  }
}
