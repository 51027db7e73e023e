// Choosing or changing the own password. What it must be is told before it is typed; the server has the last word.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import { changePassword } from "../api/account.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-error-notice.ts";
import { issueAt } from "./error_issues.ts";
import "./icons.ts";

type Field = "current" | "next" | "again";

@customElement("bkg-password-form")
export class BkgPasswordForm extends LitElement {
  /** Whether there is one, as far as that is known. */
  @property({ type: Boolean })
  accessor replaces = false;

  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor typed: Readonly<Record<Field, string>> = nothingTyped;
  /** At a field, as a sentence. */
  @state()
  private accessor problem: { field: Field; text: string } | undefined;
  @state()
  private accessor error: unknown;
  @state()
  private accessor busy = false;
  @state()
  private accessor said = "";

  static override styles = [
    sharedStyles,
    css`
      form {
        display: grid;
        gap: var(--bkg-gap);
        max-width: 24rem;
      }
      .rules {
        padding-inline-start: var(--wa-space-l);
        font-size: var(--wa-font-size-s);
      }
      .wrong::part(base) {
        border-color: var(--wa-color-danger-border-loud);
      }
      .wrong::part(hint) {
        color: var(--wa-color-danger-on-quiet);
        font-weight: var(--wa-font-weight-semibold);
      }
      .said {
        color: var(--wa-color-success-on-quiet);
        font-size: var(--wa-font-size-s);
        font-weight: var(--wa-font-weight-semibold);
      }
    `,
  ];

  override render() {
    return html`
      <section class="card stack" aria-labelledby="password">
        <div>
          <h2 id="password">Password</h2>
          <p
            class="quiet small">With it you sign in from other devices. Changing it signs out the others.</p>
        </div>
        <form novalidate @submit=${this.#submit}>
          <input
            type="text" name="username" autocomplete="username" hidden
            .value=${this.app.session.principal?.name ?? ""}
          >
          ${!this.replaces ? nothing : this.#field("current", {
            label: "Current password",
            hint: "Leave it empty if you have none yet.",
          })}
          ${this.#field("next", { label: "New password", hint: "" })}
          <ul class="rules quiet">
            <li>At least 10 characters; a few words in a row are easy to keep.</li>
            <li>Not your name, and none that everybody tries first.</li>
          </ul>
          ${this.#field("again", { label: "New password once more", hint: "" })}
          <bkg-error-notice
            heading="The password was not changed"
            .error=${this.problem === undefined ? this.error : undefined}
          ></bkg-error-notice>
          <div class="row">
            <wa-button type="submit" variant="brand" ?loading=${this
              .busy}>Set the password</wa-button>
            <span class="said" role="status">${this.said}</span>
          </div>
        </form>
      </section>
    `;
  }

  #field(field: Field, { label, hint }: { label: string; hint: string }) {
    const problem = this.problem?.field === field ? this.problem.text : undefined;
    return html`
      <wa-input
        id=${field} class=${problem === undefined ? "" : "wrong"} type="password" password-toggle
        label=${label} hint=${problem ?? hint} maxlength="200"
        autocomplete=${field === "current" ? "current-password" : "new-password"}
        .value=${live(this.typed[field])}
        @input=${(event: Event) => {
          this.typed = { ...this.typed, [field]: (event.target as HTMLInputElement).value ?? "" };
          if (this.problem?.field === field) this.problem = undefined;
          this.said = "";
        }}
        @keydown=${(event: KeyboardEvent) => {
          if (event.key === "Enter" && !event.isComposing) this.#submit(event);
        }}
      ></wa-input>
    `;
  }

  #submit(event: Event): void {
    event.preventDefault();
    if (this.busy) return;
    const { next, again } = this.typed;
    if ([...next].length < minLength) {
      return this.#refuse("next", `It must have at least ${minLength} characters.`);
    }
    if (next !== again) return this.#refuse("again", "It is not the same as the one above.");
    void this.#save();
  }

  async #save(): Promise<void> {
    this.busy = true;
    this.error = undefined;
    this.problem = undefined;
    const { current, next } = this.typed;
    try {
      await changePassword(this.app.api, { next, ...(current === "" ? {} : { current }) });
      this.typed = nothingTyped;
      this.said = "The password is set";
      this.dispatchEvent(new CustomEvent("bkg-changed"));
    } catch (error) {
      this.error = error;
      for (const field of ["current", "next"] as const) {
        const text = issueAt(error, field);
        if (text !== undefined) return this.#refuse(field, text);
      }
    } finally {
      this.busy = false;
    }
  }

  #refuse(field: Field, text: string): void {
    this.problem = { field, text };
    void this.updateComplete.then(() =>
      this.renderRoot.querySelector<HTMLElement>(`wa-input#${field}`)?.focus()
    );
  }
}

const nothingTyped = { current: "", next: "", again: "" };
const minLength = 10;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-password-form": BkgPasswordForm;
  }
}
