// Inviting somebody, and changing what an account may do and use. Emits "bkg-saved" with the user, and "bkg-close".

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/dialog/dialog.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import "@awesome.me/webawesome/dist/components/option/option.js";
import "@awesome.me/webawesome/dist/components/select/select.js";
import {
  changeUser,
  createUser,
  type Invitation,
  type RoleView,
  type UsageLimits,
  type UserView,
} from "../api/users.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-error-notice.ts";
import "./bkg-invitation.ts";
import "./bkg-scope-picker.ts";
import "./bkg-usage-limits.ts";
import { dialogStyles } from "./dialog_styles.ts";
import { issueAt } from "./error_issues.ts";
import { capText } from "./format.ts";
import { describeScope } from "./scope_words.ts";
import { describeLimits } from "./usage_limit_words.ts";

interface Draft {
  name: string;
  role: string;
  /** null: the role's. */
  scopes: readonly string[] | null;
  limits: UsageLimits | null;
}

@customElement("bkg-user-dialog")
export class BkgUserDialog extends LitElement {
  /** "new" invites somebody; undefined is closed. */
  @property({ attribute: false })
  accessor user: UserView | "new" | undefined;
  @property({ attribute: false })
  accessor roles: readonly RoleView[] = [];

  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor draft: Draft = emptyDraft;
  @state()
  private accessor limitsAreGood = true;
  @state()
  private accessor busy = false;
  @state()
  private accessor error: unknown;
  @state()
  private accessor invitation: Invitation | undefined;
  @query("wa-input")
  private accessor nameField!: HTMLElement | null;

  #shown: UserView | "new" | undefined;

  static override styles = [
    sharedStyles,
    dialogStyles,
    css`
      .own {
        padding-block-start: var(--wa-space-2xs);
      }
    `,
  ];

  override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has("user") || this.user === undefined) return;
    this.#shown = this.user;
    this.draft = this.user === "new" ? emptyDraft : { ...this.user };
    this.limitsAreGood = true;
    this.busy = false;
    this.error = undefined;
    this.invitation = undefined;
  }

  override render() {
    const shown = this.#shown;
    if (shown === undefined) return nothing;
    const isNew = shown === "new";
    const { invitation, draft } = this;
    const heading = isNew
      ? (invitation === undefined ? "Invite a person" : "The invitation is ready")
      : `Edit ${capText(shown.name, 60)}`;
    return html`
      <wa-dialog
        label=${heading}
        ?open=${this.user !== undefined}
        @wa-after-hide=${this.#close}
      >
        ${invitation === undefined
          ? this.#form(shown)
          : html`<bkg-invitation .invitation=${invitation} name=${draft.name}></bkg-invitation>`}
        ${invitation === undefined
          ? html`
            <wa-button slot="footer" appearance="outlined" ?disabled=${this.busy} @click=${this
              .#close}
            >Cancel</wa-button>
            <wa-button
              slot="footer" variant="brand" ?loading=${this.busy} ?disabled=${!this.#isReady()}
              @click=${this.#save}
            >${isNew ? "Make the invitation" : "Save"}</wa-button>
          `
          : html`<wa-button slot="footer" variant="brand" @click=${this.#close}>Done</wa-button>`}
      </wa-dialog>
    `;
  }

  #form(shown: UserView | "new") {
    const { draft } = this;
    const nameIssue = this.#nameIssue();
    return html`
      <form class="form" novalidate @submit=${(event: Event) => event.preventDefault()}>
        <wa-input
          label="Name" autocomplete="off" autocapitalize="off" autocorrect="off" .spellcheck=${false}
          maxlength="64" autofocus
          .value=${live(draft.name)}
          @input=${(event: Event) =>
            this.#change({
              name: (event.target as HTMLInputElement).value ?? "",
            })}
          @keydown=${(event: KeyboardEvent) => {
            if (event.key === "Enter" && !event.isComposing) void this.#save();
          }}
        >
          <span slot="hint" class=${nameIssue === undefined ? "" : "problem"}>${nameIssue ??
            "What they sign in with: letters a-z, digits and . _ @ -"}</span>
        </wa-input>
        <wa-select
          label="Role" .value=${draft.role} hint=${this.#roleHint()}
          @change=${(event: Event) =>
            this.#change({
              role: String((event.target as HTMLInputElement).value),
            })}
        >
          ${this.roles.map(({ name }) =>
            html`<wa-option value=${name}>${capText(name, 60)}</wa-option>`
          )}
        </wa-select>
        ${this.#rights()} ${this.#limits()}
        <bkg-error-notice
          heading=${shown === "new" ? "Nobody was invited" : "Nothing was saved"}
          .error=${nameIssue === undefined ? this.error : undefined}
        ></bkg-error-notice>
      </form>
    `;
  }

  #rights() {
    const { scopes } = this.draft;
    return html`
      <fieldset>
        <legend>What they may do</legend>
        ${radio("rights", {
          label: "All that the role allows",
          checked: scopes === null,
          choose: () => this.#change({ scopes: null }),
        })}
        ${radio("rights", {
          label: "Only some of it",
          checked: scopes !== null,
          choose: () => this.#change({ scopes: scopes ?? [] }),
        })}
        ${scopes === null ? nothing : html`
          <bkg-scope-picker
            class="own" label="What they may do" .value=${scopes} .offered=${this.#role()?.scopes ??
              []}
            @bkg-scopes=${({ detail }: CustomEvent<string[]>) => this.#change({ scopes: detail })}
          ></bkg-scope-picker>
        `}
      </fieldset>
    `;
  }

  #limits() {
    const { limits } = this.draft;
    return html`
      <fieldset>
        <legend>How much they may use</legend>
        ${radio("limits", {
          label: "The limits of the role",
          hint: describeLimits(this.#role()?.limits ?? null),
          checked: limits === null,
          choose: () => {
            this.limitsAreGood = true;
            this.#change({ limits: null });
          },
        })}
        ${radio("limits", {
          label: "Limits of their own",
          checked: limits !== null,
          choose: () => this.#change({ limits: limits ?? { ...this.#role()?.limits } }),
        })}
        ${limits === null ? nothing : html`
          <bkg-usage-limits
            class="own" .value=${limits}
            @bkg-limits=${({ detail }: CustomEvent<UsageLimits | null>) => {
              this.limitsAreGood = detail !== null;
              if (detail !== null) this.#change({ limits: detail });
            }}
          ></bkg-usage-limits>
        `}
      </fieldset>
    `;
  }

  #role(): RoleView | undefined {
    return this.roles.find(({ name }) => name === this.draft.role);
  }

  #roleHint(): string {
    const scopes = this.#role()?.scopes ?? [];
    const words = scopes.slice(0, 4).map((scope) => describeScope(scope).toLowerCase());
    return scopes.length === 0
      ? ""
      : `May: ${words.join("; ")}${scopes.length > 4 ? `; and ${scopes.length - 4} more` : ""}.`;
  }

  #nameIssue(): string | undefined {
    return issueAt(this.error, "name");
  }

  #isReady(): boolean {
    return this.draft.name.trim() !== "" && this.draft.role !== "" && this.limitsAreGood;
  }

  #change(change: Partial<Draft>): void {
    this.draft = { ...this.draft, ...change };
    if ("name" in change) this.error = undefined;
  }

  #close(event: Event): void {
    if (event.target !== event.currentTarget || this.user === undefined || this.busy) return;
    this.dispatchEvent(new CustomEvent("bkg-close"));
  }

  async #save(): Promise<void> {
    const { user } = this;
    if (user === undefined || this.busy || !this.#isReady()) return;
    this.busy = true;
    this.error = undefined;
    const { name, role, scopes, limits } = this.draft;
    const asked = { name: name.trim(), role, scopes: scopes && [...scopes], limits };
    try {
      if (user === "new") {
        const made = await createUser(this.app.api, asked);
        this.draft = { ...this.draft, name: made.user.name };
        this.#tell(made.user);
        if (made.invitation === undefined) this.dispatchEvent(new CustomEvent("bkg-close"));
        else this.invitation = made.invitation;
      } else {
        this.#tell(await changeUser(this.app.api, user.id, changesOf(user, asked)));
        this.dispatchEvent(new CustomEvent("bkg-close"));
      }
    } catch (error) {
      this.error = error;
      if (this.#nameIssue() !== undefined) this.nameField?.focus();
    } finally {
      this.busy = false;
    }
  }

  #tell(user: UserView): void {
    this.dispatchEvent(new CustomEvent("bkg-saved", { detail: user }));
  }
}

const emptyDraft: Draft = { name: "", role: "user", scopes: null, limits: null };

/** Only what is another: somebody else may change the rest meanwhile. */
function changesOf<Facts extends object>(user: UserView, asked: Facts): Partial<Facts> {
  const before = user as unknown as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(asked).filter(([name, value]) =>
      JSON.stringify(value) !== JSON.stringify(before[name])
    ),
  ) as Partial<Facts>;
}

function radio(
  name: string,
  { label, hint, checked, choose }: {
    label: string;
    hint?: string;
    checked: boolean;
    choose: () => void;
  },
) {
  return html`
    <label class="choice">
      <input type="radio" name=${name} .checked=${live(checked)} @change=${choose}>
      <span>${label}${hint === undefined ? nothing : html`<small>${hint}</small>`}</span>
    </label>
  `;
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-user-dialog": BkgUserDialog;
  }
}
