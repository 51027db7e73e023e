// /users: who may sign in, and the roles that say what they may do (#roles).

import { consume } from "@lit/context";
import { html, LitElement } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/tab/tab.js";
import "@awesome.me/webawesome/dist/components/tab-group/tab-group.js";
import "@awesome.me/webawesome/dist/components/tab-panel/tab-panel.js";
import { listRoles, type RoleView } from "../api/users.ts";
import { type App, appContext } from "../app.ts";
import "../components/bkg-error-notice.ts";
import "../components/bkg-page-header.ts";
import "../components/bkg-role-list.ts";
import "../components/bkg-user-list.ts";
import type { BkgUserList } from "../components/bkg-user-list.ts";
import "../components/icons.ts";
import { tabStyles } from "../components/tab_styles.ts";
import { AddressTabs } from "../controllers/address_tabs.ts";
import { sharedStyles } from "../theme/shared_styles.ts";

@customElement("bkg-users")
export class BkgUsers extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor roles: readonly RoleView[] | undefined;
  @state()
  private accessor failure: unknown;
  @query("bkg-user-list")
  private accessor users!: BkgUserList | null;

  readonly #tabs = new AddressTabs(this, ["users", "roles"]);

  static override styles = [
    sharedStyles,
    tabStyles,
  ];

  override firstUpdated(): void {
    void this.#load();
  }

  override render() {
    return html`
      <div class="page">
        <bkg-page-header heading="Users" lead="Who may sign in here, and what they may do.">
          <wa-button variant="brand" ?disabled=${this.roles === undefined} @click=${this.#invite}>
            <wa-icon slot="start" name="plus"></wa-icon>Invite a person
          </wa-button>
        </bkg-page-header>
        <bkg-error-notice
          heading="The roles could not be loaded" .error=${this.failure}
          .retry=${() => void this.#load()}
        ></bkg-error-notice>
        <wa-tab-group
          .active=${this.#tabs.current}
          @wa-tab-show=${({ detail }: CustomEvent<{ name: string }>) =>
            this.#tabs.show(detail.name)}
        >
          <wa-tab panel="users">Users</wa-tab>
          <wa-tab panel="roles">Roles</wa-tab>
          <wa-tab-panel name="users">
            <bkg-user-list .roles=${this.roles} @bkg-changed=${() =>
              void this.#load()}></bkg-user-list>
          </wa-tab-panel>
          <wa-tab-panel name="roles">
            <bkg-role-list .roles=${this.roles} @bkg-changed=${() =>
              void this.#load()}></bkg-role-list>
          </wa-tab-panel>
        </wa-tab-group>
      </div>
    `;
  }

  #invite(): void {
    this.#tabs.show("users");
    this.users?.invite();
  }

  async #load(): Promise<void> {
    this.failure = undefined;
    try {
      this.roles = await listRoles(this.app.api);
    } catch (error) {
      this.failure = error;
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-users": BkgUsers;
  }
}
