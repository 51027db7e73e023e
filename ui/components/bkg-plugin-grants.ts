// What a plugin may do: each permission in plain words, with the operator's way to give and take it.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/skeleton/skeleton.js";
import { toAppError } from "../../plugins/runtime/contract/error.ts";
import type { Grant } from "../../plugins/runtime/contract/grant.ts";
import {
  kindTitles,
  type ListedPermission,
  listPermissions,
  withPermissions,
} from "../../plugins/runtime/contract/permission_list.ts";
import type { PluginGrants, PluginView } from "../../plugins/runtime/host/host.ts";
import { may } from "../api/scopes.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-empty-state.ts";
import "./bkg-error-notice.ts";
import "./bkg-plugin-consent.ts";
import { capText, formatPlural } from "./format.ts";
import "./icons.ts";

/** `revision` names what was looked at. */
type Grants = PluginGrants & { revision: string };

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
  private accessor startError: unknown;
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
    // Somebody else may have granted something meanwhile, or a newer version has been found.
    const isOld = before !== undefined && stampOf(before) !== stampOf(this.plugin);
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
    const { grants, plugin } = this;
    if (grants === undefined) return html`<wa-skeleton></wa-skeleton>`;
    const waits = grants.consent === "needed";
    // While a version waits, the others are those of the one that runs.
    const rows = waits
      ? listPermissions(plugin.permissions, grants.granted).filter(({ granted }) => granted)
      : listPermissions(grants.requested, grants.granted);
    return html`
      <div class="stack">
        ${this.saveError === undefined ? nothing : html`
          <bkg-error-notice
            heading="Nothing was changed" .error=${this.saveError}
          ></bkg-error-notice>
        `} ${this.startError === undefined ? nothing : html`
          <bkg-error-notice
            heading="It was allowed, and did not start" .error=${this.startError}
          ></bkg-error-notice>
        `}
        ${waits
          ? html`
            <bkg-plugin-consent
              .plugin=${plugin} .grants=${grants} ?saving=${this.saving}
              ?decides=${this.#mayChange()}
              @bkg-decide=${({ detail }: CustomEvent<ListedPermission[]>) =>
                void this.#decide(detail)}
              @bkg-keep-off=${() => void this.#keepOff()}
            ></bkg-plugin-consent>
          `
          : nothing}
        ${waits && plugin.status !== "running" ? nothing : this.#renderRows(rows, waits)}
        <p class="visually-hidden" role="status">${this.said}</p>
      </div>
    `;
  }

  #renderRows(rows: readonly ListedPermission[], waits: boolean) {
    if (rows.length === 0 && !waits) {
      return html`
        <bkg-empty-state
          icon="shield-check" heading="It asks for nothing"
          text="This plugin works with what it is given in each call, and reaches nothing else."
        ></bkg-empty-state>
      `;
    }
    const missing = rows.filter(({ granted }) => !granted);
    const version = capText(this.plugin.version, 30);
    return html`
      <div class="row spread">
        <p class="quiet">${waits
          ? rows.length === 0
            ? `Version ${version}, which runs, has no permission.`
            : `What version ${version}, which runs, has now:`
          : missing.length === 0
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
      ${Object.entries(kindTitles).map(([kind, title]) =>
        this.#renderKind(title, rows.filter((row) => row.kind === kind))
      )}
      ${this.#mayChange() ? nothing : html`
        <p class="quiet">Only an administrator of this server can change permissions.</p>
      `}
    `;
  }

  #renderKind(title: string, rows: readonly ListedPermission[]) {
    if (rows.length === 0) return nothing;
    return html`
      <section class="card">
        <h3>${title}</h3>
        <ul>${rows.map((row) => this.#renderRow(row))}</ul>
      </section>
    `;
  }

  #renderRow(row: ListedPermission) {
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

  #renderAction(row: ListedPermission, byStar: boolean) {
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
    return may(this.app.session.principal, "plugins:consent");
  }

  get #path(): string {
    return `/api/plugins/${encodeURIComponent(this.plugin.id)}`;
  }

  async #load(): Promise<void> {
    const { id } = this.plugin;
    if (this.#loaded !== id) this.grants = this.saveError = this.startError = undefined;
    this.#loaded = id;
    this.loadError = undefined;
    try {
      const grants = await this.app.api.get<Grants>(`${this.#path}/grants`);
      if (this.#loaded === id) this.grants = grants;
    } catch (error) {
      if (this.#loaded === id) this.loadError = error;
    }
  }

  /** One permission, or some. What a newer version waits for is not decided by that. */
  async #save(rows: readonly ListedPermission[], give: boolean): Promise<void> {
    await this.#attempt(async (seen) => {
      const unchanged = seen.consent === "needed";
      await this.#put(withPermissions(seen.granted, rows, give), { seen, unchanged });
      this.said = give ? "Granted" : "Revoked";
    });
  }

  async #decide(chosen: readonly ListedPermission[]): Promise<void> {
    const isUpdate = this.plugin.status === "running";
    await this.#attempt(async (seen) => {
      const asked = listPermissions(seen.requested, seen.granted).filter((row) => row.asked);
      const besides = withPermissions(seen.granted, asked, false);
      await this.#put(withPermissions(besides, chosen, true), { seen });
      this.said = "Decided";
      if (!isUpdate) return;
      try {
        await this.app.api.send("POST", `${this.#path}/restart`);
      } catch (error) {
        this.startError = error;
      }
    });
  }

  async #keepOff(): Promise<void> {
    await this.#attempt(async () => {
      await this.app.api.send("POST", `${this.#path}/stop`);
      this.said = "It stays off";
    });
  }

  async #put(
    granted: Grant,
    { seen, unchanged = false }: { seen: Grants; unchanged?: boolean },
  ): Promise<void> {
    const query = new URLSearchParams({ revision: seen.revision });
    if (unchanged) query.set("consent", "unchanged");
    this.grants = await this.app.api.send<Grants>("PUT", `${this.#path}/grants?${query}`, {
      body: granted,
    });
  }

  /** Hands what is shown to `run`: what changed meanwhile is refused, and shown instead. */
  async #attempt(run: (seen: Grants) => Promise<void>): Promise<void> {
    if (this.grants === undefined || this.saving) return;
    this.saving = true;
    this.saveError = this.startError = undefined;
    try {
      await run(this.grants);
    } catch (error) {
      this.saveError = error;
      if (toAppError(error).code === "CONFLICT") await this.#load();
    } finally {
      this.saving = false;
    }
  }
}

/** Changes when what is asked for or granted does. */
function stampOf({ missingGrants, needsConsent, version }: PluginView): string {
  return JSON.stringify([missingGrants, needsConsent, version]);
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-plugin-grants": BkgPluginGrants;
  }
}
