// Making an API key in three steps: its name and end, what it may do, the key itself. Emits "bkg-made" with the key's
// view, and "bkg-close". A key that is shown is not closed away before the person said that it is stored.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/dialog/dialog.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import { createKey, type NewKey } from "../api/api_keys.ts";
import type { UsageLimits } from "../api/users.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-error-notice.ts";
import "./bkg-new-key.ts";
import "./bkg-scope-picker.ts";
import "./bkg-usage-limits.ts";
import { dialogStyles } from "./dialog_styles.ts";
import { issueAt } from "./error_issues.ts";
import { foldStyles } from "./fold_styles.ts";
import { formatDateTime } from "./format.ts";
import "./icons.ts";
import {
  type ExpiryChoice,
  expiryChoices,
  expiryOf,
  isoDay,
  scopesOf,
  type Use,
} from "./key_choices.ts";

type Step = "name" | "scopes" | "key";

@customElement("bkg-key-wizard")
export class BkgKeyWizard extends LitElement {
  @property({ type: Boolean })
  accessor open = false;

  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor step: Step = "name";
  @state()
  private accessor name = "";
  @state()
  private accessor expiry: ExpiryChoice = "90 days";
  /** Of "custom", as the field has it: "2026-01-31". */
  @state()
  private accessor day = "";
  @state()
  private accessor use: Use = "chat";
  @state()
  private accessor scopes: readonly string[] = [];
  @state()
  private accessor limits: UsageLimits = {};
  @state()
  private accessor limitsAreGood = true;
  @state()
  private accessor busy = false;
  @state()
  private accessor error: unknown;
  @state()
  private accessor made: NewKey | undefined;
  @state()
  private accessor stored = false;
  /** The person wanted to close although the key is not stored. */
  @state()
  private accessor asksToStore = false;
  @query("form, bkg-new-key")
  private accessor content!: HTMLElement | null;

  static override styles = [
    sharedStyles,
    dialogStyles,
    foldStyles,
    css`
      .steps {
        display: flex;
        flex-wrap: wrap;
        gap: var(--wa-space-2xs) var(--wa-space-m);
        padding: 0;
        list-style: none;
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-s);
      }
      .steps [aria-current] {
        color: var(--wa-color-text-normal);
        font-weight: var(--wa-font-weight-semibold);
      }
      form:focus,
      bkg-new-key:focus {
        outline: none;
      }
      .expiries {
        display: flex;
        flex-wrap: wrap;
        gap: var(--wa-space-xs);
      }
      .expiries .choice {
        align-items: center;
        padding-block: var(--wa-space-2xs);
      }
      .expiries .choice input {
        margin: 0;
      }
      input[type="date"] {
        min-height: 2.25rem;
        padding: 0 var(--wa-space-xs);
        border: var(--wa-border-width-s) solid var(--bkg-control-border);
        border-radius: var(--wa-border-radius-m);
        background: var(--wa-color-surface-raised);
        color: inherit;
        color-scheme: inherit;
        font: inherit;
      }
    `,
  ];

  override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has("open") || !this.open) return;
    this.step = "name";
    this.name = "";
    this.expiry = "90 days";
    this.day = "";
    this.use = this.#may("chat") ? "chat" : "all";
    this.scopes = [];
    this.limits = {};
    this.limitsAreGood = true;
    this.busy = false;
    this.error = undefined;
    this.made = undefined;
    this.stored = false;
    this.asksToStore = false;
  }

  override render() {
    return html`
      <wa-dialog
        label=${this.made === undefined ? "Create an API key" : "Your new key"}
        ?open=${this.open} @wa-hide=${this.#hold} @wa-after-hide=${this.#close}
      >
        <div class="form">
          <ol class="steps">
            ${steps.map(({ step, label }, index) =>
              html`<li aria-current=${step === this.step ? "step" : nothing}>${
                index + 1
              }. ${label}</li>`
            )}
          </ol>
          ${this.step === "name"
            ? this.#nameStep()
            : this.step === "scopes"
            ? this.#scopesStep()
            : this.#keyStep()}
        </div>
        ${this.#buttons()}
      </wa-dialog>
    `;
  }

  #nameStep() {
    const expiresAtMs = this.#expiresAtMs();
    return html`
      <form class="form" tabindex="-1" novalidate @submit=${(event: Event) =>
        event.preventDefault()}>
        <wa-input
          label="Name" maxlength="100" autocomplete="off" autofocus
          hint="What uses it, so that you know it again: laptop, home assistant, notebook."
          .value=${live(this.name)}
          @input=${(event: Event) => this.name = (event.target as HTMLInputElement).value ?? ""}
          @keydown=${(event: KeyboardEvent) => {
            if (event.key === "Enter" && !event.isComposing && this.#nameIsReady()) {
              this.#go("scopes");
            }
          }}
        ></wa-input>
        <fieldset>
          <legend>How long it is good</legend>
          <div class="expiries">
            ${expiryChoices.map((choice) =>
              html`
                <label class="choice">
                  <input
                    type="radio" name="expiry" .checked=${live(choice === this.expiry)}
                    @change=${() => this.expiry = choice}
                  >
                  <span>${choice === "custom"
                    ? "Until a day"
                    : choice === "never"
                    ? "No end"
                    : choice}</span>
                </label>
              `
            )}
          </div>
          ${this.expiry !== "custom" ? nothing : html`
            <label class="row">
              <span>Last day</span>
              <input
                type="date" min=${isoDay(Date.now())} .value=${live(this.day)}
                @input=${(event: Event) => this.day = (event.target as HTMLInputElement).value}
              >
            </label>
          `}
          <p class="quiet small" role="status">${expiresAtMs === undefined
            ? "Choose a day that is to come."
            : expiresAtMs === null
            ? "It stays good until you revoke it. A key with an end is safer."
            : `It ends on ${formatDateTime(expiresAtMs)}.`}</p>
        </fieldset>
      </form>
    `;
  }

  #scopesStep() {
    const mine = this.#mine();
    const nameIssue = issueAt(this.error, "name");
    return html`
      <form class="form" tabindex="-1" novalidate @submit=${(event: Event) =>
        event.preventDefault()}>
        <fieldset>
          <legend>What it may do</legend>
          ${this.#choice("chat", {
            label: "Chat with models (OpenAI API)",
            hint: "For programs that speak OpenAI's API: chat, embeddings and the list of models.",
          })}
          ${this.#choice("all", {
            label: "Everything I may do",
            hint: "For your own scripts. Whoever finds such a key can do all that you can.",
          })}
          ${this.#choice("custom", {
            label: "Custom",
            hint: "Choose rights and capabilities one by one.",
          })}
        </fieldset>
        ${this.use !== "custom" ? nothing : html`
          <bkg-scope-picker
            label="What this key may do" .value=${this.scopes} .offered=${mine}
            @bkg-scopes=${({ detail }: CustomEvent<string[]>) => this.scopes = detail}
          ></bkg-scope-picker>
        `}
        <details class="fold">
          <summary>Limits of its own<wa-icon class="chevron" name="chevron-down"></wa-icon></summary>
          <div class="inside">
            <p class="quiet small">They hold beside the limits of your account.</p>
            <bkg-usage-limits
              .value=${this.limits}
              @bkg-limits=${({ detail }: CustomEvent<UsageLimits | null>) => {
                this.limitsAreGood = detail !== null;
                this.limits = detail ?? this.limits;
              }}
            ></bkg-usage-limits>
          </div>
        </details>
        <bkg-error-notice heading="No key was made" .error=${this.error}>
          ${nameIssue === undefined ? nothing : html`<span class="small">${nameIssue}</span>`}
        </bkg-error-notice>
      </form>
    `;
  }

  #keyStep() {
    if (this.made === undefined) return nothing;
    return html`
      <bkg-new-key
        tabindex="-1" .made=${this.made} ?stored=${this.stored}
        @bkg-stored=${({ detail }: CustomEvent<boolean>) => {
          this.stored = detail;
          this.asksToStore = false;
        }}
      ></bkg-new-key>
      <p class="problem" role="alert">${this.asksToStore
        ? "Store the key first, and say so above: it cannot be shown again."
        : ""}</p>
    `;
  }

  #choice(use: Use, { label, hint }: { label: string; hint: string }) {
    const may = this.#may(use);
    return html`
      <label class="choice">
        <input
          type="radio" name="use" ?disabled=${!may} .checked=${live(use === this.use)}
          @change=${() => this.use = use}
        >
        <span>${label}<small>${may
          ? hint
          : "Your account does not have these rights."}</small></span>
      </label>
    `;
  }

  #buttons() {
    const { step } = this;
    if (step === "key") {
      return html`
        <wa-button
          slot="footer" variant="brand" ?disabled=${!this.stored} @click=${this
            .#close}>Done</wa-button>
      `;
    }
    if (step === "name") {
      return html`
        <wa-button slot="footer" appearance="outlined" @click=${this.#close}>Cancel</wa-button>
        <wa-button
          slot="footer" variant="brand" ?disabled=${!this.#nameIsReady()}
          @click=${() => this.#go("scopes")}
        >Next</wa-button>
      `;
    }
    const ready = this.limitsAreGood && this.#wanted().length > 0;
    return html`
      <wa-button
        slot="footer" appearance="outlined" ?disabled=${this.busy} @click=${() => this.#go("name")}
      >Back</wa-button>
      <wa-button
        slot="footer" variant="brand" ?loading=${this.busy} ?disabled=${!ready}
        @click=${() => void this.#make()}
      >Create the key</wa-button>
    `;
  }

  #mine(): readonly string[] {
    return this.app.session.principal?.scopes ?? [];
  }

  #wanted(): readonly string[] {
    return scopesOf(this.use, { mine: this.#mine(), custom: this.scopes });
  }

  #may(use: Use): boolean {
    return use === "custom" || scopesOf(use, { mine: this.#mine(), custom: [] }).length > 0;
  }

  #expiresAtMs(): number | null | undefined {
    return expiryOf(this.expiry, { day: this.day, nowMs: Date.now() });
  }

  #nameIsReady(): boolean {
    return this.name.trim() !== "" && this.#expiresAtMs() !== undefined;
  }

  /** Who does not see the step learns of it by the focus. */
  #go(step: Step): void {
    this.step = step;
    this.error = undefined;
    void this.updateComplete.then(() => this.content?.focus());
  }

  #hold(event: Event): void {
    if (event.target !== event.currentTarget) return;
    if (!this.busy && (this.made === undefined || this.stored)) return;
    event.preventDefault();
    this.asksToStore = this.made !== undefined;
  }

  #close(event: Event): void {
    if (event.target !== event.currentTarget || !this.open) return;
    this.dispatchEvent(new CustomEvent("bkg-close"));
  }

  async #make(): Promise<void> {
    const expiresAtMs = this.#expiresAtMs();
    if (this.busy || expiresAtMs === undefined) return;
    this.busy = true;
    this.error = undefined;
    const limits = Object.keys(this.limits).length === 0 ? null : this.limits;
    try {
      const asked = { name: this.name.trim(), scopes: [...this.#wanted()], limits, expiresAtMs };
      this.made = await createKey(this.app.api, asked);
      this.dispatchEvent(new CustomEvent("bkg-made", { detail: this.made.view }));
      this.#go("key");
    } catch (error) {
      this.error = error;
    } finally {
      this.busy = false;
    }
  }
}

const steps = [
  { step: "name", label: "Name" },
  { step: "scopes", label: "Rights" },
  { step: "key", label: "Key" },
] as const;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-key-wizard": BkgKeyWizard;
  }
}
