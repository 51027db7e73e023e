// The conversations, newest first, by day; each can be renamed and deleted.
// Emits `bkg-open` (id), `bkg-rename` ({id, title}), `bkg-delete` (id), `bkg-new`.

import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Chat } from "../stores/chat.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { groupByDay } from "./chat_days.ts";
import { capText } from "./format.ts";
import "./icons.ts";

@customElement("bkg-chat-list")
export class BkgChatList extends LitElement {
  /** Newest first; undefined while they are read. */
  @property({ attribute: false })
  accessor chats: readonly Chat[] | undefined;
  @property({ attribute: false })
  accessor current: string | undefined;
  /** Whether an answer is being made in a chat. */
  @property({ attribute: false })
  accessor isRunning: (chatId: string) => boolean = () => false;
  @state()
  private accessor wanted = "";
  @state()
  private accessor renaming: string | undefined;
  @state()
  private accessor maxShown = firstShown;
  @query(".rename")
  private accessor renameField!: HTMLInputElement | null;

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: flex;
        flex-direction: column;
        gap: var(--wa-space-s);
        min-height: 0;
      }
      .new {
        display: flex;
        align-items: center;
        justify-content: center;
        gap: var(--wa-space-xs);
        min-height: 2.375rem;
        flex: none;
        border: var(--bkg-card-border);
        border-radius: var(--wa-border-radius-m);
        background: var(--wa-color-surface-raised);
        color: var(--wa-color-text-normal);
        font: inherit;
        font-size: var(--wa-font-size-s);
        font-weight: var(--wa-font-weight-semibold);
        text-decoration: none;
      }
      .new:hover {
        background: var(--bkg-hover);
      }
      .search {
        position: relative;
        flex: none;
      }
      .search wa-icon {
        position: absolute;
        inset: 0 auto 0 var(--wa-space-xs);
        margin-block: auto;
        height: 1em;
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-s);
        pointer-events: none;
      }
      input {
        width: 100%;
        min-height: 2.125rem;
        padding: 0 var(--wa-space-xs);
        border: var(--wa-border-width-s) solid var(--bkg-control-border);
        border-radius: var(--wa-border-radius-m);
        background: var(--wa-color-surface-raised);
        color: inherit;
        font: inherit;
        font-size: var(--wa-font-size-s);
      }
      .search input {
        padding-inline-start: calc(var(--wa-space-xs) * 2 + 1em);
      }
      .list {
        flex: 1;
        min-height: 0;
        overflow-y: auto;
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        align-content: start;
        gap: var(--wa-space-m);
        margin-inline: calc(-1 * var(--wa-space-2xs));
        padding-inline: var(--wa-space-2xs);
        padding-block-end: var(--wa-space-s);
        scrollbar-width: thin;
      }
      h2 {
        padding: 0 var(--wa-space-xs) var(--wa-space-2xs);
        font: var(--bkg-label);
        color: var(--wa-color-text-quiet);
        letter-spacing: 0;
      }
      ul {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 0.0625rem;
        padding: 0;
        list-style: none;
      }
      li {
        position: relative;
        display: flex;
        align-items: center;
        min-height: 2.25rem;
        border-radius: var(--wa-border-radius-m);
        content-visibility: auto;
        contain-intrinsic-size: auto 2.25rem;
      }
      li:hover,
      li:focus-within {
        background: var(--bkg-hover);
      }
      li.current {
        background: var(--bkg-selected);
      }
      li > a {
        flex: 1;
        padding: 0.4375rem var(--wa-space-xs);
        border-radius: inherit;
        color: var(--wa-color-text-normal);
        font-size: var(--wa-font-size-s);
        text-decoration: none;
      }
      .running {
        flex: none;
        width: 0.5rem;
        height: 0.5rem;
        margin-inline-end: var(--wa-space-xs);
        border-radius: 50%;
        background: var(--bkg-status-starting);
        animation: pulse 1.4s ease-in-out infinite alternate;
      }
      @keyframes pulse {
        to {
          opacity: 0.3;
        }
      }
      .actions {
        display: none;
        flex: none;
        padding-inline-end: 0.125rem;
      }
      li:hover .actions,
      li:focus-within .actions,
      li.current .actions {
        display: flex;
      }
      .actions button {
        display: grid;
        place-items: center;
        width: 1.75rem;
        height: 1.75rem;
        padding: 0;
        border: 0;
        border-radius: var(--wa-border-radius-s);
        background: none;
        color: var(--wa-color-text-quiet);
        font-size: 0.875rem;
        cursor: pointer;
      }
      .actions button:hover {
        background: var(--bkg-hover);
        color: var(--wa-color-text-normal);
      }
      .rename {
        margin: 0.125rem;
      }
      .none {
        padding: var(--wa-space-s) var(--wa-space-xs);
      }
      .more {
        border: 0;
        background: none;
        color: var(--wa-color-text-link);
        font: inherit;
        font-size: var(--wa-font-size-s);
        min-height: 2rem;
        cursor: pointer;
      }
      .skeleton {
        height: 2.25rem;
        border-radius: var(--wa-border-radius-m);
        background: var(--bkg-hover);
      }
    `,
  ];

  override render() {
    return html`
      <a class="new" href="chats" @click=${this.#new}>
        <wa-icon name="message-plus"></wa-icon>New chat
      </a>
      ${(this.chats?.length ?? 0) > manyChats || this.wanted !== ""
        ? html`
          <div class="search">
            <wa-icon name="search"></wa-icon>
            <input
              type="search"
              placeholder="Find a chat"
              aria-label="Find a chat by its title"
              .value=${this.wanted}
              @input=${(event: InputEvent) =>
                this.wanted = (event.target as HTMLInputElement).value}
            >
          </div>
        `
        : nothing}
      <nav class="list" aria-label="Chats">${this.#groups()}</nav>
    `;
  }

  override updated(changed: PropertyValues): void {
    if (changed.has("renaming") && this.renaming !== undefined) {
      this.renameField?.select();
    }
  }

  #groups() {
    if (this.chats === undefined) {
      return [1, 2, 3].map(() => html`<div class="skeleton" aria-hidden="true"></div>`);
    }
    const wanted = this.wanted.trim().toLowerCase();
    const found = this.chats.filter(({ title }) => title.toLowerCase().includes(wanted));
    if (found.length === 0) {
      return html`
        <p class="none quiet small">
          ${wanted === ""
            ? "Chats that you begin are listed here."
            : "No chat has this in its title."}
        </p>
      `;
    }
    const groups = groupByDay(found.slice(0, this.maxShown), Date.now());
    return html`
      ${groups.map(({ day, chats }) =>
        html`
          <section>
            <h2>${day}</h2>
            <ul>${repeat(chats, ({ id }) => id, (chat) => this.#item(chat))}</ul>
          </section>
        `
      )}
      ${found.length > this.maxShown
        ? html`
          <button type="button" class="more" @click=${() => this.maxShown += firstShown}>
            Show older chats
          </button>
        `
        : nothing}
    `;
  }

  #item({ id, title }: Chat) {
    const current = id === this.current;
    if (id === this.renaming) {
      return html`
        <li class="current">
          <input
            class="rename"
            dir="auto"
            maxlength="200"
            aria-label="New title"
            .value=${title}
            @keydown=${this.#renameKey}
            @blur=${this.#rename}
          >
        </li>
      `;
    }
    const name = capText(title, 100);
    return html`
      <li class=${current ? "current" : ""}>
        <a
          class="clip isolate"
          dir="auto"
          href="chats?id=${id}"
          title=${name}
          aria-current=${current ? "page" : nothing}
          @click=${(event: MouseEvent) => this.#open(event, id)}
        >${name}</a>
        ${this.isRunning(id)
          ? html`<span class="running" role="img" aria-label="An answer is being written"></span>`
          : nothing}
        <span class="actions">
          <button type="button" title="Rename" aria-label="Rename ${name}" @click=${() =>
            this.renaming = id}><wa-icon name="pencil"></wa-icon></button>
          <button type="button" title="Delete" aria-label="Delete ${name}" @click=${() =>
            this.#emit("bkg-delete", id)}><wa-icon name="trash"></wa-icon></button>
        </span>
      </li>
    `;
  }

  #renameKey(event: KeyboardEvent): void {
    if (event.isComposing) return;
    if (event.key === "Enter") this.#rename();
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.renaming = undefined;
  }

  #rename(): void {
    const id = this.renaming;
    const title = this.renameField?.value.trim() ?? "";
    this.renaming = undefined;
    if (id !== undefined && title !== "") this.#emit("bkg-rename", { id, title });
  }

  #open(event: MouseEvent, id: string): void {
    if (isPlainClick(event)) this.#emit("bkg-open", id, event);
  }

  #new(event: MouseEvent): void {
    if (isPlainClick(event)) this.#emit("bkg-new", undefined, event);
  }

  #emit(name: string, detail: unknown, cause?: Event): void {
    cause?.preventDefault();
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Whoever asks for a new tab or window gets one. */
function isPlainClick(event: MouseEvent): boolean {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
}

const manyChats = 7;
const firstShown = 200;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-chat-list": BkgChatList;
  }
}
