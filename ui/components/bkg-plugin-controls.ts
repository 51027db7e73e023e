// Start, stop and restart of a plugin on the server. Buttons wait for the answer; a failure is told to the page by
// "bkg-failed", whose detail is the error, or null when the next try begins.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText } from "./format.ts";
import "./icons.ts";

type Action = "start" | "stop" | "restart";

@customElement("bkg-plugin-controls")
export class BkgPluginControls extends LitElement {
  @property({ attribute: false })
  accessor plugin!: PluginView;
  /** Icons without words. */
  @property({ type: Boolean })
  accessor compact = false;
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor pending: Action | undefined;

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: inline-flex;
        gap: var(--wa-space-2xs);
      }
    `,
  ];

  override render() {
    const { status } = this.plugin;
    const up = status === "running" || status === "starting" || this.pending === "restart";
    return up
      ? [
        this.#button("restart", { disabled: status !== "running" }),
        this.#button("stop", { disabled: false }),
      ]
      : this.#button("start", { disabled: status === "stopping" });
  }

  #button(action: Action, { disabled }: { disabled: boolean }) {
    const { icon, word } = actions[action];
    const name = `${word} ${capText(this.plugin.name, 100)}`;
    return html`
      <wa-button
        size="s"
        appearance=${this.compact ? "plain" : "outlined"}
        ?loading=${this.pending === action}
        ?disabled=${disabled || (this.pending !== undefined && this.pending !== action)}
        title=${this.compact ? word : nothing}
        @click=${() => this.#run(action)}
      >
        ${this.compact
          ? html`<wa-icon name=${icon} label=${name}></wa-icon>`
          : html`<wa-icon slot="start" name=${icon}></wa-icon>${word}`}
      </wa-button>
    `;
  }

  async #run(action: Action): Promise<void> {
    if (this.pending !== undefined) return;
    this.pending = action;
    this.#tell(null);
    try {
      await this.app.api.send(
        "POST",
        `/api/plugins/${encodeURIComponent(this.plugin.id)}/${action}`,
      );
    } catch (error) {
      this.#tell(error);
    } finally {
      this.pending = undefined;
    }
  }

  #tell(error: unknown): void {
    this.dispatchEvent(new CustomEvent("bkg-failed", { detail: error }));
  }
}

const actions: Readonly<Record<Action, { icon: string; word: string }>> = {
  start: { icon: "play", word: "Start" },
  stop: { icon: "stop", word: "Stop" },
  restart: { icon: "restart", word: "Restart" },
};

declare global {
  interface HTMLElementTagNameMap {
    "bkg-plugin-controls": BkgPluginControls;
  }
}
