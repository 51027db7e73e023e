// What a plugin may do: each permission in plain words, with the operator's way to give and take it.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/skeleton/skeleton.js";
import type { Grant, Permissions } from "../../plugins/runtime/contract/grant.ts";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-empty-state.ts";
import "./bkg-error-notice.ts";
import { capText, formatPlural } from "./format.ts";
import {
  kindTitles,
  listPermissions,
  type PermissionRow,
  withPermissions,
} from "./permission_rows.ts";
import "./icons.ts";

interface Grants {
  requested: Permissions;
  granted: Grant;
  missing: string[];
}

@customElement("bkg-plugin-grants")
export class BkgPluginGrants extends LitElement {
  @property({ attribute: false })
  accessor plugin!: PluginView;

  @consume({ context: appContext })
  accessor app!: App;

  @state()
  private accessor grants: Grants | undefined;
  @state()
  private accessor loadError: unknown;
  @state()
  private accessor saveError: unknown;
  @state()
  private accessor saving = false;
  @state()
  private accessor said = "";

  #loaded = "";

  static override styles = [
    sharedStyles,
    css`
      ul {
        display: grid;
        padding: 0;
        list-style: none;
      }
      li {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr) auto;
        gap: var(--wa-space-s);
        align-items: center;
        padding-block: var(--wa-space-s);
        border-block-end: var(--bkg-card-border);
      }
      li:last-child {
        border-block-end: 0;
        padding-block-end: 0;
      }
      .granted {
        color: var(--wa-color-success-on-quiet);
      }
      .missing {
        color: var(--wa-color-warning-on-quiet);
      }
      .entry {
        display: block;
        font: var(--bkg-mono);
      }
      wa-skeleton {
        --border-radius: var(--bkg-card-radius);
        height: 9rem;
      }
    `,
  ];

  override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("plugin")) return;
    const before = changed.get("plugin");
    // Somebody else may have granted something meanwhile.
    const isOld = before !== undefined &&
      before.missingGrants.join("\n") !== this.plugin.missingGrants.join("\n");
    if (this.plugin.id !== this.#loaded || isOld) void this.#load();
  }

  override render() {
    if (this.loadError !== undefined) {
      return html`
        <bkg-error-notice
          heading="The permissions could not be loaded" .error=${this.loadError}
          .retry=${() => void this.#load()}
        ></bkg-error-notice>
      `;
    }
    if (this.grants === undefined) return html`<wa-skeleton></wa-skeleton>`;
    const rows = listPermissions(this.grants.requested, this.grants.granted);
    if (rows.length === 0) {
      return html`
        <bkg-empty-state
          icon="shield-check" heading="It asks for nothing"
          text="This plugin works with what it is given in each call, and reaches nothing else."
        ></bkg-empty-state>
      `;
    }
    const missing = rows.filter(({ granted }) => !granted);
    return html`
      <div class="stack">
        <div class="row spread">
          <p class="quiet">${missing.length === 0
            ? "It has every permission that it asks for."
            : `It lacks ${
              formatPlural(missing.length, "permission")
            }. What needs them fails until they are given.`}</p>
          ${missing.length < 2 || !this.#mayChange() ? nothing : html`
            <wa-button
              size="s" variant="brand" ?loading=${this.saving}
              @click=${() => void this.#save(missing, true)}
            >Grant all that is asked for</wa-button>
          `}
        </div>
        <bkg-error-notice heading="Nothing was changed" .error=${this.saveError}></bkg-error-notice>
        ${Object.entries(kindTitles).map(([kind, title]) =>
          this.#renderKind(title, rows.filter((row) => row.kind === kind))
        )}
        ${this.#mayChange() ? nothing : html`
          <p class="quiet">Only the operator of this server can change permissions.</p>
        `}
        <p class="visually-hidden" role="status">${this.said}</p>
      </div>
    `;
  }

  #renderKind(title: string, rows: readonly PermissionRow[]) {
    if (rows.length === 0) return nothing;
    return html`
      <section class="card">
        <h3>${title}</h3>
        <ul>${rows.map((row) => this.#renderRow(row))}</ul>
      </section>
    `;
  }

  #renderRow(row: PermissionRow) {
    const { granted, revocable, asked, text } = row;
    return html`
      <li>
        <wa-icon
          class=${granted ? "granted" : "missing"} name=${granted ? "shield-check" : "shield-alert"}
          label=${granted ? "Granted" : "Not granted"}
        ></wa-icon>
        <div>
          ${row.meaning}${asked ? nothing : html`
            <span class="tag">not asked for</span>
          `}
          <span class="entry quiet wrap isolate" dir="auto">${capText(text, 500)}</span>
        </div>
        ${this.#renderAction(row, granted && !revocable)}
      </li>
    `;
  }

  #renderAction(row: PermissionRow, byStar: boolean) {
    if (byStar) return html`<span class="quiet small">by *</span>`;
    if (!this.#mayChange()) return html`<span>${row.granted ? "Granted" : "Not granted"}</span>`;
    const word = row.granted ? "Revoke" : "Grant";
    return html`
      <wa-button
        size="s" appearance="outlined" ?disabled=${this.saving}
        @click=${() => void this.#save([row], !row.granted)}
      >${word}<span class="visually-hidden"> ${row.meaning}: ${capText(
        row.text,
        100,
      )}</span></wa-button>
    `;
  }

  #mayChange(): boolean {
    return this.app.session.principal?.role !== "user";
  }

  get #path(): string {
    return `/api/plugins/${encodeURIComponent(this.plugin.id)}/grants`;
  }

  async #load(): Promise<void> {
    const { id } = this.plugin;
    if (this.#loaded !== id) this.grants = undefined;
    this.#loaded = id;
    this.loadError = undefined;
    try {
      const grants = await this.app.api.get<Grants>(this.#path);
      if (this.#loaded === id) this.grants = grants;
    } catch (error) {
      if (this.#loaded === id) this.loadError = error;
    }
  }

  async #save(rows: readonly PermissionRow[], give: boolean): Promise<void> {
    if (this.grants === undefined || this.saving) return;
    this.saving = true;
    this.saveError = undefined;
    try {
      // From what is in force now: another tab may have changed it.
      const { granted } = await this.app.api.get<Grants>(this.#path);
      const body = withPermissions(granted, rows, give);
      this.grants = await this.app.api.send<Grants>("PUT", this.#path, { body });
      this.said = give ? "Granted" : "Revoked";
    } catch (error) {
      this.saveError = error;
    } finally {
      this.saving = false;
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-plugin-grants": BkgPluginGrants;
  }
}
