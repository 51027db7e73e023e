// Conversations with the models, at chats?id=<chat>. What runs belongs to the store: leaving the page ends nothing.

import { consume } from "@lit/context";
import { html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/drawer/drawer.js";
import { toAppError } from "../../plugins/runtime/contract/error.ts";
import type { PluginConfig } from "../../plugins/runtime/host/host.ts";
import { type App, appContext } from "../app.ts";
import "../components/bkg-chat-list.ts";
import "../components/bkg-chat-start.ts";
import type { BkgComposer } from "../components/bkg-composer.ts";
import "../components/bkg-composer.ts";
import "../components/bkg-empty-state.ts";
import "../components/bkg-home-switch.ts";
import "../components/bkg-message-list.ts";
import "../components/bkg-model-picker.ts";
import { nameDocument } from "../components/bkg-page-header.ts";
import "../components/bkg-sampling.ts";
import { capText, formatBytes } from "../components/format.ts";
import "../components/icons.ts";
import { DraftKeeper } from "../controllers/draft_keeper.ts";
import { FollowEnd } from "../controllers/follow_end.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { preloadRenderer } from "../markdown/block_list.ts";
import type { ChatMessage, Sampling } from "../stores/chat.ts";
import { type ChatModels, createChatModels, defaultModel } from "../stores/chat_models.ts";
import type { Chats } from "../stores/chats.ts";
import { chatHome, chatPlugin, chatsOf } from "../stores/chats_of.ts";
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
  /** What a chat that is not begun will be asked with. */
  @state()
  private accessor sampling: Sampling = {};
  @state()
  private accessor model: string | undefined;
  @state()
  private accessor settings: Readonly<Record<string, unknown>> = {};
  @state()
  private accessor drawer: "none" | "chats" | "sampling" = "none";
  /** Why the last question was not taken. */
  @state()
  private accessor refused: string | undefined;
  /** Read out by screen readers. */
  @state()
  private accessor said = "";
  @query("bkg-composer")
  private accessor composer!: BkgComposer;

  #chats!: Chats;
  #models!: ChatModels;
  /** The shown chat, while it is being answered. */
  #ranIn: string | undefined;
  #homeSeen = "";
  readonly #drafts = new DraftKeeper(this, remembered);
  readonly #follow = new FollowEnd(this, {
    scroller: () => this.renderRoot.querySelector(".messages"),
    content: () => this.renderRoot.querySelector("bkg-message-list"),
  });

  static override styles = [sharedStyles, iconButtonStyles, chatsStyles];

  constructor() {
    super();
    new StoreController(this, () => {
      this.#chats = chatsOf(this.app);
      this.#models ??= createChatModels(this.app);
      return [this.#chats, this.#models, this.app.homes, this.app.plugins];
    });
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("popstate", this.#readAddress);
    document.addEventListener("keydown", this.#escape);
    this.model = remembered.get(modelKey);
    this.#readAddress();
    void this.#models.load();
    void preloadRenderer();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("popstate", this.#readAddress);
    document.removeEventListener("keydown", this.#escape);
  }

  override willUpdate(): void {
    const { homes } = this.app;
    // Another home, or a download that ended, means other models.
    const seen = `${homes.state(this.#plugin).kind} ${homes.local?.downloads.size ?? 0}`;
    if (this.#homeSeen !== "" && this.#homeSeen !== seen) void this.#models.load();
    this.#homeSeen = seen;
    const running = this.#running === undefined ? undefined : this.chatId;
    const ended = this.#ranIn !== undefined && running === undefined;
    if (ended && this.#ranIn === this.chatId) this.said = describeEnd(this.#messages?.at(-1));
    else if (running !== undefined) this.said = "";
    this.#ranIn = running;
  }

  override render() {
    const chat = this.chatId === undefined ? undefined : this.#chats.chat(this.chatId);
    const title = chat?.title ?? "New chat";
    return html`
      <aside>${this.#list()}</aside>
      <section class="chat" aria-label="Chat">
        <header>
          <button
            type="button"
            class="icon narrow"
            aria-label="Chats"
            title="Chats"
            @click=${() => this.drawer = "chats"}
          ><wa-icon name="menu"></wa-icon></button>
          <h1 tabindex="-1" class="clip" dir="auto" title=${title}>${capText(title, 200)}</h1>
          <div class="tools">
            <bkg-model-picker
              .models=${this.#models.list}
              .value=${this.#model}
              .home=${this.#home}
              .download=${(id: string) => this.#models.download(id)}
              @bkg-model=${this.#chooseModel}
            ></bkg-model-picker>
            <bkg-home-switch terse .pluginId=${this.#plugin} .name=${"chat"}></bkg-home-switch>
          </div>
          <button
            type="button"
            class="icon ${isChanged(this.#sampling) ? "changed" : ""}"
            aria-label="Settings of this chat${isChanged(this.#sampling) ? ", changed" : ""}"
            title="Settings of this chat"
            @click=${this.#openSampling}
          ><wa-icon name="sliders"></wa-icon></button>
          <a class="icon narrow" href="chats" aria-label="New chat" title="New chat"
            @click=${this
              .#newByLink}><wa-icon name="message-plus"></wa-icon></a>
        </header>
        <section class="messages" tabindex="0" aria-label="Conversation">${this
          .#conversation()}</section>
        <div class="foot">
          ${this.#follow.atEnd ? nothing : html`
            <button type="button" class="jump" aria-label="Jump to the end" title="Jump to the end"
              @click=${() => this.#follow.toEnd()}><wa-icon name="arrow-down"></wa-icon></button>
          `}
          ${this.#bars()}
          <bkg-composer
            .text=${this.draft}
            .blocked=${this.#blocked}
            ?running=${this.#running === "here"}
            label=${chat === undefined ? "Message" : `Message in “${capText(title, 60)}”`}
            @bkg-draft=${this.#typed}
            @bkg-send=${(event: CustomEvent<string>) => this.#send(event.detail)}
            @bkg-stop=${this.#stop}
          ></bkg-composer>
        </div>
      </section>
      <div class="visually-hidden" role="status" aria-live="polite">${this.said}</div>
      ${this.#drawers()}
    `;
  }

  override updated(changed: PropertyValues): void {
    const chat = this.chatId === undefined ? undefined : this.#chats.chat(this.chatId);
    nameDocument(chat?.title ?? "Chats");
    if (changed.has("chatId")) this.#follow.toEnd();
  }

  #list() {
    return html`
      <bkg-chat-list
        .chats=${this.#chats.list}
        .current=${this.chatId}
        .isRunning=${(id: string) => this.#chats.running(id) !== undefined}
        @bkg-new=${() => this.#open(undefined)}
        @bkg-open=${(event: CustomEvent<string>) => this.#open(event.detail)}
        @bkg-rename=${(event: CustomEvent<{ id: string; title: string }>) =>
          this.#chats.rename(event.detail.id, event.detail.title)}
        @bkg-delete=${(event: CustomEvent<string>) => this.#delete(event.detail)}
      ></bkg-chat-list>
    `;
  }

  #conversation() {
    const { chatId } = this;
    if (chatId === undefined) {
      return html`
        <bkg-chat-start
          .models=${this.#models}
          .home=${this.#home}
          @bkg-suggest=${(event: CustomEvent<string>) => this.#suggest(event.detail)}
        ></bkg-chat-start>
      `;
    }
    if (this.#chats.list !== undefined && this.#chats.chat(chatId) === undefined) {
      return html`
        <div class="start">
          <bkg-empty-state
            icon="message"
            heading="This chat is not here"
            text="Chats are kept in the browser in which they were begun. It may have been deleted, or belong to another browser."
          >
            <wa-button @click=${() => this.#open(undefined)}>Begin a new chat</wa-button>
          </bkg-empty-state>
        </div>
      `;
    }
    return html`
      <bkg-message-list
        .chatId=${chatId}
        .messages=${this.#chats.messages(chatId)}
        .waiting=${this.#waiting}
        ?busy=${this.#running !== undefined}
        @bkg-regenerate=${this.#regenerate}
        @bkg-edit=${(event: CustomEvent<string>) => this.#edit(event.detail)}
      ></bkg-message-list>
    `;
  }

  #bars() {
    const { undo, notice } = this.#chats;
    return html`
      ${notice === undefined ? nothing : html`
        <div class="bar warning" role="status">
          <wa-icon name="warning"></wa-icon><span class="wrap">${notice}.</span>
        </div>
      `}
      ${undo === undefined ? nothing : html`
        <div class="bar" role="status">
          <span class="wrap isolate" dir="auto">${capText(undo.label, 100)}</span>
          <button type="button" class="text" @click=${() => this.#undo(undo)}>Undo</button>
          <button type="button" class="icon" aria-label="Dismiss"
            @click=${() => this.#chats.dismissUndo()}><wa-icon name="x"></wa-icon></button>
        </div>
      `}
    `;
  }

  #drawers() {
    const hidden = (event: Event) => {
      if (event.target === event.currentTarget) this.drawer = "none";
    };
    return html`
      <wa-drawer
        label="Chats"
        placement="start"
        light-dismiss
        ?open=${this.drawer === "chats"}
        @wa-after-hide=${hidden}
      >${this.drawer === "chats" ? this.#list() : nothing}</wa-drawer>
      <wa-drawer
        label="Settings of this chat"
        light-dismiss
        ?open=${this.drawer === "sampling"}
        @wa-after-hide=${hidden}
      >
        <bkg-sampling
          .sampling=${this.#sampling}
          .defaults=${this.settings}
          @bkg-sampling=${this.#setSampling}
        ></bkg-sampling>
      </wa-drawer>
    `;
  }

  get #plugin(): string {
    return chatPlugin(this.app);
  }

  /** A chat that is not begun has one for each person. */
  get #draftKey(): string {
    return this.chatId ?? `new.${this.app.session.principal?.id ?? ""}`;
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

  get #sampling(): Sampling {
    const chat = this.chatId === undefined ? undefined : this.#chats.chat(this.chatId);
    return chat?.sampling ?? this.sampling;
  }

  /** The chat's own model, even when it is gone; else what was chosen last. */
  get #model(): string | undefined {
    const chat = this.chatId === undefined ? undefined : this.#chats.chat(this.chatId);
    return chat?.model ?? defaultModel(this.#models.list ?? [], this.model)?.id;
  }

  get #blocked(): string | undefined {
    if (this.refused !== undefined) return this.refused;
    const { list } = this.#models;
    if (this.#running === "elsewhere") return "Another tab is answering in this chat";
    if (list === undefined) return undefined;
    const model = this.#model;
    if (list.length === 0) return "There is no model to ask";
    if (!list.some(({ id }) => id === model)) {
      return `The model “${capText(model ?? "", 60)}” is no longer there: choose another one above`;
    }
    const view = this.app.plugins.get(this.#plugin);
    return this.#home === "server" && view?.enabled === false
      ? `${capText(view.name, 60)} is turned off: turn it on under “Plugins”`
      : undefined;
  }

  /** What there is to say while an answer has not begun. */
  get #waiting(): string | undefined {
    const model = this.#model;
    const download = model === undefined ? undefined : this.#models.download(model);
    if (download === undefined) return undefined;
    const { step, done, total } = download;
    return done === undefined || total === undefined
      ? step
      : `Bringing the model into this browser: ${formatBytes(done)} of ${formatBytes(total)}`;
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
    else this.renderRoot.querySelector("h1")?.focus({ preventScroll: true });
  }

  #newByLink(event: MouseEvent): void {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    this.#open(undefined);
  }

  #typed(event: CustomEvent<string>): void {
    this.draft = event.detail;
    this.refused = undefined;
    this.#drafts.keep(this.#draftKey, this.draft);
  }

  #suggest(text: string): void {
    this.draft = text;
    this.#drafts.keep(this.#draftKey, text);
    this.composer.focus();
  }

  async #send(text: string): Promise<void> {
    const from = this.chatId;
    const draftKey = this.#draftKey;
    await this.#ask(async (request) => {
      const chatId = await this.#chats.send(text, request);
      if (this.chatId === from && this.draft.trim() === text) this.draft = "";
      this.#drafts.drop(draftKey);
      if (from !== undefined || this.chatId !== undefined) return;
      this.sampling = {};
      history.replaceState({}, "", new URL(`chats?id=${chatId}`, document.baseURI));
      this.chatId = chatId;
    });
    this.#follow.toEnd();
  }

  async #regenerate(): Promise<void> {
    const { chatId } = this;
    if (chatId !== undefined) {
      await this.#ask((request) => this.#chats.regenerate({ ...request, chatId }));
    }
  }

  async #edit(text: string): Promise<void> {
    const { chatId } = this;
    if (chatId !== undefined) {
      await this.#ask((request) => this.#chats.editLast(text, { ...request, chatId }));
    }
  }

  /** Asks with the chat's model and sampling; what is refused is said and can be tried again. */
  async #ask(
    ask: (
      request: { chatId?: string | undefined; model: string; sampling: Sampling },
    ) => Promise<void>,
  ): Promise<void> {
    // Whoever is fast asks before the models are known.
    if (this.#models.list === undefined) await this.#models.load();
    const model = this.#model;
    if (model === undefined) {
      this.refused = "Choose a model first";
      return;
    }
    try {
      await ask({ chatId: this.chatId, model, sampling: this.#sampling });
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

  async #undo(undo: NonNullable<Chats["undo"]>): Promise<void> {
    await undo.run();
    this.said = "Undone";
    this.composer.focus();
  }

  #chooseModel(event: CustomEvent<string>): void {
    this.model = event.detail;
    this.refused = undefined;
    remembered.set(modelKey, this.model);
    if (this.chatId !== undefined) void this.#chats.configure(this.chatId, { model: this.model });
  }

  #setSampling(event: CustomEvent<Sampling>): void {
    if (this.chatId === undefined) this.sampling = event.detail;
    else void this.#chats.configure(this.chatId, { sampling: event.detail });
  }

  async #openSampling(): Promise<void> {
    this.drawer = "sampling";
    try {
      const path = `/api/plugins/${encodeURIComponent(this.#plugin)}/config`;
      this.settings = (await this.app.api.get<PluginConfig>(path)).settings;
    } catch {
      // Without them, empty fields say "as set".
    }
  }
}

function isChanged(sampling: Sampling): boolean {
  return Object.values(sampling).some((value) => value !== undefined);
}

function describeEnd(message: ChatMessage | undefined): string {
  if (message?.role !== "assistant") return "";
  if (message.state === "interrupted") return "The answer broke off";
  if (message.state === "stopped") return "The answer was stopped";
  return `Answer: ${capText(message.text, 600)}`;
}

const modelKey = "bkg.chats.model";
const remembered = createBrowserStorage({ open: () => localStorage, events: globalThis });

declare global {
  interface HTMLElementTagNameMap {
    "bkg-chats": BkgChats;
  }
}
