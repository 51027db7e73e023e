// Says that a part of the page failed in a way that nobody foresaw: a fault of ours must not pass in silence.
// Caller: main.ts.

import { css, html, LitElement, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { sharedStyles } from "../theme/shared_styles.ts";

/** Shows each error and rejection of `window` that nothing took. */
export function watchFaults(window: Window): void {
  const notice = document.createElement("bkg-fault-notice");
  document.body.append(notice);
  window.addEventListener("error", (event) => notice.show(event.error));
  window.addEventListener("unhandledrejection", (event) => notice.show(event.reason));
}

@customElement("bkg-fault-notice")
export class BkgFaultNotice extends LitElement {
  @state()
  private accessor text = "";

  static override styles = [
    sharedStyles,
    css`
      [role="alert"] {
        position: fixed;
        inset: auto var(--wa-space-m) var(--wa-space-m);
        z-index: 30;
        max-width: 32rem;
        margin-inline: auto;
      }
      .card {
        box-shadow: var(--wa-shadow-l);
      }
    `,
  ];

  show(thrown: unknown): void {
    // What a browser reports without an error is its own business, and a call that was ended is no fault.
    if (!(thrown instanceof Error) || thrown.name === "AbortError") return;
    if (thrown instanceof AppError && thrown.code === "CANCELLED") return;
    this.text = thrown instanceof AppError
      ? thrown.message.slice(0, 300)
      : "A part of this page failed. What you see may be incomplete";
  }

  override render() {
    return html`
      <div role="alert">
        ${this.text === "" ? nothing : html`
          <div class="card row spread">
            <span class="wrap" dir="auto">${this.text}.</span>
            <span class="row">
              <wa-button size="s" appearance="plain" @click=${() =>
                this.text = ""}>Dismiss</wa-button>
              <wa-button size="s" @click=${() => location.reload()}>Reload</wa-button>
            </span>
          </div>
        `}
      </div>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-fault-notice": BkgFaultNotice;
  }
}
