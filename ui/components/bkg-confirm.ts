// A question before something that cannot be taken back. It does what was asked for, says why that failed, and closes
// when it is done. The caller keeps the question; "bkg-close" says that it was answered.

import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/dialog/dialog.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-error-notice.ts";
import { dialogStyles } from "./dialog_styles.ts";

export interface Question {
  heading: string;
  /** What will be the case afterwards. */
  text: TemplateResult;
  /** On the button that does it. */
  label: string;
  danger?: boolean;
  /** Must be typed first. */
  typed?: string;
  run(): Promise<void>;
}

@customElement("bkg-confirm")
export class BkgConfirm extends LitElement {
  @property({ attribute: false })
  accessor question: Question | undefined;
  @state()
  private accessor busy = false;
  @state()
  private accessor error: unknown;
  @state()
  private accessor typed = "";
  @query("wa-button.no")
  private accessor cancelButton!: HTMLElement | null;

  /** Stays while the dialog goes away. */
  #shown: Question | undefined;

  static override styles = [
    sharedStyles,
    dialogStyles,
    css`
      .text {
        display: grid;
        gap: var(--wa-space-s);
        overflow-wrap: anywhere;
      }
    `,
  ];

  override willUpdate(): void {
    if (this.question === undefined || this.question === this.#shown) return;
    this.#shown = this.question;
    this.busy = false;
    this.error = undefined;
    this.typed = "";
  }

  override render() {
    const shown = this.#shown;
    if (shown === undefined) return nothing;
    const { heading, text, label, danger = false, typed } = shown;
    return html`
      <wa-dialog
        label=${heading}
        ?open=${this.question !== undefined}
        @wa-hide=${this.#hold}
        @wa-after-hide=${this.#close}
      >
        <div class="form">
          <div class="text">${text}</div>
          ${typed === undefined ? nothing : html`
            <wa-input autofocus
              label=${`Type ${typed} to go on`}
              autocomplete="off" autocapitalize="off" autocorrect="off" .spellcheck=${false}
              .value=${live(this.typed)}
              @input=${(event: Event) =>
                this.typed = (event.target as HTMLInputElement).value ?? ""}
            ></wa-input>
          `}
          <bkg-error-notice heading="That did not work" .error=${this.error}></bkg-error-notice>
        </div>
        <wa-button slot="footer" class="no" appearance="outlined" ?autofocus=${typed === undefined}
          ?disabled=${this.busy}
          @click=${this.#close}>Cancel</wa-button>
        <wa-button
          slot="footer" variant=${danger ? "danger" : "brand"} ?loading=${this.busy}
          ?disabled=${typed !== undefined && this.typed.trim() !== typed}
          @click=${this.#run}
        >${label}</wa-button>
      </wa-dialog>
    `;
  }

  /** What is being done is waited for. */
  #hold(event: Event): void {
    if (this.busy && event.target === event.currentTarget) event.preventDefault();
  }

  #close(event: Event): void {
    if (event.target !== event.currentTarget || this.question === undefined) return;
    this.dispatchEvent(new CustomEvent("bkg-close"));
  }

  async #run(): Promise<void> {
    const { question } = this;
    if (question === undefined || this.busy) return;
    this.busy = true;
    this.error = undefined;
    try {
      await question.run();
      this.busy = false;
      if (this.question === question) this.dispatchEvent(new CustomEvent("bkg-close"));
    } catch (error) {
      this.error = error;
      this.busy = false;
      await this.updateComplete;
      this.cancelButton?.focus();
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-confirm": BkgConfirm;
  }
}
