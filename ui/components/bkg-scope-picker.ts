// What somebody or a key may do: scopes and capabilities to tick, found by words. The value lives outside:
// "bkg-scopes" carries the next one.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import { allows, covers } from "../api/scopes.ts";
import { type App, appContext } from "../app.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { formatPlural } from "./format.ts";
import { describeScope, type ScopeChoice, type ScopeGroup, scopeGroups } from "./scope_words.ts";
import "./icons.ts";

@customElement("bkg-scope-picker")
export class BkgScopePicker extends LitElement {
  @property({ attribute: false })
  accessor value: readonly string[] = [];
  /** What may be given: the rest cannot be ticked. */
  @property({ attribute: false })
  accessor offered: readonly string[] = ["*"];
  /** Who is asked about, such as "This key". */
  @property()
  accessor label = "What it may do";

  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor search = "";

  static override styles = [
    sharedStyles,
    css`
      .picker {
        display: grid;
        gap: var(--wa-space-xs);
      }
      wa-input::part(form-control-label) {
        position: absolute;
        width: 1px;
        height: 1px;
        overflow: hidden;
        clip-path: inset(50%);
      }
      .list {
        position: relative;
        height: 17rem;
        overflow-y: auto;
        border: var(--wa-border-width-s) solid var(--bkg-control-border);
        border-radius: var(--wa-border-radius-m);
        scrollbar-width: thin;
      }
      fieldset {
        margin: 0;
        padding: 0;
        border: 0;
        min-width: 0;
      }
      legend {
        width: 100%;
        padding: var(--wa-space-xs) var(--wa-space-s) var(--wa-space-3xs);
        background: var(--wa-color-surface-lowered);
        color: var(--wa-color-text-quiet);
        font: var(--bkg-label);
        overflow-wrap: anywhere;
        unicode-bidi: isolate;
      }
      label {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: 0 var(--wa-space-xs);
        align-items: center;
        min-height: 2.25rem;
        padding: var(--wa-space-3xs) var(--wa-space-s);
        font-size: var(--wa-font-size-s);
        cursor: pointer;
      }
      label:hover {
        background: var(--bkg-hover);
      }
      label.fixed {
        cursor: default;
      }
      label.barred {
        color: var(--wa-color-text-quiet);
      }
      input {
        width: 1rem;
        height: 1rem;
        margin: 0;
        accent-color: var(--wa-color-brand-fill-loud);
        cursor: inherit;
      }
      .words {
        display: flex;
        flex-wrap: wrap;
        justify-content: space-between;
        gap: 0 var(--wa-space-s);
        min-width: 0;
      }
      code {
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-xs);
      }
      .none {
        padding: var(--wa-space-m);
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.app.plugins]);
  }

  override render() {
    const groups = this.#groups();
    const word = this.search.trim().toLowerCase();
    const found = groups.flatMap(({ title, choices }) => {
      const fitting = choices.filter((choice) => matches(choice, title, word));
      return fitting.length === 0 ? [] : [{ title, choices: fitting }];
    });
    return html`
      <div class="picker" role="group" aria-label=${this.label}>
        <wa-input
          type="search" size="s" with-clear
          label="Search what may be allowed" placeholder="Search, such as chat or logs"
          .value=${live(this.search)}
          @input=${(event: Event) => this.search = (event.target as HTMLInputElement).value ?? ""}
        >
          <wa-icon slot="start" name="search"></wa-icon>
        </wa-input>
        <div class="list">
          ${repeat(found, ({ title }) => title, (group) => this.#group(group))}
          ${found.length === 0
            ? html`<p class="none quiet small">Nothing has this in its name.</p>`
            : nothing}
        </div>
        <p class="quiet small" role="status">${this.#summary()}</p>
      </div>
    `;
  }

  #group({ title, choices }: ScopeGroup) {
    return html`
      <fieldset>
        <legend dir="auto">${title}</legend>
        ${repeat(choices, ({ scope }) => scope, (choice) => this.#choice(choice))}
      </fieldset>
    `;
  }

  #choice({ scope, title }: ScopeChoice) {
    const ticked = this.value.includes(scope);
    const implied = !ticked && this.value.some((entry) => covers(entry, scope));
    const barred = !ticked && !allows(this.offered, scope);
    return html`
      <label class="${implied ? "fixed" : ""} ${barred ? "barred" : ""}" title=${barred
        ? "You do not have this right yourself"
        : nothing}>
        <input
          type="checkbox"
          .checked=${live(ticked || implied)}
          ?disabled=${implied || barred}
          @change=${() => this.#toggle(scope)}
        >
        <span class="words">
          <span class="wrap isolate" dir="auto">${title}</span>
          <code class="wrap isolate">${scope}</code>
        </span>
      </label>
    `;
  }

  #groups(): ScopeGroup[] {
    const groups = [
      { title: "All", choices: [{ scope: "*", title: "Everything, now and later" }] },
      ...scopeGroups(this.app.plugins.list ?? []),
    ];
    const known = new Set(groups.flatMap(({ choices }) => choices.map(({ scope }) => scope)));
    const others = this.value.filter((scope) => !known.has(scope));
    return others.length === 0 ? groups : [...groups, {
      title: "Others",
      choices: others.map((scope) => ({ scope, title: describeScope(scope) })),
    }];
  }

  #summary(): string {
    if (this.value.includes("*")) return "Everything is allowed.";
    return this.value.length === 0
      ? "Nothing is allowed yet."
      : `${formatPlural(this.value.length, "right")} chosen.`;
  }

  #toggle(scope: string): void {
    const next = this.value.includes(scope)
      ? this.value.filter((entry) => entry !== scope)
      : [...this.value.filter((entry) => !covers(scope, entry)), scope];
    this.dispatchEvent(new CustomEvent("bkg-scopes", { detail: next }));
  }
}

function matches({ scope, title }: ScopeChoice, group: string, word: string): boolean {
  return word === "" || `${title}\n${scope}\n${group}`.toLowerCase().includes(word);
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-scope-picker": BkgScopePicker;
  }
}
