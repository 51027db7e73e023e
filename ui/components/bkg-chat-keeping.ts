// Below the list of chats: whether the server has them, all of them as a file, and their end.
// Emits `bkg-delete-all`: the page has nothing to show any more.

import { css, html, LitElement, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/dialog/dialog.js";
import "@awesome.me/webawesome/dist/components/dropdown/dropdown.js";
import "@awesome.me/webawesome/dist/components/dropdown-item/dropdown-item.js";
import type WaDropdownItem from "@awesome.me/webawesome/dist/components/dropdown-item/dropdown-item.js";
import type { Api } from "../api/client.ts";
import { StoreController } from "../controllers/store_controller.ts";
import type { ChatSync } from "../stores/chat_sync.ts";
import type { Chats } from "../stores/chats.ts";
import { iconButtonStyles } from "../theme/icon_button_styles.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-error-notice.ts";
import { capText, formatCount } from "./format.ts";
import "./icons.ts";
import { saveFile } from "./save_file.ts";

@customElement("bkg-chat-keeping")
export class BkgChatKeeping extends LitElement {
  @property({ attribute: false })
  accessor chats!: Chats;
  @property({ attribute: false })
  accessor sync!: ChatSync;
  @property({ attribute: false })
  accessor api!: Pick<Api, "fetch">;
  @state()
  private accessor asking = false;
  @state()
  private accessor busy: "export" | "delete" | undefined;
  @state()
  private accessor failed: { heading: string; error: unknown } | undefined;
  @query("#menu")
  private accessor menuButton!: HTMLButtonElement;

  static override styles = [
    sharedStyles,
    iconButtonStyles,
    css`
      .line {
        display: flex;
        align-items: center;
        gap: var(--wa-space-xs);
        min-height: 2.5rem;
        padding-inline-start: var(--wa-space-xs);
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-xs);
      }
      .line > span {
        flex: 1;
        min-width: 0;
      }
      .line > wa-icon {
        flex: none;
        font-size: 0.875rem;
      }
      .waits {
        color: var(--wa-color-warning-on-quiet);
      }
      wa-dialog {
        --width: 30rem;
      }
      wa-dialog p + p,
      wa-dialog bkg-error-notice {
        margin-block-start: var(--wa-space-s);
      }
      .buttons {
        display: flex;
        flex-wrap: wrap;
        justify-content: end;
        gap: var(--wa-space-xs);
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.chats, this.sync]);
  }

  override render() {
    const { icon, text, waits, title } = this.#words();
    const isEmpty = (this.chats.list?.length ?? 0) === 0;
    return html`
      <bkg-error-notice
        .heading=${this.failed?.heading ?? ""}
        .error=${this.asking ? undefined : this.failed?.error}
        .dismiss=${() => this.failed = undefined}
      ></bkg-error-notice>
      <div class="line ${waits ? "waits" : ""}">
        <wa-icon name=${icon}></wa-icon>
        <span role="status" title=${title ?? nothing}>${text}</span>
        <wa-dropdown placement="top-end" @wa-select=${this.#selected}>
          <button
            id="menu"
            slot="trigger"
            type="button"
            class="icon"
            aria-label="All chats"
            title="All chats"
          ><wa-icon name="ellipsis"></wa-icon></button>
          <wa-dropdown-item value="export" ?disabled=${isEmpty || this.busy !== undefined}>
            <wa-icon slot="icon" name="download"></wa-icon>Export all chats
          </wa-dropdown-item>
          <wa-dropdown-item value="sync" ?disabled=${this.sync.state.running}>
            <wa-icon slot="icon" name="refresh"></wa-icon>Synchronize now
          </wa-dropdown-item>
          <wa-dropdown-item value="delete" variant="danger" ?disabled=${isEmpty}>
            <wa-icon slot="icon" name="trash"></wa-icon>Delete all chats
          </wa-dropdown-item>
        </wa-dropdown>
      </div>
      ${this.#dialog()}
    `;
  }

  #dialog() {
    const count = this.chats.list?.length ?? 0;
    return html`
      <wa-dialog
        label="Delete all chats?"
        ?open=${this.asking}
        @wa-hide=${this.#hiding}
      >
        <p>
          ${count === 1 ? "Your one chat is" : `All of your ${formatCount(count)} chats are`}
          deleted: on the server, in this browser, and in every other browser in which you are signed
          in, as soon as it is online.
        </p>
        <p>This cannot be undone. Presets and models stay.</p>
        <bkg-error-notice
          .heading=${this.failed?.heading ?? ""}
          .error=${this.asking ? this.failed?.error : undefined}
        ></bkg-error-notice>
        <div slot="footer" class="buttons">
          <wa-button
            appearance="outlined" ?disabled=${this.busy === "delete"}
            @click=${() => this.asking = false}
          >Cancel</wa-button>
          <wa-button
            appearance="outlined" ?loading=${this.busy === "export"}
            ?disabled=${this.busy !== undefined} @click=${() => void this.#export()}
          ><wa-icon slot="start" name="download"></wa-icon>Export first</wa-button>
          <wa-button
            variant="danger" ?loading=${this.busy === "delete"}
            ?disabled=${this.busy !== undefined} @click=${() => void this.#deleteAll()}
          >Delete all chats</wa-button>
        </div>
      </wa-dialog>
    `;
  }

  #words(): { icon: string; text: string; waits: boolean; title?: string } {
    const { running, unsent, refused, error, once } = this.sync.state;
    if (refused !== undefined) {
      return {
        icon: "warning",
        text: `A chat stays in this browser alone: ${capText(refused, 160)}`,
        waits: true,
      };
    }
    if (error !== undefined && !error.retryable && error.code !== "CANCELLED") {
      const text = `Not kept on the server: ${capText(error.message, 160)}`;
      return { icon: "warning", text, waits: true };
    }
    if (unsent > 0 && error !== undefined) {
      const chats = unsent === 1 ? "1 chat waits" : `${formatCount(unsent)} chats wait`;
      return {
        icon: "wifi-off",
        text: `${chats} for the server`,
        waits: true,
        title: error.message,
      };
    }
    if (error !== undefined) {
      return {
        icon: "wifi-off",
        text: "Not in touch with the server",
        waits: false,
        title: error.message,
      };
    }
    if (running && !once) return { icon: "refresh", text: "Fetching your chats", waits: false };
    return { icon: "check", text: "Kept on your server", waits: false };
  }

  #selected(event: CustomEvent<{ item: WaDropdownItem }>): void {
    const { value } = event.detail.item;
    if (value === "export") void this.#export();
    if (value === "sync") void this.sync.run();
    if (value === "delete") {
      this.failed = undefined;
      this.asking = true;
    }
  }

  /** Not while chats are being deleted: how that ends is to be seen. */
  #hiding(event: Event): void {
    if (event.target !== event.currentTarget) return;
    if (this.busy === "delete") event.preventDefault();
    else {
      this.asking = false;
      this.menuButton.focus();
    }
  }

  /** What waits here is sent first, so that it is in the file. */
  async #export(): Promise<void> {
    this.busy = "export";
    this.failed = undefined;
    try {
      await this.sync.run();
      const response = await this.api.fetch("/api/chats/export");
      saveFile({ name: "bkg-chats.json", blob: await response.blob() });
    } catch (error) {
      this.failed = { heading: "The chats could not be exported", error };
    } finally {
      this.busy = undefined;
    }
  }

  async #deleteAll(): Promise<void> {
    this.busy = "delete";
    this.failed = undefined;
    try {
      await this.chats.stopAll();
      await this.sync.deleteAll();
      this.chats.dismissUndo();
      this.busy = undefined;
      this.asking = false;
      this.dispatchEvent(new CustomEvent("bkg-delete-all"));
    } catch (error) {
      this.failed = { heading: "Nothing was deleted", error };
    } finally {
      this.busy = undefined;
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-chat-keeping": BkgChatKeeping;
  }
}
