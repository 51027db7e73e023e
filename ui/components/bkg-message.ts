// One message of a conversation. An answer shows how it was made, and what to do when it broke off.
// Emits `bkg-regenerate`, and `bkg-edit` with the changed question.

import { html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { ErrorCode } from "../../plugins/runtime/contract/error.ts";
import { splitThinking } from "../markdown/thinking.ts";
import type { AnswerFacts, ChatMessage } from "../stores/chat.ts";
import { iconButtonStyles } from "../theme/icon_button_styles.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-copy-button.ts";
import "./bkg-markdown.ts";
import { capText, formatBytes, formatCount, formatDuration, formatNumber } from "./format.ts";
import "./icons.ts";
import { messageStyles } from "./message_styles.ts";

@customElement("bkg-message")
export class BkgMessage extends LitElement {
  @property({ attribute: false })
  accessor message!: ChatMessage;
  /** Whether it is the last question or the last answer, which alone can be changed. */
  @property({ type: Boolean })
  accessor last = false;
  /** Whether something is being answered in this chat: nothing can be changed then. */
  @property({ type: Boolean })
  accessor busy = false;
  /** What the page knows of why there is no text yet, such as a download. */
  @property({ attribute: false })
  accessor waiting: string | undefined;
  @state()
  private accessor editing = false;
  @state()
  private accessor whole = false;
  @query("textarea")
  private accessor area!: HTMLTextAreaElement | null;

  static override styles = [sharedStyles, iconButtonStyles, messageStyles];

  override render() {
    return this.message.role === "user" ? this.#question() : this.#answer();
  }

  override updated(changed: PropertyValues): void {
    if (!changed.has("editing") || this.area === null) return;
    this.#fit();
    this.area.focus();
  }

  #question() {
    const { text } = this.message;
    if (this.editing) return this.#editor();
    const cut = !this.whole && text.length > firstChars;
    return html`
      <article class="question">
        <h2 class="visually-hidden">You</h2>
        <div class="actions">
          ${this.last && !this.busy
            ? html`
              <button
                type="button"
                class="icon"
                title="Edit and ask again"
                aria-label="Edit and ask again"
                @click=${() => this.editing = true}
              ><wa-icon name="pencil"></wa-icon></button>
            `
            : nothing}
          <bkg-copy-button .text=${text} label="Copy the question"></bkg-copy-button>
        </div>
        <div class="asked">
          <div class="bubble wrap" dir="auto">${cut ? capText(text, firstChars) : text}</div>
          ${cut
            ? html`
              <button type="button" class="link" @click=${() => this.whole = true}>
                Show all (${formatBytes(text.length)})
              </button>
            `
            : nothing}
        </div>
      </article>
    `;
  }

  #editor() {
    return html`
      <form class="editor" @submit=${this.#submit}>
        <textarea
          dir="auto"
          aria-label="Edit the question"
          .value=${this.message.text}
          @input=${this.#fit}
          @keydown=${this.#editKey}
        ></textarea>
        <div class="row">
          <wa-button size="s" appearance="outlined" @click=${() =>
            this.editing = false}>Cancel</wa-button>
          <wa-button size="s" variant="brand" type="button" @click=${this
            .#submit}>Ask again</wa-button>
        </div>
      </form>
    `;
  }

  #answer() {
    const { text, state } = this.message;
    const { thinking, thought, answer } = splitThinking(text);
    const running = state === "running";
    return html`
      <article class="answer" aria-busy=${running}>
        <h2 class="visually-hidden">Answer</h2>
        ${thinking === undefined ? nothing : html`
          <details class="thinking">
            <summary>
              <wa-icon name="sparkles"></wa-icon>${thought || !running ? "Thoughts" : "Thinking…"}
            </summary>
            <bkg-markdown .text=${thinking} ?growing=${running && !thought}></bkg-markdown>
          </details>
        `}
        ${running && text === "" ? this.#wait() : nothing}
        ${answer === ""
          ? nothing
          : html`<bkg-markdown .text=${answer} ?growing=${running}></bkg-markdown>`}
        ${this.#outcome()} ${running ? nothing : this.#footer(answer)}
      </article>
    `;
  }

  #wait() {
    return html`
      <div class="wait quiet small">
        <span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>
        ${this.waiting === undefined ? nothing : html`<span class="number">${this.waiting}</span>`}
      </div>
    `;
  }

  /** What a reader has to know of how it ended. */
  #outcome() {
    const { state, error, facts, text } = this.message;
    if (state === "interrupted") {
      const advice = error === undefined ? undefined : adviceFor(error.code);
      return html`
        <div class="notice">
          <wa-icon name="circle-alert"></wa-icon>
          <div>
            <strong>${text === "" ? "No answer" : "The answer broke off"}</strong>
            <p class="wrap isolate" dir="auto">
              ${capText(error?.message ?? "It is not known why", 500)}.
            </p>
            ${advice === undefined ? nothing : html`<p>${advice}</p>`}
            ${this.last && !this.busy
              ? html`
                <wa-button size="s" appearance="outlined" @click=${this.#regenerate}>
                  <wa-icon slot="start" name="refresh"></wa-icon>Try again
                </wa-button>
              `
              : nothing}
          </div>
        </div>
      `;
    }
    if (state === "stopped") return html`<p class="remark">You stopped this answer.</p>`;
    if (facts?.finishReason === "length") {
      return html`
        <p class="remark">
          Cut at the limit of tokens: raise “Max tokens” in this chat's settings, or begin a new chat when
          the conversation fills the model's context.
        </p>
      `;
    }
    if (state === "done" && text.trim() === "") {
      return html`<p class="remark">The model answered with nothing.</p>`;
    }
    return nothing;
  }

  #footer(answer: string) {
    const { facts, state } = this.message;
    return html`
      <footer>
        <div class="actions">
          ${answer === ""
            ? nothing
            : html`<bkg-copy-button .text=${answer} label="Copy the answer"></bkg-copy-button>`}
          ${this.last && !this.busy && state !== "interrupted"
            ? html`
              <button type="button" class="icon" title="Answer again" aria-label="Answer again"
                @click=${this
                  .#regenerate}><wa-icon name="refresh"></wa-icon></button>
            `
            : nothing}
        </div>
        ${facts?.firstTokenMs === undefined ? nothing : this.#facts(facts)}
      </footer>
    `;
  }

  #facts(facts: AnswerFacts) {
    const {
      model,
      preset,
      home,
      backend,
      threads,
      tokensPerSecond,
      completionTokens,
      firstTokenMs,
    } = facts;
    const parts = [
      tokensPerSecond === undefined ? undefined : `${formatNumber(tokensPerSecond)} tokens/s`,
      completionTokens === undefined
        ? undefined
        : `${formatCount(completionTokens)} token${completionTokens === 1 ? "" : "s"}`,
      firstTokenMs === undefined ? undefined : `first after ${formatSeconds(firstTokenMs)}`,
      backend === undefined
        ? undefined
        : threads === undefined
        ? backend
        : `${backend}, ${formatCount(threads)} thread${threads === 1 ? "" : "s"}`,
    ].filter((part) => part !== undefined);
    return html`
      <ul class="facts number" aria-label="How this answer was made">
        <li class="home">
          <wa-icon name=${home === "browser" ? "laptop" : "server"}></wa-icon>${home === "browser"
            ? "in this browser"
            : "on the server"}
        </li>
        ${preset === undefined ? nothing : html`<li class="wrap">${capText(preset, 60)}</li>`}
        <li class="isolate wrap" dir="auto">${capText(model, 60)}</li>
        ${parts.map((part) => html`<li>${capText(part, 60)}</li>`)}
      </ul>
    `;
  }

  #fit(): void {
    if (this.area === null) return;
    this.area.style.height = "auto";
    this.area.style.height = `${this.area.scrollHeight + 2}px`;
  }

  #editKey(event: KeyboardEvent): void {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      this.editing = false;
    } else if (event.key === "Enter" && !event.shiftKey) {
      this.#submit(event);
    }
  }

  #submit(event: Event): void {
    event.preventDefault();
    const text = this.area?.value.trim() ?? "";
    if (text === "" || this.busy) return;
    this.editing = false;
    this.dispatchEvent(new CustomEvent("bkg-edit", { detail: text }));
  }

  #regenerate(): void {
    this.dispatchEvent(new CustomEvent("bkg-regenerate"));
  }
}

function formatSeconds(ms: number): string {
  return ms < 1000 || ms >= 60_000 ? formatDuration(ms) : `${(ms / 1000).toFixed(1)} s`;
}

/** What one can do that the error itself does not say. */
function adviceFor(code: ErrorCode): string | undefined {
  switch (code) {
    case "UNAUTHENTICATED":
      return "Sign in again; this chat is kept.";
    case "UNAVAILABLE":
      return "When the server does not come back, switch to “This browser” above.";
    case "CONTEXT_OVERFLOW":
      return "The conversation is longer than the model can read: begin a new chat, or raise the context length in the plugin's settings.";
    case "PLUGIN_DISABLED":
      return "Turn the plugin on, on its page under “Plugins”.";
    case "CONSENT_REQUIRED":
      return "An administrator has to allow what the plugin asks for, on its page under “Plugins”.";
    case "NOT_FOUND":
      return "Choose another model above.";
    case "OUT_OF_MEMORY":
      return "Choose a smaller model, or a shorter context in the plugin's settings.";
    case "QUEUE_FULL":
    case "RATE_LIMITED":
      return "Others are being answered: try again in a moment.";
    default:
      return undefined;
  }
}

const firstChars = 4000;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-message": BkgMessage;
  }
}
