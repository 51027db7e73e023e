// A command or an example to copy. The text is shown as it is, never interpreted.

import { css, html, LitElement } from "lit";
import { customElement, property } from "lit/decorators.js";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-copy-button.ts";

@customElement("bkg-code-block")
export class BkgCodeBlock extends LitElement {
  @property({ attribute: false })
  accessor code = "";
  /** What it is, for screen readers, such as "Command". */
  @property()
  accessor label = "Code";

  static override styles = [
    sharedStyles,
    css`
      .block {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        align-items: start;
        border: var(--bkg-card-border);
        border-radius: var(--wa-border-radius-m);
        background: var(--wa-color-surface-lowered);
      }
      pre {
        max-height: 24rem;
        overflow: auto;
        padding: var(--wa-space-xs) var(--wa-space-s);
        font: var(--bkg-mono);
        text-align: start;
        tab-size: 2;
        unicode-bidi: plaintext;
      }
      bkg-copy-button {
        margin: 0.125rem;
      }
    `,
  ];

  override render() {
    return html`
      <div class="block">
        <pre tabindex="0" role="region" aria-label=${this.label}>${this.code}</pre>
        <bkg-copy-button .text=${this.code} label="Copy: ${this.label}"></bkg-copy-button>
      </div>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-code-block": BkgCodeBlock;
  }
}
