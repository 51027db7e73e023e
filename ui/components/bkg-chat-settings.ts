// How a chat's answers are made, beside the model: its sampling, and the way from there to a preset.
// Emits `bkg-sampling` as bkg-sampling does, `bkg-save-preset`.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { PluginConfig } from "../../plugins/runtime/host/host.ts";
import { type App, appContext } from "../app.ts";
import type { Sampling } from "../stores/chat.ts";
import type { Preset } from "../stores/chat_presets.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-sampling.ts";
import "./icons.ts";

@customElement("bkg-chat-settings")
export class BkgChatSettings extends LitElement {
  @consume({ context: appContext })
  accessor app!: App;
  @property({ attribute: false })
  accessor sampling: Sampling = {};
  @property({ attribute: false })
  accessor preset: Preset | undefined;
  /** The plugin that answers; its settings are what empty fields stand for. */
  @property({ attribute: false })
  accessor plugin = "";
  @state()
  private accessor settings: Readonly<Record<string, unknown>> = {};

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: grid;
        gap: var(--wa-space-l);
        grid-template-columns: minmax(0, 1fr);
      }
      .save {
        display: grid;
        gap: var(--wa-space-2xs);
        justify-items: start;
        padding-block-start: var(--wa-space-l);
        border-block-start: var(--bkg-card-border);
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  override render() {
    return html`
      ${this.preset === undefined ? nothing : html`
        <p class="quiet small wrap">
          The preset “${this.preset
            .name}” comes first. What is set here wins over its numbers, and is
          told after its system prompt.
        </p>
      `}
      <bkg-sampling
        .sampling=${this.sampling}
        .defaults=${{ ...this.settings, ...this.preset?.parameters }}
        @bkg-sampling=${(event: CustomEvent<Sampling>) => this.#emit("bkg-sampling", event.detail)}
      ></bkg-sampling>
      <div class="save">
        <wa-button appearance="outlined" @click=${() => this.#emit("bkg-save-preset")}>
          <wa-icon slot="start" name="sparkles"></wa-icon>Save as preset
        </wa-button>
        <span class="quiet small">The model with these settings, under a name of its own.</span>
      </div>
    `;
  }

  #emit(name: string, detail?: Sampling): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  async #load(): Promise<void> {
    try {
      const path = `/api/plugins/${encodeURIComponent(this.plugin)}/config`;
      this.settings = (await this.app.api.get<PluginConfig>(path)).settings;
    } catch {
      // Without them, empty fields say "as set".
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-chat-settings": BkgChatSettings;
  }
}
