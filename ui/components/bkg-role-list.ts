// The roles: what each allows, how many have it; made, changed and deleted. Emits "bkg-changed" after a change.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { deleteRole, type RoleView } from "../api/users.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-confirm.ts";
import type { Question } from "./bkg-confirm.ts";
import "./bkg-role-dialog.ts";
import { dataTableStyles } from "./data_table_styles.ts";
import { capText, formatCount } from "./format.ts";
import { scopeChips } from "./scope_chips.ts";
import { describeLimits } from "./usage_limit_words.ts";
import "./icons.ts";

@customElement("bkg-role-list")
export class BkgRoleList extends LitElement {
  /** Undefined while they are read. */
  @property({ attribute: false })
  accessor roles: readonly RoleView[] | undefined;

  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor edited: RoleView | "new" | undefined;
  @state()
  private accessor question: Question | undefined;

  static override styles = [
    sharedStyles,
    dataTableStyles,
    css`
      .is-name {
        width: 12rem;
      }
      .is-limits {
        width: 14rem;
      }
      .is-users {
        width: 5.5rem;
      }
      .is-actions {
        width: 8rem;
      }
    `,
  ];

  override render() {
    const { roles } = this;
    return html`
      <div class="stack">
        <div class="tools">
          <p class="quiet small">A role is a set of rights that people share. A change holds at once.</p>
          <wa-button size="s" appearance="outlined" ?disabled=${roles === undefined}
            @click=${() => this.edited = "new"}
          ><wa-icon slot="start" name="plus"></wa-icon>New role</wa-button>
        </div>
        ${roles === undefined
          ? html`<div class="skeleton wait" role="status" aria-label="Loading the roles"></div>`
          : this.#table(roles)}
      </div>
      <bkg-role-dialog
        .edited=${this.edited} .taken=${roles?.map(({ name }) => name) ?? []}
        @bkg-close=${() => this.edited = undefined} @bkg-saved=${this.#changed}
      ></bkg-role-dialog>
      <bkg-confirm
        .question=${this.question} @bkg-close=${() => this.question = undefined}
      ></bkg-confirm>
    `;
  }

  #table(roles: readonly RoleView[]) {
    return html`
      <div class="card table">
        <table role="table" aria-label="Roles">
          <thead role="rowgroup">
            <tr role="row">
              <th role="columnheader" scope="col" class="is-name">Role</th>
              <th role="columnheader" scope="col">Allows</th>
              <th role="columnheader" scope="col" class="is-limits">Limits</th>
              <th role="columnheader" scope="col" class="is-users">People</th>
              <th role="columnheader" scope="col" class="is-actions">
                <span class="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody role="rowgroup">${repeat(
            roles,
            ({ name }) => name,
            (role) => this.#row(role),
          )}</tbody>
        </table>
      </div>
    `;
  }

  #row(role: RoleView) {
    const name = capText(role.name, 64);
    return html`
      <tr role="row">
        <th role="rowheader" scope="row">
          <span class="isolate wrap" dir="auto">${name}</span>
          ${role.builtin ? html`<span class="tag">built in</span>` : nothing}
        </th>
        <td role="cell" class="wide" data-label="Allows">${scopeChips(role.scopes, 5)}</td>
        <td role="cell" data-label="Limits">${describeLimits(role.limits)}</td>
        <td role="cell" class="number" data-label="People">${formatCount(role.users)}</td>
        <td role="cell" class="wide">
          <div class="actions">
            ${role.name === "admin" ? nothing : html`
              <wa-button size="s" appearance="plain" @click=${() => this.edited = role}>
                <wa-icon name="pencil" label=${`Edit the role ${name}`}></wa-icon>
              </wa-button>
            `}
            ${role.builtin ? nothing : html`
              <wa-button size="s" appearance="plain" @click=${() => this.#askDelete(role)}>
                <wa-icon name="trash" label=${`Delete the role ${name}`}></wa-icon>
              </wa-button>
            `}
          </div>
        </td>
      </tr>
    `;
  }

  #askDelete({ name }: RoleView): void {
    this.question = {
      heading: `Delete the role ${capText(name, 60)}?`,
      text: html`<p>It can only be deleted while nobody has it.</p>`,
      label: "Delete",
      danger: true,
      run: async () => {
        await deleteRole(this.app.api, name);
        this.#changed();
      },
    };
  }

  #changed(): void {
    this.dispatchEvent(new CustomEvent("bkg-changed"));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-role-list": BkgRoleList;
  }
}
