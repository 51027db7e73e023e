// What of the audit is shown: by whom, what, to what, which plugin, when. Emits "bkg-filter" with the filter.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { AuditFilter } from "../api/audit.ts";
import { type App, appContext } from "../app.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText } from "./format.ts";
import "./icons.ts";

export interface Person {
  id: string;
  name: string;
}

@customElement("bkg-audit-filter")
export class BkgAuditFilter extends LitElement {
  /** Those who can be chosen. */
  @property({ attribute: false })
  accessor people: readonly Person[] = [];
  /** Actions that were seen, to be offered. */
  @property({ attribute: false })
  accessor actions: readonly string[] = [];

  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor chosen = noChoice;

  static override styles = [
    sharedStyles,
    css`
      .filters {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 9.5rem), 1fr));
        gap: var(--wa-space-s);
        align-items: end;
      }
      label {
        display: grid;
        gap: var(--wa-space-3xs);
        min-width: 0;
      }
      input,
      select {
        width: 100%;
        min-height: 2.25rem;
        padding: 0 var(--wa-space-xs);
        border: var(--wa-border-width-s) solid var(--bkg-control-border);
        border-radius: var(--wa-border-radius-m);
        background: var(--wa-color-surface-raised);
        color: inherit;
        color-scheme: inherit;
        font: inherit;
        font-size: var(--wa-font-size-s);
      }
      ::placeholder {
        color: var(--wa-color-text-quiet);
        opacity: 1;
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.app.plugins]);
  }

  /** Shows only these, beside what is chosen already. */
  choose(part: Partial<Pick<Choice, "principal" | "action" | "object">>): void {
    this.#take({ ...this.chosen, ...part });
  }

  override render() {
    const { chosen } = this;
    return html`
      <form class="filters" role="search" aria-label="Audit" @submit=${(event: Event) =>
        event.preventDefault()}>
        ${this.#select("principal", "Who", [
          ["", "Anyone"],
          ...this.people.map(({ id, name }) => [id, capText(name, 60)] as const),
        ])}
        <label>
          <span class="label">Action</span>
          <input
            list="actions" maxlength="200" placeholder="Any, such as key.revoke" autocomplete="off"
            autocapitalize="off" .spellcheck=${false} .value=${live(chosen.action)}
            @input=${this.#pick} @change=${(event: Event) => this.#type("action", event)}
          >
          <datalist id="actions">
            ${this.actions.map((action) => html`<option value=${action}></option>`)}
          </datalist>
        </label>
        <label>
          <span class="label">Object</span>
          <input
            maxlength="1000" placeholder="Any, such as key:ab12" autocomplete="off"
            autocapitalize="off" .spellcheck=${false} .value=${live(chosen.object)}
            @change=${(event: Event) => this.#type("object", event)}
          >
        </label>
        ${this.#select("pluginId", "Plugin", [
          ["", "Any"],
          ...(this.app.plugins.list ?? []).map(({ id, name }) => [id, capText(name, 60)] as const),
        ])}
        ${this.#select("time", "Time", times.map(({ time, label }) => [time, label] as const))}
        ${chosen.time !== "custom" ? nothing : html`
          ${this.#moment("from", "From")} ${this.#moment("to", "Until")}
        `}
        <wa-button
          size="s" appearance="plain" ?disabled=${JSON.stringify(chosen) ===
            JSON.stringify(noChoice)}
          @click=${() => this.#take({ ...noChoice })}
        >Clear</wa-button>
      </form>
    `;
  }

  #select(
    name: "principal" | "pluginId" | "time",
    label: string,
    options: readonly (readonly [string, string])[],
  ) {
    return html`
      <label>
        <span class="label">${label}</span>
        <select @change=${(event: Event) =>
          this.#take({ ...this.chosen, [name]: (event.target as HTMLSelectElement).value })}>
          ${options.map(([value, word]) =>
            html`<option value=${value} .selected=${
              live(value === this.chosen[name])
            }>${word}</option>`
          )}
        </select>
      </label>
    `;
  }

  #moment(name: "from" | "to", label: string) {
    return html`
      <label>
        <span class="label">${label}</span>
        <input type="datetime-local" .value=${live(this.chosen[name])} @change=${(event: Event) =>
          this.#take({ ...this.chosen, [name]: (event.target as HTMLInputElement).value })}>
      </label>
    `;
  }

  /** The whole of it is asked for, so a half typed one would find nothing. */
  #type(name: "action" | "object", event: Event): void {
    this.choose({ [name]: (event.target as HTMLInputElement).value.trim() });
  }

  /** One of those that are offered needs no further key. */
  #pick(event: Event): void {
    const action = (event.target as HTMLInputElement).value;
    if (this.actions.includes(action)) this.choose({ action });
  }

  #take(chosen: Choice): void {
    this.chosen = chosen;
    this.dispatchEvent(new CustomEvent("bkg-filter", { detail: filterOf(chosen, Date.now()) }));
  }
}

interface Choice {
  principal: string;
  action: string;
  object: string;
  pluginId: string;
  time: string;
  /** As the fields have them: "2026-01-31T14:03". */
  from: string;
  to: string;
}

const noChoice: Choice = {
  principal: "",
  action: "",
  object: "",
  pluginId: "",
  time: "any",
  from: "",
  to: "",
};

const hourMs = 60 * 60_000;

const times: readonly { time: string; label: string; spanMs?: number }[] = [
  { time: "any", label: "Any time" },
  { time: "hour", label: "Last hour", spanMs: hourMs },
  { time: "day", label: "Last day", spanMs: 24 * hourMs },
  { time: "week", label: "Last week", spanMs: 7 * 24 * hourMs },
  { time: "month", label: "Last 30 days", spanMs: 30 * 24 * hourMs },
  { time: "custom", label: "From and until" },
];

function filterOf(chosen: Choice, nowMs: number): AuditFilter {
  const { principal, action, object, pluginId } = chosen;
  const spanMs = times.find(({ time }) => time === chosen.time)?.spanMs;
  const custom = chosen.time === "custom";
  return {
    principal,
    action,
    object,
    pluginId,
    from: spanMs !== undefined ? nowMs - spanMs : custom ? momentOf(chosen.from) : undefined,
    to: custom ? momentOf(chosen.to) : undefined,
  };
}

function momentOf(text: string): number | undefined {
  const atMs = new Date(text).getTime();
  return Number.isFinite(atMs) && atMs >= 0 ? atMs : undefined;
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-audit-filter": BkgAuditFilter;
  }
}
