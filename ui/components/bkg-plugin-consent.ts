// Asks for consent: what a plugin wants to be allowed, each in plain words with a switch, and what of it is new.
// It decides nothing: "bkg-decide" carries the permissions to give (ListedPermission[]), "bkg-keep-off" nothing.

import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/switch/switch.js";
import {
  kindTitles,
  type ListedPermission,
  listPermissions,
} from "../../plugins/runtime/contract/permission_list.ts";
import type { PluginGrants, PluginView } from "../../plugins/runtime/host/host.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText, formatPlural } from "./format.ts";
import "./icons.ts";

@customElement("bkg-plugin-consent")
export class BkgPluginConsent extends LitElement {
  @property({ attribute: false })
  accessor plugin!: PluginView;
  @property({ attribute: false })
  accessor grants!: PluginGrants;
  @property({ type: Boolean })
  accessor saving = false;
  /** Whether who looks at it may decide. */
  @property({ type: Boolean })
  accessor decides = false;

  /** By place in `#asked`. */
  @state()
  private accessor chosen: ReadonlySet<number> = new Set();

  #asked: readonly ListedPermission[] = [];

  static override styles = [
    sharedStyles,
    css`
      .card {
        display: grid;
        gap: var(--bkg-gap);
        border-color: var(--wa-color-warning-border-normal);
      }
      header {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: var(--wa-space-2xs) var(--wa-space-s);
      }
      header wa-icon {
        margin-block-start: 0.2em;
        color: var(--wa-color-warning-on-quiet);
      }
      header p {
        grid-column: 2;
        max-width: var(--bkg-reading-width);
      }
      h3 {
        font-size: var(--wa-font-size-m);
      }
      h4 {
        margin: 0;
        font: var(--bkg-label);
        color: var(--wa-color-text-quiet);
      }
      ul {
        display: grid;
        padding: 0;
        list-style: none;
      }
      li {
        padding-block: var(--wa-space-xs);
        border-block-end: var(--bkg-card-border);
      }
      li:last-child {
        border-block-end: 0;
      }
      wa-switch {
        width: 100%;
      }
      wa-switch::part(base) {
        align-items: start;
      }
      wa-switch::part(label) {
        min-width: 0;
        flex: 1;
      }
      .entry {
        display: block;
        font: var(--bkg-mono);
      }
      .new {
        vertical-align: middle;
        line-height: 1.3;
        border-color: var(--wa-color-brand-border-normal);
        background: var(--wa-color-brand-fill-quiet);
        color: var(--wa-color-brand-on-quiet);
      }
      footer {
        padding-block-start: var(--bkg-gap);
        border-block-start: var(--bkg-card-border);
      }
    `,
  ];

  override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("grants")) return;
    const { requested, granted, consented } = this.grants;
    this.#asked = listPermissions(requested, granted, { consented }).filter(({ asked }) => asked);
    // All that is asked for the first time; what was left out before stays out.
    const isFirst = consented === undefined;
    this.chosen = new Set(
      this.#asked.flatMap(({ isNew, granted }, index) =>
        isFirst || isNew || granted ? [index] : []
      ),
    );
  }

  override render() {
    const isUpdate = this.#isUpdate();
    const version = capText(this.grants.version, 30);
    return html`
      <section class="card" aria-labelledby="heading">
        <header>
          <wa-icon name="shield-alert"></wa-icon>
          <h3 id="heading" class="wrap">${isUpdate
            ? `Version ${version} waits for consent`
            : "It waits for consent"}</h3>
          <p>${isUpdate
            ? `It asks for more than it was allowed. Version ${
              capText(this.plugin.version, 30)
            } goes on with what it has.`
            : "It asks for the following, and does not start before that is decided."}
            ${this.decides
              ? "Turn off what it should do without: what needs that fails, the rest works."
              : "Only an administrator of this server can decide."}</p>
        </header>
        ${Object.entries(kindTitles).map(([kind, title]) => this.#kind(kind, title))}
        ${this.decides ? this.#actions() : nothing}
      </section>
    `;
  }

  #kind(kind: string, title: string) {
    const rows = this.#asked.flatMap((one, index) => one.kind === kind ? [{ one, index }] : []);
    if (rows.length === 0) return nothing;
    return html`
      <div>
        <h4 id=${kind}>${title}</h4>
        <ul aria-labelledby=${kind}>
          ${rows.map(({ one, index }) => html`<li>${this.#row(one, index)}</li>`)}
        </ul>
      </div>
    `;
  }

  #row({ meaning, text, isNew, granted, revocable }: ListedPermission, index: number) {
    // Whatever is switched here, a "*" that was given covers it.
    const byStar = granted && !revocable;
    return html`
      <wa-switch
        size="s"
        .checked=${byStar || this.chosen.has(index)}
        ?disabled=${!this.decides || byStar || this.saving}
        @change=${(event: Event) => this.#choose(index, (event.target as HTMLInputElement).checked)}
      >${meaning} ${isNew ? html`<span class="tag new">new</span>` : nothing}
        <span class="entry quiet wrap isolate" dir="auto">${capText(text, 500)}</span>
      </wa-switch>
    `;
  }

  #actions() {
    const { size } = this.chosen;
    const all = this.#asked.length;
    const words = size === all
      ? "Allow all"
      : size === 0
      ? "Allow none"
      : `Allow ${size} of ${all}`;
    return html`
      <footer class="row">
        <wa-button variant="brand" size="s" ?loading=${this.saving} @click=${this.#decide}>
          ${this.#isUpdate() ? `${words} and update` : words}
        </wa-button>
        ${this.plugin.enabled && !this.#isUpdate()
          ? html`
            <wa-button
              appearance="outlined" size="s" ?disabled=${this.saving}
              @click=${() => this.dispatchEvent(new CustomEvent("bkg-keep-off"))}
            >Keep off</wa-button>
          `
          : nothing}
        <span class="quiet small" role="status">${formatPlural(size, "permission")} of ${all}</span>
      </footer>
    `;
  }

  #isUpdate(): boolean {
    return this.plugin.status === "running";
  }

  #choose(index: number, isOn: boolean): void {
    const chosen = new Set(this.chosen);
    if (isOn) chosen.add(index);
    else chosen.delete(index);
    this.chosen = chosen;
  }

  #decide = (): void => {
    const detail = this.#asked.filter((_, index) => this.chosen.has(index));
    this.dispatchEvent(new CustomEvent("bkg-decide", { detail }));
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-plugin-consent": BkgPluginConsent;
  }
}
