// What a chat page shows of its chat: its messages, how to begin one, or that it is not here.
// Emits `bkg-suggest` (question), `bkg-regenerate`, `bkg-edit` (text), `bkg-new`.

import { css, html, LitElement } from "lit";
import { customElement, property } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { StoreController } from "../controllers/store_controller.ts";
import type { ChatModels } from "../stores/chat_models.ts";
import type { OwnChats } from "../stores/chats_of.ts";
import type { Home } from "../stores/homes.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-chat-start.ts";
import "./bkg-empty-state.ts";
import "./bkg-message-list.ts";

@customElement("bkg-conversation")
export class BkgConversation extends LitElement {
  @property({ attribute: false })
  accessor own!: OwnChats;
  /** Undefined: one that is not begun. */
  @property({ attribute: false })
  accessor chatId: string | undefined;
  @property({ attribute: false })
  accessor models!: ChatModels;
  @property({ attribute: false })
  accessor home: Home = "server";
  /** What there is to say while an answer has not begun. */
  @property({ attribute: false })
  accessor waiting: string | undefined;

  static override styles = [
    sharedStyles,
    css`
      :host {
        min-height: 100%;
      }
      :host([empty]) {
        display: grid;
      }
      .middle {
        display: grid;
        place-items: center;
        min-height: 100%;
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.own.chats, this.own.sync]);
  }

  override willUpdate(): void {
    const { chats } = this.own;
    const isHere = this.chatId !== undefined &&
      (chats.list === undefined || chats.chat(this.chatId) !== undefined);
    this.toggleAttribute("empty", !isHere);
  }

  override render() {
    const { chatId } = this;
    const { chats } = this.own;
    if (chatId === undefined) {
      return html`
        <bkg-chat-start
          .models=${this.models}
          .home=${this.home}
          @bkg-suggest=${(event: CustomEvent<string>) => this.#emit("bkg-suggest", event.detail)}
        ></bkg-chat-start>
      `;
    }
    if (chats.list !== undefined && chats.chat(chatId) === undefined) return this.#absent();
    return html`
      <bkg-message-list
        .chatId=${chatId}
        .messages=${chats.messages(chatId)}
        .waiting=${this.waiting}
        ?busy=${chats.running(chatId) !== undefined}
        @bkg-regenerate=${() => this.#emit("bkg-regenerate")}
        @bkg-edit=${(event: CustomEvent<string>) => this.#emit("bkg-edit", event.detail)}
      ></bkg-message-list>
    `;
  }

  #absent() {
    const { running, once } = this.own.sync.state;
    // On another device it may be on its way.
    if (running && !once) {
      return html`<p class="middle quiet" role="status">Fetching your chats…</p>`;
    }
    return html`
      <div class="middle">
        <bkg-empty-state
          icon="message"
          heading="This chat is not here"
          text="It was deleted, is another person's, or was not sent to the server yet by the browser in which it was begun."
        >
          <wa-button @click=${() => this.#emit("bkg-new")}>Begin a new chat</wa-button>
        </bkg-empty-state>
      </div>
    `;
  }

  #emit(name: string, detail?: string): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-conversation": BkgConversation;
  }
}
