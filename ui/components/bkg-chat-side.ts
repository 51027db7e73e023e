// The list of chats with what is kept of them, at the side of a wide window and in a drawer of a narrow one.
// Emits as bkg-chat-list does: `bkg-open` (id; undefined is a new chat), `bkg-delete` (id).

import { css, html, LitElement } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { Api } from "../api/client.ts";
import { StoreController } from "../controllers/store_controller.ts";
import type { OwnChats } from "../stores/chats_of.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-chat-keeping.ts";
import "./bkg-chat-list.ts";

@customElement("bkg-chat-side")
export class BkgChatSide extends LitElement {
  @property({ attribute: false })
  accessor own!: OwnChats;
  @property({ attribute: false })
  accessor api!: Pick<Api, "fetch">;
  @property({ attribute: false })
  accessor current: string | undefined;

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: grid;
        grid-template: minmax(0, 1fr) auto / minmax(0, 1fr);
        height: 100%;
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.own.chats]);
  }

  override render() {
    const { chats, sync } = this.own;
    return html`
      <bkg-chat-list
        .chats=${chats.list}
        .current=${this.current}
        .isRunning=${(id: string) => chats.running(id) !== undefined}
        @bkg-new=${() => this.#emit("bkg-open")}
        @bkg-open=${(event: CustomEvent<string>) => this.#emit("bkg-open", event.detail)}
        @bkg-rename=${(event: CustomEvent<{ id: string; title: string }>) =>
          void chats.rename(event.detail.id, event.detail.title)}
        @bkg-delete=${(event: CustomEvent<string>) => this.#emit("bkg-delete", event.detail)}
      ></bkg-chat-list>
      <bkg-chat-keeping
        .chats=${chats}
        .sync=${sync}
        .api=${this.api}
        @bkg-delete-all=${() => this.#emit("bkg-open")}
      ></bkg-chat-keeping>
    `;
  }

  #emit(name: string, detail?: string): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-chat-side": BkgChatSide;
  }
}
