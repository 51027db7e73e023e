// What went wrong and what to do: the message, its code, "Try again" where that may help.
// The message may be plugin-authored: shown as text, capped. Default slot: further advice or actions.

import { css, html, LitElement, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { toAppError } from "../../plugins/runtime/contract/error.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText } from "./format.ts";
import "./icons.ts";

@customElement("bkg-error-notice")
export class BkgErrorNotice extends LitElement {
  /** What was thrown, or a WireError. Nothing is shown while it is undefined. */
  @property({ attribute: false })
  accessor error: unknown;
  /** What could not be done, such as "The plugin did not start". */
  @property()
  accessor heading = "Something went wrong";
  /** Shows "Try again". */
  @property({ attribute: false })
  accessor retry: (() => void) | undefined;
  @property({ attribute: "retry-label" })
  accessor retryLabel = "Try again";
  /** Shows a cross that takes the notice away. */
  @property({ attribute: false })
  accessor dismiss: (() => void) | undefined;

  static override styles = [
    sharedStyles,
    css`
      .notice {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr) auto;
        align-items: start;
        gap: var(--wa-space-2xs) var(--wa-space-s);
        padding: var(--wa-space-s) var(--wa-space-m);
        border: var(--wa-border-width-s) solid var(--wa-color-danger-border-normal);
        border-radius: var(--bkg-card-radius);
        background: var(--wa-color-danger-fill-quiet);
      }
      .icon {
        margin-block-start: 0.2em;
        color: var(--wa-color-danger-on-quiet);
      }
      .text {
        display: grid;
        gap: var(--wa-space-3xs);
      }
      strong {
        font-weight: var(--wa-font-weight-semibold);
      }
      .message {
        max-height: 12rem;
        overflow: auto;
        white-space: pre-wrap;
        unicode-bidi: isolate;
        font-size: var(--wa-font-size-s);
      }
      .code {
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-xs);
      }
      .actions:not(:empty) {
        display: flex;
        flex-wrap: wrap;
        gap: var(--bkg-gap-s);
        margin-block-start: var(--wa-space-2xs);
      }
    `,
  ];

  override willUpdate(): void {
    // Takes no room, not even the gap of a grid, while there is nothing to say.
    this.hidden = this.error === undefined || this.error === null;
  }

  override render() {
    if (this.error === undefined || this.error === null) return nothing;
    const { message, code } = describe(this.error);
    return html`
      <div class="notice" role="alert">
        <wa-icon class="icon" name="circle-alert"></wa-icon>
        <div class="text">
          <strong>${this.heading}</strong>
          <div class="message wrap" dir="auto" tabindex=${message.length > 300
            ? "0"
            : nothing}>${message}</div>
          ${code === undefined ? nothing : html`<div class="code mono">${code}</div>`}
          <div class="actions">${this.retry === undefined ? nothing : html`
            <wa-button size="s" appearance="outlined" @click=${this.retry}>
              <wa-icon slot="start" name="refresh"></wa-icon>${this.retryLabel}
            </wa-button>
          `}</div>
          <slot></slot>
        </div>
        ${this.dismiss === undefined ? nothing : html`
          <wa-button size="s" appearance="plain" @click=${this.dismiss}>
            <wa-icon name="x" label="Dismiss"></wa-icon>
          </wa-button>
        `}
      </div>
    `;
  }
}

/** A sentence, with its full stop; the code unless it says nothing that the message does not. */
function describe(error: unknown): { message: string; code: string | undefined } {
  const { message, code } = typeof error === "object" && error !== null && "code" in error
    ? error as { message: string; code: string }
    : toAppError(error);
  const text = capText(String(message), 2000);
  return {
    message: /[.!?…]$/.test(text) || text === "" ? text : `${text}.`,
    code: code === "INTERNAL" || code === "CANCELLED" ? undefined : String(code),
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-error-notice": BkgErrorNotice;
  }
}
