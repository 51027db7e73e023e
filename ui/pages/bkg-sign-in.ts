// Signing in: by name and password, by the single-use code or the whole link that holds it, or by an invitation, which
// asks for a first password. The shell shows this page at whatever address was asked for, and then that page.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { ifDefined } from "lit/directives/if-defined.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/icon/icon.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import type WaInput from "@awesome.me/webawesome/dist/components/input/input.js";
import { toAppError } from "../../plugins/runtime/contract/error.ts";
import { type App, appContext } from "../app.ts";
import { capText } from "../components/format.ts";
import { StoreController } from "../controllers/store_controller.ts";
import type { SignInWay } from "../stores/session.ts";
import { readCode } from "../stores/sign_in_code.ts";
import { sharedStyles } from "../theme/shared_styles.ts";

@customElement("bkg-sign-in")
export class BkgSignIn extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor problem = "";
  /** Undefined until it is known whether anybody has a password. */
  @state()
  private accessor way: Way | undefined;
  @state()
  private accessor hasPasswords = false;
  #shownInvitation: string | undefined;
  /** A notice that belongs to the other form. */
  #dismissed: string | undefined;

  constructor() {
    super();
    new StoreController(this, () => [this.app.session]);
  }

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: grid;
        min-height: 100dvh;
        place-items: center;
        padding: var(--wa-space-m);
      }
      main {
        width: 100%;
        max-width: 26rem;
        display: grid;
        gap: var(--wa-space-xl);
      }
      header {
        display: grid;
        justify-items: center;
        gap: var(--wa-space-s);
        text-align: center;
      }
      img {
        inline-size: 3rem;
        block-size: 3rem;
      }
      form {
        display: grid;
        gap: var(--wa-space-m);
      }
      /* Holds the place of two lines, so that nothing moves when it says another thing. */
      wa-input::part(hint) {
        min-height: 2lh;
        margin-block-start: var(--wa-space-xs);
        font-size: var(--wa-font-size-s);
        overflow-wrap: anywhere;
      }
      wa-input.refused::part(hint) {
        color: var(--wa-color-danger-on-quiet);
      }
      .other {
        justify-self: center;
        padding: var(--wa-space-2xs) var(--wa-space-s);
        border: 0;
        background: none;
        color: var(--wa-color-text-link);
        font: inherit;
        font-size: var(--wa-font-size-s);
        text-decoration: underline;
        cursor: pointer;
      }
      ol {
        display: grid;
        gap: var(--wa-space-s);
        padding-inline-start: var(--wa-space-l);
        font-size: var(--wa-font-size-s);
      }
      code {
        padding: 0.1em 0.35em;
        border-radius: var(--wa-border-radius-s);
        background: var(--wa-color-neutral-fill-quiet);
        font: var(--bkg-mono);
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#chooseWay();
  }

  /** The page is there at once; which of its forms comes with the server's answer. */
  async #chooseWay(): Promise<void> {
    const status = await this.app.api.get<{ password: boolean }>("/auth/status").catch(() => {});
    this.hasPasswords = status?.password === true;
    this.way ??= this.hasPasswords ? "password" : "code";
  }

  override updated(changed: Map<PropertyKey, unknown>): void {
    const { invitation } = this.app.session;
    if (!changed.has("way") && invitation === this.#shownInvitation) return;
    this.#shownInvitation = invitation;
    // A phone's keyboard must not hide what the page says before it is asked for.
    if (matchMedia("(pointer: fine)").matches) this.#focus();
  }

  override render() {
    const { session } = this.app;
    const { notice, signingIn, invitation, principal } = session;
    const isTold = notice !== undefined && notice !== this.#dismissed;
    const problem = this.problem || (isTold ? `${notice}.` : "");
    const way = invitation === undefined ? this.way : "invitation";
    return html`
      <main>
        <header>
          <img src="assets/icon.svg" alt="" width="48" height="48">
          <h1>${way === "invitation" ? "Welcome to bkg" : "Sign in to bkg"}</h1>
          <p class="quiet">Your AI plugins, on your own server.</p>
        </header>
        ${way === undefined ? nothing : html`
          <form class="card" @submit=${this.#submit} @keydown=${this.#submitOnEnter} novalidate>
            ${this.#fields(way, problem)}
            <p role="alert" class="visually-hidden">${problem}</p>
            <wa-button type="submit" variant="brand" ?loading=${signingIn} ?disabled=${signingIn}>
              ${signingIn ? "Signing in…" : submits[way]}
            </wa-button>
          </form>
        `}
        ${this.#below(way, principal?.name)}
      </main>
    `;
  }

  #fields(way: Way, problem: string) {
    const { signingIn } = this.app.session;
    const field = (name: string, label: string, options: FieldOptions) =>
      html`
        <wa-input
          class=${problem === "" || options.hint === undefined ? nothing : "refused"}
          name=${name}
          label=${label}
          type=${options.type ?? "text"}
          ?password-toggle=${options.type === "password"}
          hint=${ifDefined(options.hint === undefined ? undefined : problem || options.hint)}
          placeholder=${options.placeholder ?? ""}
          autocomplete=${options.autocomplete}
          autocapitalize="off"
          autocorrect="off"
          .spellcheck=${false}
          enterkeyhint="go"
          maxlength="1000"
          ?disabled=${signingIn}
          @input=${() => this.problem = ""}
        ></wa-input>
      `;
    switch (way) {
      case "password":
        return [
          field("name", "Name", { autocomplete: "username" }),
          field("password", "Password", {
            type: "password",
            autocomplete: "current-password",
            hint: "Who forgot it asks an administrator for a new link.",
          }),
        ];
      case "invitation":
        return field("password", "Choose a password", {
          type: "password",
          autocomplete: "new-password",
          hint: "At least 10 characters. A few words in a row are easy to keep.",
        });
      case "code":
        return field("code", "Sign-in link or code", {
          autocomplete: "one-time-code",
          placeholder: `${new URL(".", document.baseURI).host}/#code=…`,
          hint: "Paste the link that the server printed. It works once, within 15 minutes.",
        });
      default:
        return way satisfies never;
    }
  }

  #below(way: Way | undefined, name: string | undefined) {
    const link = (label: string, click: () => void) =>
      html`<button class="other" type="button" @click=${click}>${label}</button>`;
    switch (way) {
      case undefined:
        return nothing;
      case "password":
        return link("Sign in with a link or code", () => this.#change("code"));
      case "invitation":
        return link(
          name === undefined
            ? "Sign in as somebody else"
            : `Stay signed in as ${capText(name, 60)}`,
          () => this.app.session.setInvitation(undefined),
        );
      case "code":
        return html`
          ${!this.hasPasswords
            ? nothing
            : link("Sign in with a password", () => this.#change("password"))}
          <section class="stack quiet" aria-labelledby="how">
            <h2 id="how">Where is my link?</h2>
            <ol>
              <li>The server prints one when it starts.</li>
              <li>On the server's machine, <code>bkg login</code> prints another.</li>
            </ol>
          </section>
        `;
      default:
        return way satisfies never;
    }
  }

  #change(way: Way): void {
    this.problem = "";
    this.#dismissed = this.app.session.notice;
    this.way = way;
  }

  #submitOnEnter(event: KeyboardEvent): void {
    if (event.key === "Enter" && !event.isComposing) void this.#signIn(event);
  }

  #submit(event: Event): void {
    void this.#signIn(event);
  }

  async #signIn(event: Event): Promise<void> {
    event.preventDefault();
    if (this.app.session.signingIn) return;
    this.problem = "";
    this.#dismissed = undefined;
    const wanted = this.#readForm();
    if (typeof wanted === "string") return this.#refuse(wanted);
    if ("invitation" in wanted && !("password" in wanted)) {
      // The link was pasted and not opened.
      return this.app.session.setInvitation(wanted.invitation);
    }
    try {
      await this.app.session.signIn(wanted);
    } catch (error) {
      // While somebody is signed in, the session has no notice.
      this.#refuse(this.app.session.notice === undefined ? `${toAppError(error).message}.` : "");
    }
  }

  /** What to send, or what is missing. */
  #readForm(): SignInWay | { invitation: string } | string {
    const valueOf = (name: string) =>
      this.renderRoot.querySelector<WaInput>(`wa-input[name="${name}"]`)?.value ?? "";
    const { invitation } = this.app.session;
    const password = valueOf("password");
    if (invitation !== undefined) {
      return password === "" ? "Choose a password first." : { invitation, password };
    }
    if (this.way === "password") {
      const name = valueOf("name").trim();
      return name === "" || password === ""
        ? "Type your name and your password."
        : { name, password };
    }
    const text = valueOf("code");
    if (text.trim() === "") return "Paste a link or a code first.";
    return readCode(text) ?? "This is no sign-in link or code.";
  }

  #refuse(problem: string): void {
    this.problem = problem;
    void this.updateComplete.then(() => this.#focus());
  }

  /** The first field that is empty, else the last. */
  #focus(): void {
    const inputs = [...this.renderRoot.querySelectorAll<WaInput>("wa-input")];
    const input = inputs.find(({ value }) => !value) ?? inputs.at(-1);
    void input?.updateComplete.then(() => input.focus());
  }
}

type Way = "password" | "code" | "invitation";

interface FieldOptions {
  type?: "text" | "password";
  autocomplete: string;
  placeholder?: string;
  /** Where a problem is told, in its place. */
  hint?: string;
}

const submits: Record<Way, string> = {
  password: "Sign in",
  code: "Sign in",
  invitation: "Set the password and sign in",
};

declare global {
  interface HTMLElementTagNameMap {
    "bkg-sign-in": BkgSignIn;
  }
}
