// /api-keys: the person's own keys, and for those who may everyone's: made, rotated and revoked.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { type KeyOwners, type KeyView, listKeys, revokeKey } from "../api/api_keys.ts";
import { may } from "../api/scopes.ts";
import { type App, appContext } from "../app.ts";
import "../components/bkg-confirm.ts";
import type { Question } from "../components/bkg-confirm.ts";
import "../components/bkg-empty-state.ts";
import "../components/bkg-error-notice.ts";
import "../components/bkg-key-rotation.ts";
import "../components/bkg-key-wizard.ts";
import "../components/bkg-page-header.ts";
import { dataTableStyles } from "../components/data_table_styles.ts";
import { capText, formatPlural } from "../components/format.ts";
import "../components/icons.ts";
import { scopeChips } from "../components/scope_chips.ts";
import { segmentedStyles } from "../components/segmented_styles.ts";
import { comingTime, exactTime, pastTime } from "../components/time_words.ts";
import { describeLimits } from "../components/usage_limit_words.ts";
import { PagedList } from "../controllers/paged_list.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { sharedStyles } from "../theme/shared_styles.ts";

@customElement("bkg-api-keys")
export class BkgApiKeys extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor owners: KeyOwners = "own";
  @state()
  private accessor wizardOpen = false;
  @state()
  private accessor rotated: KeyView | undefined;
  @state()
  private accessor question: Question | undefined;

  readonly #keys = new PagedList<KeyView>(
    this,
    (request) => listKeys(this.app.api, { ...request, owners: this.owners }),
  );

  static override styles = [
    sharedStyles,
    segmentedStyles,
    dataTableStyles,
    css`
      .is-scopes {
        width: 14rem;
      }
      .name {
        display: -webkit-box;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 2;
        overflow: hidden;
      }
      .is-created {
        width: 8.5rem;
      }
      .is-expires {
        width: 9.5rem;
      }
      .is-used {
        width: 8.5rem;
      }
      .is-actions {
        width: 7.5rem;
      }
      .ended {
        color: var(--wa-color-danger-on-quiet);
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.app.session]);
  }

  override firstUpdated(): void {
    void this.#keys.reload();
  }

  override render() {
    const { items, error } = this.#keys;
    return html`
      <div class="page">
        <bkg-page-header
          heading="API keys"
          lead="A key lets a program call this server as you, with the rights that you give it."
        >
          <wa-button variant="brand" @click=${() => this.wizardOpen = true}>
            <wa-icon slot="start" name="plus"></wa-icon>Create a key
          </wa-button>
        </bkg-page-header>
        <div class="stack">
          ${may(this.app.session.principal, "keys:manage") ? this.#switch() : nothing}
          <bkg-error-notice
            heading="The keys could not be loaded" .error=${error}
            .retry=${() => void this.#keys.reload()}
          ></bkg-error-notice>
          ${items !== undefined
            ? this.#table(items)
            : error === undefined
            ? html`<div class="skeleton wait" role="status" aria-label="Loading the keys"></div>`
            : nothing}
        </div>
      </div>
      <bkg-key-wizard
        ?open=${this.wizardOpen} @bkg-close=${() => this.wizardOpen = false}
        @bkg-made=${() => void this.#keys.reload()}
      ></bkg-key-wizard>
      <bkg-key-rotation
        .key=${this.rotated} owners=${this.owners} @bkg-close=${() => this.rotated = undefined}
        @bkg-made=${({ detail }: CustomEvent<KeyView>) => this.#replace(detail)}
      ></bkg-key-rotation>
      <bkg-confirm
        .question=${this.question} @bkg-close=${() => this.question = undefined}
      ></bkg-confirm>
    `;
  }

  #switch() {
    return html`
      <fieldset class="segments">
        <legend class="visually-hidden">Whose keys</legend>
        ${([["own", "Mine"], ["all", "Everyone's"]] as const).map(([owners, label]) =>
          html`
            <label>
              <input
                type="radio" name="owners" .checked=${live(this.owners === owners)}
                @change=${() => {
                  this.owners = owners;
                  void this.#keys.restart();
                }}
              >
              <span>${label}</span>
            </label>
          `
        )}
      </fieldset>
    `;
  }

  #table(keys: readonly KeyView[]) {
    return html`
      <p class="visually-hidden" role="status">${formatPlural(keys.length, "key")} shown</p>
      ${keys.length === 0 ? this.#none() : html`
        <div class="card table">
          <table role="table" aria-label="API keys">
            <thead role="rowgroup">
              <tr role="row">
                <th role="columnheader" scope="col">Name</th>
                <th role="columnheader" scope="col" class="is-scopes">May do</th>
                <th role="columnheader" scope="col" class="is-created">Created</th>
                <th role="columnheader" scope="col" class="is-expires">Ends</th>
                <th role="columnheader" scope="col" class="is-used">Last used</th>
                <th role="columnheader" scope="col" class="is-actions">
                  <span class="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody role="rowgroup">${repeat(keys, ({ id }) => id, (key) => this.#row(key))}</tbody>
          </table>
        </div>
      `}
      ${!this.#keys.hasMore ? nothing : html`
        <div class="more">
          <wa-button
            appearance="outlined" size="s" ?loading=${this.#keys.loading}
            @click=${() => void this.#keys.more()}
          >Show more keys</wa-button>
        </div>
      `}
    `;
  }

  #row(key: KeyView) {
    const name = capText(key.name, 100);
    return html`
      <tr role="row">
        <th role="rowheader" scope="row">
          <span class="name isolate wrap" dir="auto" title=${name}>${name}</span>
          <small class="mono">${key.id}</small>
          ${this.owners === "own"
            ? nothing
            : html`<small>of <span class="isolate" dir="auto">${
              capText(key.userName, 100)
            }</span></small>`}
        </th>
        <td role="cell" class="wide" data-label="May do">
          ${scopeChips(key.scopes)}
          ${key.limits === null ? nothing : html`<small>${describeLimits(key.limits)}</small>`}
        </td>
        <td role="cell" class="number" data-label="Created">${pastTime(key.createdAtMs)}</td>
        <td role="cell" class="number" data-label="Ends">${this.#end(key)}</td>
        <td role="cell" class="number" data-label="Last used">${pastTime(key.lastUsedAtMs)}</td>
        <td role="cell" class="wide">
          <div class="actions">
            <wa-button size="s" appearance="plain" @click=${() => this.rotated = key}>
              <wa-icon name="refresh" label=${`Rotate ${name}`}></wa-icon>
            </wa-button>
            <wa-button size="s" appearance="plain" @click=${() => this.#askRevoke(key)}>
              <wa-icon name="trash" label=${`Revoke ${name}`}></wa-icon>
            </wa-button>
          </div>
        </td>
      </tr>
    `;
  }

  #end({ expiresAtMs, previousUntilMs }: KeyView) {
    const nowMs = Date.now();
    return html`
      ${expiresAtMs === null
        ? html`<span class="quiet">no end</span>`
        : expiresAtMs <= nowMs
        ? html`<span class="ended">ended</span><small>${exactTime(expiresAtMs)}</small>`
        : comingTime(expiresAtMs, nowMs)}
      ${previousUntilMs === null || previousUntilMs <= nowMs
        ? nothing
        : html`<small>old secret until ${exactTime(previousUntilMs)}</small>`}
    `;
  }

  #none() {
    return html`
      <div class="card">
        <bkg-empty-state
          icon="key" heading=${this.owners === "own"
            ? "You have no keys yet"
            : "Nobody has a key yet"}
          text="Create one for a program that calls this server, such as an editor that speaks OpenAI's API."
        >
          <wa-button variant="brand" @click=${() => this.wizardOpen = true}>Create a key</wa-button>
        </bkg-empty-state>
      </div>
    `;
  }

  #askRevoke({ id, name, userName, userId }: KeyView): void {
    const { owners } = this;
    const isOwn = userId === this.app.session.principal?.id;
    this.question = {
      heading: `Revoke ${capText(name, 60)}?`,
      text: html`
        <p>
          The key${isOwn ? "" : html`
            of <span class="isolate">${capText(userName, 60)}</span>
          `} stops
          working at once: its next call is refused, and what runs on it ends. It cannot be brought back.
        </p>
      `,
      label: "Revoke",
      danger: true,
      run: async () => {
        await revokeKey(this.app.api, { owners, id });
        this.#keys.edit((keys) => keys.filter((key) => key.id !== id));
      },
    };
  }

  #replace(view: KeyView): void {
    this.#keys.edit((keys) => keys.map((key) => key.id === view.id ? view : key));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-api-keys": BkgApiKeys;
  }
}
