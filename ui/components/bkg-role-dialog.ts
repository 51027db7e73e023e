// Making a role, and changing what it allows. Emits "bkg-saved" with the role, and "bkg-close".

import { consume } from "@lit/context";
import { html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/dialog/dialog.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import { putRole, type RoleView, type UsageLimits } from "../api/users.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-error-notice.ts";
import "./bkg-scope-picker.ts";
import "./bkg-usage-limits.ts";
import { dialogStyles } from "./dialog_styles.ts";
import { issueAt } from "./error_issues.ts";
import { capText, formatPlural } from "./format.ts";

@customElement("bkg-role-dialog")
export class BkgRoleDialog extends LitElement {
  /** "new" makes one; undefined is closed. */
  @property({ attribute: false })
  accessor edited: RoleView | "new" | undefined;
  /** Names that are taken. */
  @property({ attribute: false })
  accessor taken: readonly string[] = [];

  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor name = "";
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

  #shown: RoleView | "new" | undefined;

  static override styles = [sharedStyles, dialogStyles];

  override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has("edited") || this.edited === undefined) return;
    this.#shown = this.edited;
    const from = this.edited === "new" ? { name: "", scopes: [], limits: null } : this.edited;
    this.name = from.name;
    this.scopes = from.scopes;
    this.limits = from.limits ?? {};
    this.limitsAreGood = true;
    this.busy = false;
    this.error = undefined;
  }

  override render() {
    const shown = this.#shown;
    if (shown === undefined) return nothing;
    const isNew = shown === "new";
    const issue = this.#nameIssue();
    return html`
      <wa-dialog
        label=${isNew ? "New role" : `Edit the role ${capText(shown.name, 60)}`}
        ?open=${this.edited !== undefined}
        @wa-after-hide=${this.#close}
      >
        <form class="form" novalidate @submit=${(event: Event) => event.preventDefault()}>
          ${!isNew ? nothing : html`
            <wa-input
              label="Name" autocomplete="off" autocapitalize="off" .spellcheck=${false} maxlength="60"
              autofocus .value=${live(this.name)}
              @input=${(event: Event) => {
                this.name = (event.target as HTMLInputElement).value ?? "";
                this.error = undefined;
              }}
            ><span slot="hint" class=${issue === undefined ? "" : "problem"}>${issue ??
              "Such as editor or guest: letters a-z, digits and -"}</span></wa-input>
          `}
          ${isNew || shown.users === 0 ? nothing : html`
            <p class="quiet small">${formatPlural(shown.users, "person")
              .replace("persons", "people")} will have these rights at once.</p>
          `}
          <fieldset>
            <legend>What it allows</legend>
            <bkg-scope-picker
              label="What it allows" .value=${this
                .scopes} .offered=${this.app.session.principal?.scopes ?? []}
              @bkg-scopes=${({ detail }: CustomEvent<string[]>) => this.scopes = detail}
            ></bkg-scope-picker>
          </fieldset>
          <fieldset>
            <legend>How much each person may use</legend>
            <bkg-usage-limits
              .value=${this.limits}
              @bkg-limits=${({ detail }: CustomEvent<UsageLimits | null>) => {
                this.limitsAreGood = detail !== null;
                this.limits = detail ?? this.limits;
              }}
            ></bkg-usage-limits>
          </fieldset>
          <bkg-error-notice
            heading="Nothing was saved"
            .error=${issue === undefined ? this.error : undefined}
          ></bkg-error-notice>
        </form>
        <wa-button slot="footer" appearance="outlined" ?disabled=${this.busy} @click=${this.#close}
        >Cancel</wa-button>
        <wa-button
          slot="footer" variant="brand" ?loading=${this.busy} ?disabled=${!this.#isReady()}
          @click=${this.#save}
        >${isNew ? "Make the role" : "Save"}</wa-button>
      </wa-dialog>
    `;
  }

  #nameIssue(): string | undefined {
    if (this.#shown === "new" && this.taken.includes(this.name.trim().toLowerCase())) {
      return "There is a role of this name already.";
    }
    return issueAt(this.error, "name");
  }

  #isReady(): boolean {
    return this.name.trim() !== "" && this.limitsAreGood && this.#nameIssue() === undefined;
  }

  #close(event: Event): void {
    if (event.target !== event.currentTarget || this.edited === undefined || this.busy) return;
    this.dispatchEvent(new CustomEvent("bkg-close"));
  }

  async #save(): Promise<void> {
    if (this.busy || !this.#isReady()) return;
    this.busy = true;
    this.error = undefined;
    const limits = Object.keys(this.limits).length === 0 ? null : this.limits;
    try {
      const asked = { name: this.name.trim(), scopes: [...this.scopes], limits };
      const detail = await putRole(this.app.api, asked);
      this.dispatchEvent(new CustomEvent("bkg-saved", { detail }));
      this.dispatchEvent(new CustomEvent("bkg-close"));
    } catch (error) {
      this.error = error;
    } finally {
      this.busy = false;
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-role-dialog": BkgRoleDialog;
  }
}
