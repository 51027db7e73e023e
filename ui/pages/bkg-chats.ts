// Conversations with the models, at chats?id=<chat>. What runs belongs to the store: leaving the page ends nothing.

import { consume } from "@lit/context";
import { html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/drawer/drawer.js";
import { toAppError } from "../../plugins/runtime/contract/error.ts";
import { type App, appContext } from "../app.ts";
import "../components/bkg-chat-bars.ts";
import type { BkgChatHeader } from "../components/bkg-chat-header.ts";
import "../components/bkg-chat-header.ts";
import "../components/bkg-chat-settings.ts";
import "../components/bkg-chat-side.ts";
import type { BkgComposer } from "../components/bkg-composer.ts";
import "../components/bkg-composer.ts";
import "../components/bkg-conversation.ts";
import { nameDocument } from "../components/bkg-page-header.ts";
import "../components/bkg-preset-drawer.ts";
import { whyBlocked, whyWaiting } from "../components/chat_hindrances.ts";
import { capText } from "../components/format.ts";
import "../components/icons.ts";
import { AnswerEnd } from "../controllers/answer_end.ts";
import { ChatChoice } from "../controllers/chat_choice.ts";
import { DraftKeeper } from "../controllers/draft_keeper.ts";
import { FollowEnd } from "../controllers/follow_end.ts";
import { askHash } from "../controllers/new_chat.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { preloadRenderer } from "../markdown/block_list.ts";
import type { ChatMessage, Sampling } from "../stores/chat.ts";
import { type ChatModels, createChatModels } from "../stores/chat_models.ts";
import type { AskRequest, Chats } from "../stores/chats.ts";
import { chatHome, chatPlugin, chatsOf, type OwnChats } from "../stores/chats_of.ts";
import { createBrowserStorage } from "../stores/browser_storage.ts";
import type { Home } from "../stores/homes.ts";
import { iconButtonStyles } from "../theme/icon_button_styles.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { chatsStyles } from "./chats_styles.ts";

@customElement("bkg-chats")
export class BkgChats extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  /** The chat of the address; undefined is one that is not begun. */
  @state()
  private accessor chatId: string | undefined;
  @state()
  private accessor draft = "";
  @state()
  private accessor drawer: Drawer = "none";
  /** Why the last question was not taken. */
  @state()
  private accessor refused: string | undefined;
  @query("bkg-composer")
  private accessor composer!: BkgComposer;
  @query("bkg-chat-header")
  private accessor header!: BkgChatHeader;

  #own!: OwnChats;
  #models!: ChatModels;
  #homeSeen = "";
  readonly #drafts = new DraftKeeper(this, remembered);
  readonly #choice = new ChatChoice(this, {
    storage: remembered,
    chat: () => this.#chat,
    chats: () => this.#chats,
    models: () => this.#models,
    presets: () => this.#own.presets,
    chosen: () => this.refused = undefined,
  });
  readonly #ended = new AnswerEnd(this, {
    chatId: () => this.chatId,
    isRunning: () => this.#running !== undefined,
    lastMessage: () => this.#messages?.at(-1),
  });
  readonly #follow: FollowEnd = new FollowEnd(this, {
    scroller: (): HTMLElement | null => this.renderRoot.querySelector(".messages"),
    content: () => this.renderRoot.querySelector("bkg-conversation"),
  });

  static override styles = [sharedStyles, iconButtonStyles, chatsStyles];

  constructor() {
    super();
    new StoreController(this, () => {
      this.#own = chatsOf(this.app);
      this.#models ??= createChatModels(this.app);
      const { chats, sync, presets } = this.#own;
      return [chats, sync, presets, this.#models, this.app.homes, this.app.plugins];
    });
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("popstate", this.#readAddress);
    document.addEventListener("keydown", this.#escape);
    this.#readAddress();
    void this.#models.load();
    void this.#own.presets.load();
    void preloadRenderer();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("popstate", this.#readAddress);
    document.removeEventListener("keydown", this.#escape);
  }

  override firstUpdated(): void {
    if (location.hash === askHash) void this.#beginAsking();
  }

  override willUpdate(): void {
    const { homes } = this.app;
    // Another home, or a download that ended, means other models.
    const seen = `${homes.state(this.#plugin).kind} ${homes.local?.downloads.size ?? 0}`;
    if (this.#homeSeen !== "" && this.#homeSeen !== seen) void this.#models.load();
    this.#homeSeen = seen;
  }

  override render() {
    const title = this.#chat?.title ?? "New chat";
    return html`
      <aside>${this.#side()}</aside>
      <section class="chat" aria-label="Chat">
        <bkg-chat-header
          .heading=${title}
          .models=${this.#models.list}
          .download=${(id: string) => this.#models.download(id)}
          .presets=${this.#own.presets.list}
          .model=${this.#choice.model}
          .preset=${this.#choice.presetId}
          .home=${this.#home}
          .plugin=${this.#plugin}
          .whole=${this.#whole}
          ?changed=${this.#choice.isChanged}
          @bkg-chats=${() => this.drawer = "chats"}
          @bkg-settings=${() => this.drawer = "sampling"}
          @bkg-new=${() => this.#open(undefined)}
          @bkg-model=${(event: CustomEvent<string>) => this.#choice.choose({ model: event.detail })}
          @bkg-preset=${(event: CustomEvent<string>) =>
            this.#choice.choose({ preset: event.detail })}
          @bkg-presets=${() => this.drawer = "presets"}
        ></bkg-chat-header>
        <section class="messages" tabindex="0" aria-label="Conversation">
          <bkg-conversation
            .own=${this.#own}
            .chatId=${this.chatId}
            .models=${this.#models}
            .home=${this.#home}
            .waiting=${whyWaiting(this.#models.download(this.#choice.model ?? ""))}
            @bkg-suggest=${(event: CustomEvent<string>) => {
              this.#typed(event);
              this.composer.focus();
            }}
            @bkg-regenerate=${() => this.#again((request) => this.#chats.regenerate(request))}
            @bkg-edit=${(event: CustomEvent<string>) =>
              this.#again((request) => this.#chats.editLast(event.detail, request))}
            @bkg-new=${() => this.#open(undefined)}
          ></bkg-conversation>
        </section>
        <div class="foot">
          ${this.#follow.atEnd ? nothing : html`
            <button type="button" class="jump" aria-label="Jump to the end" title="Jump to the end"
              @click=${() => this.#follow.toEnd()}><wa-icon name="arrow-down"></wa-icon></button>
          `}
          <bkg-chat-bars .chats=${this.#chats} @bkg-undo=${this.#undone}></bkg-chat-bars>
          <bkg-composer
            .text=${this.draft}
            .blocked=${this.#blocked}
            ?running=${this.#running === "here"}
            label=${this.#chat === undefined ? "Message" : `Message in “${capText(title, 60)}”`}
            @bkg-draft=${this.#typed}
            @bkg-send=${(event: CustomEvent<string>) => this.#send(event.detail)}
            @bkg-stop=${this.#stop}
          ></bkg-composer>
        </div>
      </section>
      <div class="visually-hidden" role="status" aria-live="polite">${this.#ended.words}</div>
      ${this.#drawers()}
    `;
  }

  override updated(changed: PropertyValues): void {
    nameDocument(this.#chat?.title ?? "Chats");
    if (changed.has("chatId")) this.#follow.toEnd();
  }

  #side() {
    return html`
      <bkg-chat-side
        .own=${this.#own}
        .api=${this.app.api}
        .current=${this.chatId}
        @bkg-open=${(event: CustomEvent<string | undefined>) => this.#open(event.detail)}
        @bkg-delete=${(event: CustomEvent<string>) => this.#delete(event.detail)}
      ></bkg-chat-side>
    `;
  }

  #drawers() {
    // Of the one that is shown: another may have taken its place.
    const hidden = (name: Drawer) => ({ target, currentTarget }: Event) => {
      if (target === currentTarget && this.drawer === name) this.drawer = "none";
    };
    return html`
      <wa-drawer
        label="Chats"
        placement="start"
        light-dismiss
        ?open=${this.drawer === "chats"}
        @wa-after-hide=${hidden("chats")}
      >${this.drawer === "chats" ? this.#side() : nothing}</wa-drawer>
      <wa-drawer
        label="Settings of this chat"
        light-dismiss
        ?open=${this.drawer === "sampling"}
        @wa-after-hide=${hidden("sampling")}
      >
        ${this.drawer === "sampling"
          ? html`
            <bkg-chat-settings
              .sampling=${this.#choice.sampling}
              .preset=${this.#choice.preset}
              .plugin=${this.#plugin}
              @bkg-sampling=${(event: CustomEvent<Sampling>) =>
                this.#choice.sampling = event.detail}
              @bkg-save-preset=${() => this.drawer = "new-preset"}
            ></bkg-chat-settings>
          `
          : nothing}
      </wa-drawer>
      <bkg-preset-drawer
        .open=${this.drawer === "presets"
          ? "list"
          : this.drawer === "new-preset"
          ? "make"
          : undefined}
        .choice=${this.#choice}
        .presets=${this.#own.presets}
        .models=${this.#models.list ?? []}
        @bkg-close=${() => {
          if (/preset/.test(this.drawer)) this.drawer = "none";
        }}
      ></bkg-preset-drawer>
    `;
  }

  get #chats() {
    return this.#own.chats;
  }

  get #plugin(): string {
    return chatPlugin(this.app);
  }

  /** A chat that is not begun has one for each person. */
  get #draftKey(): string {
    return this.chatId ?? `new.${this.#own.owner}`;
  }

  get #home(): Home {
    return chatHome(this.app);
  }

  get #messages(): readonly ChatMessage[] | undefined {
    return this.chatId === undefined ? undefined : this.#chats.messages(this.chatId);
  }

  get #running(): "here" | "elsewhere" | undefined {
    return this.chatId === undefined ? undefined : this.#chats.running(this.chatId);
  }

  /** Undefined for one that is not begun, or not here. */
  get #chat() {
    return this.chatId === undefined ? undefined : this.#chats.chat(this.chatId);
  }

  get #blocked(): string | undefined {
    const { list } = this.#models;
    return this.refused ?? whyBlocked({
      running: this.#running,
      models: list,
      model: this.#choice.model,
      chat: this.#chat,
      presets: this.#own.presets.list,
      plugin: this.#home === "server" ? this.app.plugins.get(this.#plugin) : undefined,
    });
  }

  /** Only what has something to be exported. */
  get #whole() {
    const chat = this.#chat;
    const messages = this.#messages;
    return chat === undefined || !messages?.length ? undefined : { chat, messages };
  }

  readonly #readAddress = () => {
    const id = new URLSearchParams(location.search).get("id") ?? undefined;
    if (id !== this.chatId || !this.hasUpdated) this.#show(id);
  };

  readonly #escape = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || event.defaultPrevented || this.drawer !== "none") return;
    this.#stop();
  };

  #show(chatId: string | undefined): void {
    this.#drafts.flush();
    this.chatId = chatId;
    this.refused = undefined;
    this.draft = this.#drafts.read(this.#draftKey);
  }

  /** As a link would, without the detour over the router, which would take the focus. */
  #open(chatId: string | undefined): void {
    const path = chatId === undefined ? "chats" : `chats?id=${encodeURIComponent(chatId)}`;
    if (chatId !== this.chatId) history.pushState({}, "", new URL(path, document.baseURI));
    this.drawer = "none";
    this.#show(chatId);
    if (matchMedia("(pointer: fine)").matches) this.composer.focus();
    else this.header.focus({ preventScroll: true });
  }

  /** Whoever comes to ask finds the cursor where one types. */
  async #beginAsking(): Promise<void> {
    history.replaceState({}, "", new URL("chats", document.baseURI));
    await this.composer.updateComplete;
    // Elsewhere the keyboard would cover what there is to read.
    if (matchMedia("(pointer: fine)").matches) this.composer.focus();
  }

  #typed(event: CustomEvent<string>): void {
    this.draft = event.detail;
    this.refused = undefined;
    this.#drafts.keep(this.#draftKey, this.draft);
  }

  async #send(text: string): Promise<void> {
    const from = this.chatId;
    const draftKey = this.#draftKey;
    await this.#ask(async (request) => {
      const chatId = await this.#chats.send(text, request);
      if (this.chatId === from && this.draft.trim() === text) this.draft = "";
      this.#drafts.drop(draftKey);
      if (from !== undefined || this.chatId !== undefined) return;
      this.#choice.begun();
      history.replaceState({}, "", new URL(`chats?id=${chatId}`, document.baseURI));
      this.chatId = chatId;
    });
    this.#follow.toEnd();
  }

  /** Only of a chat that is begun, so that there is one. */
  #again(make: Chats["regenerate"]): void {
    const { chatId } = this;
    if (chatId !== undefined) void this.#ask((request) => make({ ...request, chatId }));
  }

  /** Asks with what is chosen; what is refused is said and can be tried again. */
  async #ask(ask: (request: AskRequest) => Promise<void>): Promise<void> {
    const { chatId } = this;
    try {
      await ask({ ...await this.#choice.request(), chatId });
      this.refused = undefined;
    } catch (error) {
      this.refused = toAppError(error).message;
    }
  }

  #stop(): void {
    if (this.chatId !== undefined) this.#chats.stop(this.chatId);
  }

  async #delete(chatId: string): Promise<void> {
    if (chatId === this.chatId) this.#open(undefined);
    this.#drafts.drop(chatId);
    await this.#chats.remove(chatId);
  }

  #undone(): void {
    this.#ended.words = "Undone";
    this.requestUpdate();
    this.composer.focus();
  }
}

type Drawer = "none" | "chats" | "sampling" | "presets" | "new-preset";

const remembered = createBrowserStorage({ open: () => localStorage, events: globalThis });

declare global {
  interface HTMLElementTagNameMap {
    "bkg-chats": BkgChats;
  }
}
