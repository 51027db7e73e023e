// The messages of one chat, the newest at the end; earlier ones are shown when they are asked for.
// Caller: the chats page, which scrolls it. Fires bkg-regenerate and bkg-edit (the new question).

import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { ChatMessage } from "../stores/chat.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-message.ts";
import { formatCount } from "./format.ts";

@customElement("bkg-message-list")
export class BkgMessageList extends LitElement {
  static override styles = [
    sharedStyles,
    css`
      :host {
        display: grid;
        gap: var(--wa-space-l);
        grid-template-columns: minmax(0, 1fr);
        max-width: var(--bkg-reading-width);
        margin-inline: auto;
        padding-block: var(--wa-space-l) var(--wa-space-xl);
      }
      /* Room for focus rings: a message that is laid out lazily cuts what is outside of it. */
      bkg-message {
        margin-inline: -0.5rem;
        padding-inline: 0.5rem;
      }
      .lazy {
        content-visibility: auto;
        contain-intrinsic-size: auto 10rem;
      }
      .earlier {
        justify-self: center;
        min-height: 2.25rem;
        padding: 0 var(--wa-space-m);
        border: 0;
        border-radius: var(--wa-border-radius-m);
        background: none;
        color: var(--wa-color-text-link);
        font: inherit;
        font-size: var(--wa-font-size-s);
        font-weight: var(--wa-font-weight-semibold);
        cursor: pointer;
      }
      .skeleton-message {
        height: 4.5rem;
        border-radius: var(--bkg-card-radius);
        background: var(--bkg-hover);
      }
      .skeleton-message:nth-child(odd) {
        width: 45%;
        height: 2.5rem;
        margin-inline-start: auto;
      }
    `,
  ];

  /** Another chat begins with its newest messages again. */
  @property()
  accessor chatId: string | undefined;
  /** Undefined while they are read. */
  @property({ attribute: false })
  accessor messages: readonly ChatMessage[] | undefined;
  /** Whether an answer is being made in this chat. */
  @property({ type: Boolean })
  accessor busy = false;
  /** What there is to say while an answer has not begun. */
  @property({ attribute: false })
  accessor waiting: string | undefined;
  @state()
  private accessor maxShown = firstShown;

  override willUpdate(changed: PropertyValues): void {
    if (changed.has("chatId")) this.maxShown = firstShown;
  }

  override render() {
    const { messages } = this;
    if (messages === undefined) {
      return [1, 2, 3, 4].map(() => html`<i class="skeleton-message" aria-hidden="true"></i>`);
    }
    const lastQuestion = messages.findLast(({ role }) => role === "user")?.id;
    const last = messages.at(-1)?.id;
    const lazy = messages.length > manyMessages;
    const earlier = messages.length - this.maxShown;
    return html`
      ${earlier <= 0 ? nothing : html`
        <button type="button" class="earlier" @click=${() => this.maxShown += firstShown}>
          Show earlier messages (${formatCount(earlier)})
        </button>
      `}
      ${repeat(messages.slice(-this.maxShown), ({ id }) => id, (message) =>
        html`
          <bkg-message
            class=${lazy && message.id !== last ? "lazy" : ""}
            .message=${message}
            .waiting=${message.state === "running" && message.text === ""
              ? this.waiting
              : undefined}
            ?last=${message.id === last || message.id === lastQuestion}
            ?busy=${this.busy}
            @bkg-regenerate=${() => this.dispatchEvent(new CustomEvent("bkg-regenerate"))}
            @bkg-edit=${({ detail }: CustomEvent<string>) =>
              this.dispatchEvent(new CustomEvent("bkg-edit", { detail }))}
          ></bkg-message>
        `)}
    `;
  }
}

const manyMessages = 30;
const firstShown = 100;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-message-list": BkgMessageList;
  }
}
