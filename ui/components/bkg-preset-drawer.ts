// The drawer of presets: to choose one for the shown chat, and to make one of what that chat is asked with.
// Emits `bkg-close`.

import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/drawer/drawer.js";
import type { ChatChoice } from "../controllers/chat_choice.ts";
import type { ChatModel } from "../stores/chat_models.ts";
import type { Preset, PresetDraft, Presets } from "../stores/chat_presets.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-presets.ts";

@customElement("bkg-preset-drawer")
export class BkgPresetDrawer extends LitElement {
  /** `make`: begins with the form of a new one, which the chat takes for what it had. */
  @property({ attribute: false })
  accessor open: "list" | "make" | undefined;
  @property({ attribute: false })
  accessor choice!: ChatChoice;
  @property({ attribute: false })
  accessor presets!: Presets;
  @property({ attribute: false })
  accessor models: readonly ChatModel[] = [];
  /** What a new preset begins with, while one is made. */
  @state()
  private accessor draft: PresetDraft | undefined;

  static override styles = [
    sharedStyles,
    css`
      :host {
        /* It is no part of the layout that it stands in. */
        position: absolute;
      }
      wa-drawer {
        --size: min(24rem, 100vw - 2rem);
      }
    `,
  ];

  override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("open") || this.open === undefined) return;
    this.draft = this.open === "make" ? this.choice.draft() : undefined;
    void this.presets.load();
  }

  override render() {
    return html`
      <wa-drawer
        label=${this.draft === undefined ? "Presets" : "New preset"}
        light-dismiss
        ?open=${this.open !== undefined}
        @wa-after-hide=${(event: Event) => event.target === event.currentTarget && this.#close()}
      >
        ${this.open === undefined ? nothing : html`
          <bkg-presets
            .presets=${this.presets}
            .models=${this.models}
            .draft=${this.draft}
            ?making=${this.draft !== undefined}
            @bkg-making=${(event: CustomEvent<boolean>) =>
              this.draft = event.detail ? this.choice.draft() : undefined}
            @bkg-made=${(event: CustomEvent<Preset>) => this.#made(event.detail)}
            @bkg-preset=${(event: CustomEvent<string>) => {
              this.choice.choose({ preset: event.detail });
              this.#close();
            }}
          ></bkg-presets>
        `}
      </wa-drawer>
    `;
  }

  #made({ id }: Preset): void {
    if (this.open !== "make") return;
    this.choice.choose({ preset: id });
    // They are in the preset now, and would be told twice.
    this.choice.sampling = {};
    this.#close();
  }

  #close(): void {
    this.dispatchEvent(new CustomEvent("bkg-close"));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-preset-drawer": BkgPresetDrawer;
  }
}
