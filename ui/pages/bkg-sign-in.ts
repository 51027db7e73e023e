// Signing in: one field for the single-use code or the whole link that holds it. The shell shows this page at
// whatever address was asked for, and shows that page as soon as the session is there.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/icon/icon.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import type WaInput from "@awesome.me/webawesome/dist/components/input/input.js";
import { type App, appContext } from "../app.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { readCode } from "../stores/sign_in_code.ts";
import { sharedStyles } from "../theme/shared_styles.ts";

@customElement("bkg-sign-in")
export class BkgSignIn extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor problem = "";
  @query("wa-input")
  private accessor input!: WaInput | null;

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

  override firstUpdated(): void {
    // A phone's keyboard must not hide what the page says before it is asked for.
    if (matchMedia("(pointer: fine)").matches) {
      void this.input?.updateComplete.then(() => this.input?.focus());
    }
  }

  override render() {
    const { notice, signingIn } = this.app.session;
    const problem = this.problem || (notice === undefined ? "" : `${notice}.`);
    return html`
      <main>
        <header>
          <img src="assets/icon.svg" alt="" width="48" height="48">
          <h1>Sign in to bkg</h1>
          <p class="quiet">Your AI plugins, on your own server.</p>
        </header>
        <form class="card" @submit=${this.#submit} novalidate>
          <wa-input
            class=${problem === "" ? nothing : "refused"}
            name="code"
            label="Sign-in link or code"
            hint=${problem ||
              "Paste the link that the server printed. It works once, within 15 minutes."}
            placeholder="${new URL(".", document.baseURI).host}/#code=…"
            autocomplete="one-time-code"
            autocapitalize="off"
            autocorrect="off"
            .spellcheck=${false}
            enterkeyhint="go"
            ?disabled=${signingIn}
            @input=${() => this.problem = ""}
            @keydown=${this.#submitOnEnter}
          ></wa-input>
          <p role="alert" class="visually-hidden">${problem}</p>
          <wa-button type="submit" variant="brand" ?loading=${signingIn} ?disabled=${signingIn}>
            ${signingIn ? "Signing in…" : "Sign in"}
          </wa-button>
        </form>
        <section class="stack quiet" aria-labelledby="how">
          <h2 id="how">Where is my link?</h2>
          <ol>
            <li>The server prints one when it starts.</li>
            <li>On the server's machine, <code>bkg login</code> prints another.</li>
          </ol>
        </section>
      </main>
    `;
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
    const text = this.input?.value ?? "";
    const code = readCode(text);
    this.problem = "";
    if (code === undefined) {
      this.#refuse(
        text.trim() === "" ? "Paste a link or a code first." : "This is no sign-in link or code.",
      );
      return;
    }
    try {
      await this.app.session.signIn(code);
    } catch {
      // The session's notice says why.
      this.#refuse("");
    }
  }

  #refuse(problem: string): void {
    this.problem = problem;
    void this.updateComplete.then(() => this.input?.focus());
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-sign-in": BkgSignIn;
  }
}
