// Copies a text. Works on plain http too, where the browser has no clipboard API.

import { css, html, LitElement } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { iconButtonStyles } from "../theme/icon_button_styles.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./icons.ts";

@customElement("bkg-copy-button")
export class BkgCopyButton extends LitElement {
  @property({ attribute: false })
  accessor text = "";
  /** What is copied, such as "Copy the command". */
  @property()
  accessor label = "Copy";
  @state()
  private accessor outcome: "none" | "copied" | "failed" = "none";

  #timer: ReturnType<typeof setTimeout> | undefined;

  static override styles = [
    sharedStyles,
    iconButtonStyles,
    css`
      :host {
        display: inline-block;
      }
      .copied,
      .copied:hover {
        color: var(--wa-color-success-on-quiet);
      }
      .failed,
      .failed:hover {
        color: var(--wa-color-danger-on-quiet);
      }
    `,
  ];

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
  }

  override render() {
    const { icon, word } = outcomes[this.outcome];
    return html`
      <button
        type="button"
        class="icon ${this.outcome}"
        aria-label=${this.label}
        title=${word || this.label}
        @click=${this.#copy}
      ><wa-icon name=${icon}></wa-icon></button>
      <span class="visually-hidden" role="status">${word}</span>
    `;
  }

  async #copy(): Promise<void> {
    const copied = await writeClipboard(this.text);
    this.outcome = copied ? "copied" : "failed";
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.outcome = "none", 2000);
  }
}

const outcomes = {
  none: { icon: "copy", word: "" },
  copied: { icon: "check", word: "Copied" },
  failed: { icon: "x", word: "Not copied: select the text instead" },
} as const;

async function writeClipboard(text: string): Promise<boolean> {
  try {
    if (navigator.clipboard !== undefined) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch {
    // Not allowed here; the old way may be.
  }
  const write = (event: ClipboardEvent) => {
    event.clipboardData?.setData("text/plain", text);
    event.preventDefault();
  };
  document.addEventListener("copy", write, { once: true });
  try {
    return document.execCommand("copy");
  } finally {
    document.removeEventListener("copy", write);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-copy-button": BkgCopyButton;
  }
}
