// An answer as Markdown, while it is written and after. The text is a model's: nothing in it runs, loads or escapes.

import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { BlockList } from "../markdown/block_list.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { formatBytes } from "./format.ts";
import { markdownStyles } from "./markdown_styles.ts";

@customElement("bkg-markdown")
export class BkgMarkdown extends LitElement {
  @property({ attribute: false })
  accessor text = "";
  /** Whether more of the text is to come. */
  @property({ type: Boolean })
  accessor growing = false;
  @state()
  private accessor hiddenChars = 0;
  @query(".body")
  private accessor body!: HTMLElement;

  #blocks: BlockList | undefined;

  static override styles = [
    sharedStyles,
    markdownStyles,
    css`
      .rest {
        margin-block-start: var(--wa-space-s);
      }
    `,
  ];

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#blocks?.stop();
  }

  override render() {
    return html`
      <div class="body ${this.growing ? "growing" : ""}"></div>
      ${this.hiddenChars === 0 ? nothing : html`
        <button type="button" class="more rest" @click=${() => this.#blocks?.showAll()}>
          Show the rest (${formatBytes(this.hiddenChars)})
        </button>
      `}
    `;
  }

  override updated(changed: PropertyValues<this>): void {
    if (!changed.has("text") && !changed.has("growing")) return;
    this.#blocks ??= new BlockList(this.body, {
      rendered: ({ hiddenChars }) => this.hiddenChars = hiddenChars,
    });
    this.#blocks.update(this.text, { growing: this.growing });
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-markdown": BkgMarkdown;
  }
}
