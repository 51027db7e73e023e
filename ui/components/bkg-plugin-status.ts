// The status of a plugin: a word and a dot, so that colour is never alone in saying it.

import { css, html, LitElement } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { PluginStatus } from "../../plugins/runtime/host/host.ts";

@customElement("bkg-plugin-status")
export class BkgPluginStatus extends LitElement {
  @property({ reflect: true })
  accessor status: PluginStatus = "stopped";
  /** A plugin that the operator disabled shows that instead of "Stopped". */
  @property({ type: Boolean })
  accessor disabled = false;
  /** It does not start before somebody consents to what it asks for. */
  @property({ type: Boolean, reflect: true })
  accessor waiting = false;
  /** It runs, and says at its health check that it is not well. */
  @property({ type: Boolean, reflect: true })
  accessor unhealthy = false;

  static override styles = css`
    :host {
      display: inline-flex;
      align-items: center;
      gap: 0.5em;
      font-size: var(--wa-font-size-s);
      font-weight: var(--wa-font-weight-semibold);
      line-height: 1.4;
      white-space: nowrap;
      --color: var(--bkg-status-stopped);
    }
    :host([status="stopped"][waiting]) {
      --color: var(--wa-color-warning-on-quiet);
    }
    :host([status="running"]) {
      --color: var(--bkg-status-running);
    }
    :host([status="starting"]),
    :host([status="stopping"]) {
      --color: var(--bkg-status-starting);
    }
    :host([status="error"]),
    :host([status="running"][unhealthy]) {
      --color: var(--bkg-status-error);
    }
    .dot {
      width: 0.6em;
      height: 0.6em;
      border: 0.15em solid var(--color);
      border-radius: 50%;
    }
    :host([status="running"]) .dot,
    :host([status="error"]) .dot {
      background: var(--color);
    }
    :host([status="running"]) .dot {
      box-shadow: 0 0 0 0.2em color-mix(in oklab, var(--color) 22%, transparent);
    }
    :host([status="error"]) .dot {
      border-radius: 0.1em;
      rotate: 45deg;
    }
    @media (prefers-reduced-motion: no-preference) {
      :host([status="starting"]) .dot,
      :host([status="stopping"]) .dot {
        animation: pulse 1s ease-in-out infinite alternate;
      }
    }
    @keyframes pulse {
      to {
        opacity: 0.4;
      }
    }
  `;

  override render() {
    const word = this.disabled && this.status === "stopped"
      ? "Disabled"
      : this.waiting && this.status === "stopped"
      ? "Needs consent"
      : this.unhealthy && this.status === "running"
      ? "Unhealthy"
      : words[this.status];
    return html`<span class="dot" aria-hidden="true"></span>${word}`;
  }
}

const words: Readonly<Record<PluginStatus, string>> = {
  stopped: "Stopped",
  starting: "Starting",
  running: "Running",
  stopping: "Stopping",
  error: "Error",
};

declare global {
  interface HTMLElementTagNameMap {
    "bkg-plugin-status": BkgPluginStatus;
  }
}
