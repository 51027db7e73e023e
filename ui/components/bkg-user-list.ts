// The accounts: found by name, invited, changed, disabled and deleted. Each act says before what it ends.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/dialog/dialog.js";
import "@awesome.me/webawesome/dist/components/dropdown/dropdown.js";
import "@awesome.me/webawesome/dist/components/dropdown-item/dropdown-item.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import {
  changeUser,
  deleteUser,
  type Invitation,
  inviteUser,
  listUsers,
  operatorId,
  type RoleView,
  type UserView,
} from "../api/users.ts";
import { type App, appContext } from "../app.ts";
import { PagedList } from "../controllers/paged_list.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-confirm.ts";
import type { Question } from "./bkg-confirm.ts";
import "./bkg-empty-state.ts";
import "./bkg-error-notice.ts";
import "./bkg-invitation.ts";
import "./bkg-user-dialog.ts";
import { dataTableStyles } from "./data_table_styles.ts";
import { dialogStyles } from "./dialog_styles.ts";
import { capText, formatPlural } from "./format.ts";
import { pastTime } from "./time_words.ts";
import { describeLimits } from "./usage_limit_words.ts";
import "./icons.ts";

@customElement("bkg-user-list")
export class BkgUserList extends LitElement {
  /** Undefined while they are read. */
  @property({ attribute: false })
  accessor roles: readonly RoleView[] | undefined;

  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor search = "";
  @state()
  private accessor edited: UserView | "new" | undefined;
  @state()
  private accessor question: Question | undefined;
  /** A new link, until it was taken. */
  @state()
  private accessor link: { name: string; invitation: Invitation } | undefined;
  @state()
  private accessor linkOpen = false;

  readonly #users = new PagedList<UserView>(
    this,
    (request) => listUsers(this.app.api, { ...request, query: this.search.trim().toLowerCase() }),
  );
  #searchTimer: ReturnType<typeof setTimeout> | undefined;

  static override styles = [
    sharedStyles,
    dataTableStyles,
    dialogStyles,
    css`
      .is-role {
        width: 9rem;
      }
      .is-status {
        width: 9rem;
      }
      .is-seen {
        width: 11rem;
      }
      .is-actions {
        width: 7.5rem;
      }
    `,
  ];

  override firstUpdated(): void {
    void this.#users.reload();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#searchTimer);
  }

  /** Opens the dialog that invites somebody. */
  invite(): void {
    this.edited = "new";
  }

  override render() {
    const { items, error } = this.#users;
    return html`
      <div class="stack">
        <div class="tools">
          <wa-input
            class="hidden-label" type="search" size="s" with-clear
            label="Search by name" placeholder="Search by name"
            .value=${live(this.search)} @input=${this.#find}
          ><wa-icon slot="start" name="search"></wa-icon></wa-input>
        </div>
        <bkg-error-notice
          heading="The users could not be loaded" .error=${error}
          .retry=${() => void this.#users.reload()}
        ></bkg-error-notice>
        ${items === undefined
          ? (error === undefined
            ? html`<div class="skeleton wait" role="status" aria-label="Loading the users"></div>`
            : nothing)
          : this.#table(items)}
      </div>
      <bkg-user-dialog
        .user=${this.edited} .roles=${this.roles ?? []}
        @bkg-close=${() => this.edited = undefined}
        @bkg-saved=${({ detail }: CustomEvent<UserView>) => this.#saved(detail)}
      ></bkg-user-dialog>
      <bkg-confirm
        .question=${this.question} @bkg-close=${() => this.question = undefined}
      ></bkg-confirm>
      ${this.#linkDialog()}
    `;
  }

  #table(users: readonly UserView[]) {
    return html`
      <p class="visually-hidden" role="status">${formatPlural(users.length, "user")} shown</p>
      ${users.length === 0 ? this.#none() : html`
        <div class="card table">
          <table role="table" aria-label="Users">
            <thead role="rowgroup">
              <tr role="row">
                <th role="columnheader" scope="col">Name</th>
                <th role="columnheader" scope="col" class="is-role">Role</th>
                <th role="columnheader" scope="col" class="is-status">Status</th>
                <th role="columnheader" scope="col" class="is-seen">Last sign-in</th>
                <th role="columnheader" scope="col" class="is-actions">
                  <span class="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody role="rowgroup">${repeat(
              users,
              ({ id }) => id,
              (user) => this.#row(user),
            )}</tbody>
          </table>
        </div>
      `}
      ${!this.#users.hasMore ? nothing : html`
        <div class="more">
          <wa-button
            appearance="outlined" size="s" ?loading=${this.#users.loading}
            @click=${() => void this.#users.more()}
          >Show more users</wa-button>
        </div>
      `}
    `;
  }

  #row(user: UserView) {
    const name = capText(user.name, 100);
    const isSelf = user.id === this.app.session.principal?.id;
    const { kind, word } = statusWords[user.status];
    return html`
      <tr role="row">
        <th role="rowheader" scope="row">
          <span class="isolate wrap" dir="auto">${name}</span>
          ${isSelf ? html`<span class="tag">you</span>` : nothing}
          ${user.id === operatorId ? html`<small>this machine's operator</small>` : nothing}
          ${user.limits === null ? nothing : html`<small>${describeLimits(user.limits)}</small>`}
        </th>
        <td role="cell" data-label="Role">
          <span class="isolate wrap" dir="auto">${capText(user.role, 64)}</span>
          ${user.scopes === null ? nothing : html`<small>only a part of it</small>`}
        </td>
        <td role="cell" data-label="Status"><span class="dot ${kind}">${word}</span></td>
        <td role="cell" class="number" data-label="Last sign-in">${pastTime(
          user.lastSignInAtMs,
        )}</td>
        <td role="cell" class="wide">
          ${user.id === operatorId ? nothing : this.#actions(user, { name, isSelf })}
        </td>
      </tr>
    `;
  }

  #actions(user: UserView, { name, isSelf }: { name: string; isSelf: boolean }) {
    const disabled = user.status === "disabled";
    return html`
      <div class="actions">
        <wa-button
          size="s" appearance="plain" ?disabled=${this.roles === undefined}
          @click=${() => this.edited = user}
        ><wa-icon name="pencil" label=${`Edit ${name}`}></wa-icon></wa-button>
        ${isSelf ? nothing : html`
          <wa-dropdown
            placement="bottom-end"
            @wa-select=${({ detail }: CustomEvent<{ item: { value?: string } }>) =>
              this.#act(user, detail.item.value)}
          >
            <wa-button slot="trigger" size="s" appearance="plain">
              <wa-icon name="ellipsis" label=${`More for ${name}`}></wa-icon>
            </wa-button>
            ${disabled ? nothing : html`
              <wa-dropdown-item value="invite">
                <wa-icon slot="icon" name="key"></wa-icon>New sign-in link
              </wa-dropdown-item>
            `}
            <wa-dropdown-item value=${disabled ? "enable" : "disable"}>
              <wa-icon slot="icon" name=${disabled
                ? "circle-check"
                : "circle-x"}></wa-icon>${disabled ? "Enable" : "Disable"}
            </wa-dropdown-item>
            <wa-dropdown-item value="delete" variant="danger">
              <wa-icon slot="icon" name="trash"></wa-icon>Delete
            </wa-dropdown-item>
          </wa-dropdown>
        `}
      </div>
    `;
  }

  #linkDialog() {
    const { link } = this;
    if (link === undefined) return nothing;
    return html`
      <wa-dialog
        label="The new link is ready" ?open=${this.linkOpen}
        @wa-after-hide=${(event: Event) => {
          if (event.target === event.currentTarget) this.linkOpen = false;
        }}
      >
        <bkg-invitation .invitation=${link.invitation} name=${link.name}></bkg-invitation>
        <wa-button slot="footer" variant="brand" autofocus @click=${() => this.linkOpen = false}
        >Done</wa-button>
      </wa-dialog>
    `;
  }

  #none() {
    return this.search.trim() === ""
      ? html`
        <div class="card">
          <bkg-empty-state
            icon="user" heading="Nobody is here yet"
            text="Invite a person: they get a link, choose a password and sign in."
          >
            <wa-button variant="brand" @click=${() => this.invite()}>Invite a person</wa-button>
          </bkg-empty-state>
        </div>
      `
      : html`
        <div class="card">
          <bkg-empty-state icon="search" heading="Nobody has this in their name">
            <wa-button appearance="outlined" @click=${() => {
              this.search = "";
              void this.#users.reload();
            }}>Show everyone</wa-button>
          </bkg-empty-state>
        </div>
      `;
  }

  #find(event: Event): void {
    this.search = (event.target as HTMLInputElement).value ?? "";
    clearTimeout(this.#searchTimer);
    this.#searchTimer = setTimeout(() => void this.#users.reload(), searchDelayMs);
  }

  #act(user: UserView, act: string | undefined): void {
    const name = capText(user.name, 60);
    switch (act) {
      case "enable":
        this.question = {
          heading: `Enable ${name}?`,
          text: html`<p>They can sign in again, and their API keys are good again.</p>`,
          label: "Enable",
          run: async () =>
            this.#replace(await changeUser(this.app.api, user.id, { disabled: false })),
        };
        break;
      case "disable":
        this.question = {
          heading: `Disable ${name}?`,
          text: html`
            <p>
              They are signed out everywhere at once, their API keys are refused, and calls that run
              for them end. Chats, keys and settings stay, and you can enable them again.
            </p>
          `,
          label: "Disable",
          danger: true,
          run: async () =>
            this.#replace(await changeUser(this.app.api, user.id, { disabled: true })),
        };
        break;
      case "invite":
        this.question = {
          heading: `Make a new link for ${name}?`,
          text: html`
            <p>
              With it they choose a new password. The password of now stops working, they are signed
              out everywhere, and older links are void. API keys stay.
            </p>
          `,
          label: "Make the link",
          run: async () => {
            this.link = { name: user.name, invitation: await inviteUser(this.app.api, user.id) };
            this.linkOpen = true;
            void this.#users.reload();
          },
        };
        break;
      case "delete":
        this.question = {
          heading: `Delete ${name}?`,
          text: html`
            <p>
              Their sessions, API keys, chats and presets are deleted with them, and cannot be brought
              back. What they did stays in the audit, and what they used in the usage.
            </p>
          `,
          label: "Delete",
          danger: true,
          typed: user.name,
          run: async () => {
            await deleteUser(this.app.api, user.id);
            this.#users.edit((users) => users.filter(({ id }) => id !== user.id));
            this.#changed();
          },
        };
        break;
    }
  }

  #saved(user: UserView): void {
    const known = this.#users.items?.some(({ id }) => id === user.id) === true;
    if (known) this.#replace(user);
    else void this.#users.reload();
    this.#changed();
  }

  #replace(user: UserView): void {
    this.#users.edit((users) => users.map((other) => other.id === user.id ? user : other));
  }

  /** Roles count who has them. */
  #changed(): void {
    this.dispatchEvent(new CustomEvent("bkg-changed"));
  }
}

const searchDelayMs = 200;

const statusWords = {
  active: { kind: "good", word: "Active" },
  invited: { kind: "waiting", word: "Invited" },
  disabled: { kind: "", word: "Disabled" },
} as const satisfies Record<UserView["status"], { kind: string; word: string }>;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-user-list": BkgUserList;
  }
}
