// How much somebody or a key may use, as fields. The value lives outside: "bkg-limits" carries the next one, or null
// while something that was typed is no limit.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import type { RequestLimit, UsageLimits } from "../api/users.ts";
import { type App, appContext } from "../app.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText } from "./format.ts";
import { parseNumber } from "./form_values.ts";
import "./icons.ts";

type Whole = "requestsPerMinute" | "tokensPerDay" | "tokensPerMonth";
type Kind = "plugins" | "capabilities";

@customElement("bkg-usage-limits")
export class BkgUsageLimits extends LitElement {
  @property({ attribute: false })
  accessor value: UsageLimits = {};

  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  /** What was typed and is no limit, by field. */
  @state()
  private accessor drafts: ReadonlyMap<string, string> = new Map();

  static override styles = [
    sharedStyles,
    css`
      .fields {
        display: grid;
        gap: var(--wa-space-s);
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 9rem), 1fr));
        align-items: start;
      }
      wa-input::part(hint) {
        font-size: var(--wa-font-size-s);
      }
      .wrong::part(base) {
        border-color: var(--wa-color-danger-border-loud);
      }
      .wrong::part(hint) {
        color: var(--wa-color-danger-on-quiet);
      }
      .single {
        display: grid;
        grid-template-columns: minmax(0, 1fr) 8rem auto;
        gap: var(--wa-space-2xs);
        align-items: center;
        font-size: var(--wa-font-size-s);
      }
      .single wa-input::part(form-control-label) {
        position: absolute;
        width: 1px;
        height: 1px;
        overflow: hidden;
        clip-path: inset(50%);
      }
      select {
        max-width: 100%;
        min-height: 2.25rem;
        padding: 0 var(--wa-space-xs);
        border: var(--wa-border-width-s) solid var(--bkg-control-border);
        border-radius: var(--wa-border-radius-m);
        background: var(--wa-color-surface-raised);
        color: inherit;
        font: inherit;
        font-size: var(--wa-font-size-s);
      }
      .stack {
        gap: var(--wa-space-s);
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.app.plugins]);
  }

  override render() {
    return html`
      <div class="stack">
        <div class="fields">
          ${this.#whole("requestsPerMinute", "Calls a minute", 1)}
          ${this.#whole("tokensPerDay", "Tokens a day", 0)}
          ${this.#whole("tokensPerMonth", "Tokens a month", 0)}
        </div>
        ${this.#singles("capabilities")} ${this.#singles("plugins")}
        ${this.#adder()}
      </div>
    `;
  }

  #whole(name: Whole, label: string, least: number) {
    const draft = this.drafts.get(name);
    return html`
      <wa-input
        class=${draft === undefined ? "" : "wrong"} type="number" inputmode="numeric" size="s"
        min=${least} step="1" label=${label} placeholder="no limit" autocomplete="off"
        hint=${draft === undefined ? "" : `Must be a whole number from ${least}`}
        .value=${live(draft ?? String(this.value[name] ?? ""))}
        @input=${(event: Event) => {
          const typed = (event.target as HTMLInputElement).value ?? "";
          const { [name]: _, ...rest } = this.value;
          this.#take(name, {
            typed,
            least,
            set: (limit) => limit === undefined ? rest : { ...rest, [name]: limit },
          });
        }}
      ></wa-input>
    `;
  }

  #singles(kind: Kind) {
    return Object.entries(this.value[kind] ?? {}).map(([id, limit]) =>
      this.#single(kind, id, limit)
    );
  }

  #single(kind: Kind, id: string, { requestsPerMinute }: RequestLimit) {
    const key = `${kind}:${id}`;
    const draft = this.drafts.get(key);
    const shown = capText(id, 100);
    const without = Object.fromEntries(
      Object.entries(this.value[kind] ?? {}).filter(([other]) => other !== id),
    );
    return html`
      <div class="single">
        <span class="wrap isolate" dir="auto">${kind === "plugins"
          ? "Plugin "
          : ""}<code>${shown}</code></span>
        <wa-input
          class=${draft === undefined ? "" : "wrong"} type="number" inputmode="numeric" size="s"
          min="1" step="1" label=${`Calls of ${shown} a minute`} autocomplete="off"
          .value=${live(draft ?? String(requestsPerMinute))}
          @input=${(event: Event) => {
            const typed = (event.target as HTMLInputElement).value ?? "";
            this.#take(key, {
              typed,
              least: 1,
              needed: true,
              set: (limit) =>
                this.#with(kind, { ...without, [id]: { requestsPerMinute: limit ?? 1 } }),
            });
          }}
        ><span slot="end" class="quiet small">/min</span></wa-input>
        <wa-button
          size="s" appearance="plain"
          @click=${() => {
            this.#forget(key);
            this.#tell(this.#with(kind, without));
          }}
        >
          <wa-icon name="trash" label=${`Remove the limit of ${shown}`}></wa-icon>
        </wa-button>
      </div>
    `;
  }

  #adder() {
    const plugins = this.app.plugins.list ?? [];
    if (plugins.length === 0) return nothing;
    return html`
      <label>
        <span class="visually-hidden">Limit one capability or plugin</span>
        <select @change=${this.#add}>
          <option value="">Limit one capability or plugin…</option>
          ${plugins.map((plugin) =>
            html`
              <optgroup label=${capText(plugin.name, 60)}>
                <option value="plugins:${plugin.id}">All of ${capText(plugin.name, 60)}</option>
                ${plugin.capabilities.map(({ id }) =>
                  html`<option value="capabilities:${id}">${capText(id, 100)}</option>`
                )}
              </optgroup>
            `
          )}
        </select>
      </label>
    `;
  }

  #add(event: Event): void {
    const select = event.target as HTMLSelectElement;
    const [kind, id] = splitOnce(select.value);
    select.value = "";
    if ((kind !== "plugins" && kind !== "capabilities") || id === "") return;
    const known = this.value[kind] ?? {};
    if (!Object.hasOwn(known, id)) {
      this.#tell(this.#with(kind, { ...known, [id]: { requestsPerMinute: 60 } }));
    }
  }

  #with(kind: Kind, limits: Record<string, RequestLimit>): UsageLimits {
    const { [kind]: _, ...rest } = this.value;
    return Object.keys(limits).length === 0 ? rest : { ...rest, [kind]: limits };
  }

  #take(
    key: string,
    { typed, least, needed = false, set }: {
      typed: string;
      least: number;
      needed?: boolean;
      set: (limit: number | undefined) => UsageLimits;
    },
  ): void {
    const limit = parseNumber(typed);
    const good = limit === undefined ? !needed : Number.isInteger(limit) && limit >= least;
    if (!good) {
      this.drafts = new Map(this.drafts).set(key, typed);
      return this.#tell(null);
    }
    this.#forget(key);
    this.#tell(set(limit));
  }

  #forget(key: string): void {
    const drafts = new Map(this.drafts);
    drafts.delete(key);
    this.drafts = drafts;
  }

  #tell(value: UsageLimits | null): void {
    if (value !== null) this.value = value;
    const detail = this.drafts.size > 0 ? null : value;
    this.dispatchEvent(new CustomEvent("bkg-limits", { detail }));
  }
}

function splitOnce(text: string): [string, string] {
  const at = text.indexOf(":");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-usage-limits": BkgUsageLimits;
  }
}
