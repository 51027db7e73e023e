// What a chat shows before its first question: something to begin with, or where models come from.
// Emits `bkg-suggest` with a question to ask.

import { css, html, LitElement, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { ChatModels } from "../stores/chat_models.ts";
import type { Home } from "../stores/homes.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-empty-state.ts";
import { capText } from "./format.ts";
import "./icons.ts";

@customElement("bkg-chat-start")
export class BkgChatStart extends LitElement {
  @property({ attribute: false })
  accessor models!: ChatModels;
  @property({ attribute: false })
  accessor home: Home = "server";

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: grid;
        align-content: center;
        justify-items: center;
        gap: var(--wa-space-l);
        min-height: 100%;
        padding-block: var(--wa-space-xl);
        text-align: center;
      }
      h2 {
        font-size: var(--wa-font-size-xl);
        letter-spacing: -0.02em;
      }
      p {
        max-width: 30rem;
        margin-block-start: var(--wa-space-2xs);
        text-wrap: balance;
      }
      .actions {
        display: flex;
        flex-wrap: wrap;
        justify-content: center;
        gap: var(--bkg-gap-s);
      }
      .suggestions {
        display: flex;
        flex-wrap: wrap;
        justify-content: center;
        gap: var(--wa-space-xs);
        max-width: 38rem;
      }
      .suggestions button {
        min-height: 2.25rem;
        padding: var(--wa-space-2xs) var(--wa-space-m);
        border: var(--bkg-card-border);
        border-radius: 1.25rem;
        background: var(--wa-color-surface-raised);
        color: var(--wa-color-text-normal);
        font: inherit;
        font-size: var(--wa-font-size-s);
        cursor: pointer;
      }
      .suggestions button:hover {
        background: var(--bkg-hover);
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.models]);
  }

  override render() {
    return this.models.list?.length === 0 ? this.#noModels() : this.#begin();
  }

  #noModels() {
    const { error, loading } = this.models;
    return html`
      <bkg-empty-state
        icon=${error === undefined ? "box" : "wifi-off"}
        heading=${error === undefined ? "No model yet" : "The models could not be read"}
        text=${error === undefined
          ? "Choose one that fits this machine, or put GGUF files into the folder “models” of the server's data folder, and look again."
          : `${
            capText(error.message, 300)
          }. Models that are in this browser already can be asked without the server.`}
      >
        <div class="actions">
          ${error === undefined
            ? html`<wa-button variant="brand" href="welcome">Choose a model</wa-button>`
            : nothing}
          <wa-button ?loading=${loading} @click=${() => this.models.load()}>
            <wa-icon slot="start" name="refresh"></wa-icon>Look again
          </wa-button>
        </div>
      </bkg-empty-state>
    `;
  }

  #begin() {
    return html`
      <div>
        <h2>What is on your mind?</h2>
        <p class="quiet">
          ${this.home === "browser"
            ? "The model runs in this browser. Your chats are kept on your own server, for you alone."
            : "The model runs on your own server, which keeps your chats for you alone."}
        </p>
      </div>
      <div class="suggestions">
        ${suggestions.map((text) =>
          html`<button type="button" @click=${() => this.#suggest(text)}>${text}</button>`
        )}
      </div>
    `;
  }

  #suggest(text: string): void {
    this.dispatchEvent(new CustomEvent("bkg-suggest", { detail: text }));
  }
}

const suggestions = [
  "Tell me a story about a fox and a lantern.",
  "Write a short poem about the sea.",
  "Explain how a heat pump works.",
];

declare global {
  interface HTMLElementTagNameMap {
    "bkg-chat-start": BkgChatStart;
  }
}
