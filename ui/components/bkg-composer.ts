// Where a question is typed. It grows with its text, keeps it when it cannot be sent, and says why.

import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./icons.ts";

/** `bkg-send` with the text; the page empties the composer when it was taken. `bkg-stop`. `bkg-draft` at each change. */
@customElement("bkg-composer")
export class BkgComposer extends LitElement {
  /** The draft; setting it replaces what is typed. */
  @property({ attribute: false })
  accessor text = "";
  /** Whether an answer is being made: the button stops it. */
  @property({ type: Boolean })
  accessor running = false;
  /** Why nothing can be sent now; a full sentence without its stop. */
  @property({ attribute: false })
  accessor blocked: string | undefined;
  @property()
  accessor label = "Message";
  @query("textarea")
  private accessor area!: HTMLTextAreaElement;

  static override styles = [
    sharedStyles,
    css`
      .box {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        align-items: end;
        gap: var(--wa-space-2xs);
        padding: var(--wa-space-2xs);
        border: var(--wa-border-width-s) solid var(--bkg-control-border);
        border-radius: 1.125rem;
        background: var(--wa-color-surface-raised);
        cursor: text;
      }
      .box:focus-within {
        outline: var(--wa-focus-ring);
        outline-offset: -1px;
        border-color: transparent;
      }
      textarea {
        display: block;
        width: 100%;
        min-height: 2.5rem;
        max-height: min(40dvh, 16rem);
        padding: 0.5rem var(--wa-space-s);
        border: 0;
        outline: none;
        background: none;
        color: inherit;
        font: inherit;
        /* Phones zoom into smaller text. */
        font-size: max(1rem, var(--wa-font-size-m));
        line-height: 1.5;
        resize: none;
        overflow-y: auto;
      }
      /* The box around it shows the focus. */
      textarea:focus-visible {
        outline: none;
      }
      textarea::placeholder {
        color: var(--wa-color-text-quiet);
        opacity: 1;
      }
      button {
        display: grid;
        place-items: center;
        width: 2.5rem;
        height: 2.5rem;
        border: 0;
        border-radius: 0.875rem;
        background: var(--wa-color-brand-fill-loud);
        color: var(--wa-color-brand-on-loud);
        font-size: 1.125rem;
        cursor: pointer;
      }
      button:hover {
        background: color-mix(in oklab, var(--wa-color-brand-fill-loud), black 12%);
      }
      button[aria-disabled="true"] {
        background: var(--bkg-selected);
        color: var(--wa-color-text-quiet);
        cursor: not-allowed;
      }
      .stop,
      .stop:hover {
        background: var(--wa-color-text-normal);
        color: var(--wa-color-surface-default);
      }
      .stop i {
        width: 0.75rem;
        height: 0.75rem;
        border-radius: 0.1875rem;
        background: currentColor;
      }
      .hint {
        min-height: 1.5em;
        margin-block-start: var(--wa-space-2xs);
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-xs);
        text-align: center;
      }
      .blocked {
        color: var(--wa-color-warning-on-quiet);
      }
      kbd {
        font: inherit;
        font-weight: var(--wa-font-weight-semibold);
      }
      @media (pointer: coarse) {
        .keys {
          display: none;
        }
        .hint:not(.blocked) {
          min-height: 0;
        }
      }
    `,
  ];

  override focus(options?: FocusOptions): void {
    this.area.focus(options);
  }

  override render() {
    const cannotSend = this.blocked !== undefined || this.text.trim() === "";
    return html`
      <div class="box" @click=${() => this.area.focus()}>
        <textarea
          rows="1"
          dir="auto"
          maxlength=${maxChars}
          enterkeyhint="send"
          aria-label=${this.label}
          aria-describedby="hint"
          placeholder="Ask anything"
          .value=${this.text}
          @input=${this.#changed}
          @keydown=${this.#key}
        ></textarea>
        ${this.running
          ? html`
            <button type="button" class="stop" aria-label="Stop the answer" title="Stop (Esc)"
              @click=${this
                .#stop}><i></i></button>
          `
          : html`
            <button
              type="button"
              aria-label="Send"
              title=${this.blocked ?? "Send (Enter)"}
              aria-disabled=${cannotSend}
              @click=${this.#send}
            ><wa-icon name="arrow-up"></wa-icon></button>
          `}
      </div>
      <div id="hint" class="hint ${this.blocked === undefined ? "" : "blocked"}">
        ${this.blocked === undefined ? this.#keys() : html`${this.blocked}.`}
      </div>
    `;
  }

  override updated(changed: PropertyValues<this>): void {
    if (changed.has("text")) this.#fit();
  }

  #keys() {
    return html`
      <span class="keys">${this.running
        ? html`<kbd>Esc</kbd> stops the answer`
        : html`<kbd>Enter</kbd> sends, <kbd>Shift + Enter</kbd> begins a new line`}</span>${nothing}
    `;
  }

  #fit(): void {
    // Its height follows the text; the stylesheet sets the limits.
    this.area.style.height = "auto";
    this.area.style.height = `${this.area.scrollHeight}px`;
  }

  #changed(): void {
    this.text = this.area.value;
    this.dispatchEvent(new CustomEvent("bkg-draft", { detail: this.text }));
  }

  #key(event: KeyboardEvent): void {
    // While an input method composes, Enter takes its suggestion; Safari says so by the code alone.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) {
      return;
    }
    event.preventDefault();
    this.#send();
  }

  #send(): void {
    if (this.running || this.blocked !== undefined || this.text.trim() === "") return;
    this.dispatchEvent(new CustomEvent("bkg-send", { detail: this.text.trim() }));
  }

  #stop(): void {
    this.dispatchEvent(new CustomEvent("bkg-stop"));
    this.area.focus();
  }
}

/** What `llm.chat` takes of a message. */
const maxChars = 1_000_000;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-composer": BkgComposer;
  }
}
