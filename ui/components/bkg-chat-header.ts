// Above a conversation: its title, who is asked and where, and what else can be done with it.
// Emits `bkg-chats` (open the list), `bkg-settings`, `bkg-new`, `bkg-presets`; the picker's events pass through.

import { css, html, LitElement, nothing } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/dropdown/dropdown.js";
import "@awesome.me/webawesome/dist/components/dropdown-item/dropdown-item.js";
import type WaDropdownItem from "@awesome.me/webawesome/dist/components/dropdown-item/dropdown-item.js";
import type { Progress } from "../local/local_host.ts";
import type { ChatModel } from "../stores/chat_models.ts";
import type { Preset } from "../stores/chat_presets.ts";
import { toJsonFile, toMarkdownFile } from "../stores/chat_export.ts";
import type { WholeChat } from "../stores/chat_storage.ts";
import type { Home } from "../stores/homes.ts";
import { iconButtonStyles } from "../theme/icon_button_styles.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-home-switch.ts";
import "./bkg-model-picker.ts";
import { capText } from "./format.ts";
import "./icons.ts";
import { saveFile } from "./save_file.ts";

@customElement("bkg-chat-header")
export class BkgChatHeader extends LitElement {
  @property()
  accessor heading = "";
  /** This and the next: undefined while they are read. */
  @property({ attribute: false })
  accessor models: readonly ChatModel[] | undefined;
  @property({ attribute: false })
  accessor presets: readonly Preset[] | undefined;
  @property({ attribute: false })
  accessor model: string | undefined;
  /** The id of the preset that is asked by. */
  @property({ attribute: false })
  accessor preset: string | undefined;
  /** How far a model's way into this browser is. */
  @property({ attribute: false })
  accessor download: (modelId: string) => Progress | undefined = () => undefined;
  @property({ attribute: false })
  accessor home: Home = "server";
  @property({ attribute: false })
  accessor plugin = "";
  /** Whether the chat's settings differ from the plugin's. */
  @property({ type: Boolean })
  accessor changed = false;
  /** What can be exported now; undefined while there is nothing. */
  @property({ attribute: false })
  accessor whole: WholeChat | undefined;
  @query("h1")
  private accessor titleLine!: HTMLElement;

  static override styles = [
    sharedStyles,
    iconButtonStyles,
    css`
      header {
        display: flex;
        align-items: center;
        gap: var(--wa-space-2xs) var(--wa-space-s);
        min-height: 3.5rem;
        padding: var(--wa-space-2xs) var(--wa-space-m);
        border-block-end: var(--bkg-card-border);
      }
      h1 {
        flex: 1 1 8rem;
        font-size: var(--wa-font-size-m);
        line-height: 1.4;
        unicode-bidi: isolate;
        border-radius: var(--wa-border-radius-s);
      }
      h1:focus:not(:focus-visible) {
        outline: none;
      }
      .tools {
        display: flex;
        align-items: center;
        gap: var(--wa-space-2xs) var(--wa-space-s);
        min-width: 0;
      }
      .buttons {
        display: flex;
        flex: none;
      }
      bkg-model-picker {
        max-width: 18rem;
      }
      bkg-home-switch {
        flex: none;
        max-width: 14rem;
      }
      .icon {
        position: relative;
        width: 2.25rem;
        height: 2.25rem;
        font-size: 1.125rem;
      }
      .icon.changed::after {
        content: "";
        position: absolute;
        inset: 0.3125rem 0.3125rem auto auto;
        width: 0.4375rem;
        height: 0.4375rem;
        border-radius: 50%;
        background: var(--wa-color-brand-fill-loud);
      }
      .narrow {
        display: none;
      }
      @media (max-width: 64rem) {
        .narrow {
          display: grid;
        }
      }
      @media (max-width: 48rem) {
        header {
          flex-wrap: wrap;
          padding-inline: var(--wa-space-xs);
        }
        h1 {
          flex-basis: calc(100% - 13rem);
        }
        .tools {
          order: 1;
          flex: 1 1 100%;
          justify-content: space-between;
        }
      }
    `,
  ];

  /** As after a change of the page: screen readers read the title. */
  override focus(options?: FocusOptions): void {
    this.titleLine.focus(options);
  }

  override render() {
    const { changed } = this;
    return html`
      <header>
        <button
          type="button"
          class="icon narrow"
          aria-label="Chats"
          title="Chats"
          @click=${() => this.#emit("bkg-chats")}
        ><wa-icon name="menu"></wa-icon></button>
        <h1 tabindex="-1" class="clip" dir="auto" title=${this.heading}>${capText(
          this.heading,
          200,
        )}</h1>
        <div class="tools">
          <bkg-model-picker
            .models=${this.models}
            .presets=${this.presets}
            .value=${this.model}
            .preset=${this.preset}
            .home=${this.home}
            .download=${this.download}
          ></bkg-model-picker>
          <bkg-home-switch terse .pluginId=${this.plugin} .name=${"chat"}></bkg-home-switch>
        </div>
        <div class="buttons">
          <button
            type="button"
            class="icon ${changed ? "changed" : ""}"
            aria-label="Settings of this chat${changed ? ", changed" : ""}"
            title="Settings of this chat"
            @click=${() => this.#emit("bkg-settings")}
          ><wa-icon name="sliders"></wa-icon></button>
          ${this.whole === undefined ? nothing : this.#menu()}
          <a class="icon narrow" href="chats" aria-label="New chat" title="New chat"
            @click=${this.#new}><wa-icon name="message-plus"></wa-icon></a>
        </div>
      </header>
    `;
  }

  #menu() {
    return html`
      <wa-dropdown placement="bottom-end" @wa-select=${this.#selected}>
        <button
          slot="trigger"
          type="button"
          class="icon"
          aria-label="Export this chat"
          title="Export this chat"
        ><wa-icon name="download"></wa-icon></button>
        <wa-dropdown-item value="markdown">As Markdown, to read</wa-dropdown-item>
        <wa-dropdown-item value="json">As JSON, with all details</wa-dropdown-item>
      </wa-dropdown>
    `;
  }

  #selected(event: CustomEvent<{ item: WaDropdownItem }>): void {
    if (this.whole === undefined) return;
    const isJson = event.detail.item.value === "json";
    saveFile(isJson ? toJsonFile(this.whole) : toMarkdownFile(this.whole));
  }

  #new(event: MouseEvent): void {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    this.#emit("bkg-new");
  }

  #emit(name: string): void {
    this.dispatchEvent(new CustomEvent(name));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-chat-header": BkgChatHeader;
  }
}
