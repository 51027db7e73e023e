// Says when the server is not there and when it is tried again. It floats above the page, so that nothing moves.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { type App, appContext } from "../app.ts";
import type { LiveState } from "../api/live.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText } from "./format.ts";
import "./icons.ts";

@customElement("bkg-connection-notice")
export class BkgConnectionNotice extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  /** Whole seconds until the next try. */
  @state()
  private accessor seconds = 0;
  /** Shown for a moment after the server came back. */
  @state()
  private accessor back = false;

  #timer: ReturnType<typeof setInterval> | undefined;
  #wasLost = false;

  static override styles = [
    sharedStyles,
    css`
      :host {
        position: fixed;
        inset: var(--wa-space-s) 0 auto;
        z-index: 20;
        display: grid;
        justify-items: center;
        padding-inline: var(--wa-space-s);
        pointer-events: none;
      }
      .notice {
        display: flex;
        align-items: center;
        gap: var(--wa-space-xs);
        max-width: 100%;
        padding: var(--wa-space-xs) var(--wa-space-m);
        border: var(--bkg-card-border);
        border-radius: var(--wa-border-radius-pill);
        background: var(--wa-color-surface-raised);
        box-shadow: var(--bkg-shadow-float);
        font-size: var(--wa-font-size-s);
        pointer-events: auto;
      }
      .lost wa-icon {
        color: var(--wa-color-warning-on-quiet);
      }
      .refused wa-icon {
        color: var(--wa-color-danger-on-quiet);
      }
      .open wa-icon {
        color: var(--bkg-status-running);
      }
      strong {
        font-weight: var(--wa-font-weight-semibold);
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.app.live]);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopTimer();
  }

  override willUpdate(): void {
    const state = this.app.live.state;
    if (state.kind === "lost") {
      this.#wasLost = true;
      this.#count();
      this.#timer ??= setInterval(() => this.#count(), 250);
    } else {
      this.#stopTimer();
      if (state.kind === "open" && this.#wasLost) this.#sayBack();
    }
  }

  override render() {
    const state = this.app.live.state;
    // The live region is always there: a screen reader hears only what changes in one that it knows.
    return html`<div role="status">${this.#notice(state)}</div>`;
  }

  #notice(state: LiveState) {
    if (state.kind === "lost" || (state.kind === "connecting" && this.#wasLost)) {
      const when = state.kind === "connecting" || this.seconds <= 0
        ? "trying now"
        : `trying again in ${this.seconds} s`;
      return html`
        <div class="notice lost">
          <wa-icon name="wifi-off"></wa-icon>
          <span>
            <strong>The server is not reachable.</strong>
            <span class="quiet number" aria-hidden="true">${when}</span>
          </span>
        </div>
      `;
    }
    if (state.kind === "refused") {
      return html`
        <div class="notice refused">
          <wa-icon name="circle-alert"></wa-icon>
          <span class="wrap"><strong>Live updates have ended:</strong>
            ${capText(state.error.message, 200)}. Reload the page.</span>
        </div>
      `;
    }
    return this.back
      ? html`<div class="notice open"><wa-icon name="circle-check"></wa-icon>Connected again</div>`
      : nothing;
  }

  #count(): void {
    const state = this.app.live.state;
    if (state?.kind !== "lost") return;
    this.seconds = Math.max(0, Math.ceil((state.retryAtMs - Date.now()) / 1000));
  }

  #sayBack(): void {
    this.#wasLost = false;
    this.back = true;
    setTimeout(() => this.back = false, 3000);
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-connection-notice": BkgConnectionNotice;
  }
}
