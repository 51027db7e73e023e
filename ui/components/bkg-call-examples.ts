// The call that a form describes, as text to copy for a shell, JavaScript and Python.

import { css, html, LitElement } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/copy-button/copy-button.js";
import { sharedStyles } from "../theme/shared_styles.ts";
import { type ExampleLanguage, exampleLanguages, writeCallExample } from "./call_examples.ts";
import { segmentedStyles } from "./segmented_styles.ts";

@customElement("bkg-call-examples")
export class BkgCallExamples extends LitElement {
  @property()
  accessor capability = "";
  @property({ attribute: false })
  accessor input: unknown;
  @property({ type: Boolean })
  accessor streaming = false;

  @state()
  private accessor language: ExampleLanguage = "curl";

  static override styles = [
    sharedStyles,
    segmentedStyles,
    css`
      .code {
        position: relative;
        border: var(--bkg-card-border);
        border-radius: var(--bkg-card-radius);
        background: var(--wa-color-surface-lowered);
      }
      pre {
        margin: 0;
        max-height: 24rem;
        overflow: auto;
        padding: var(--wa-space-m);
        padding-inline-end: calc(var(--wa-space-m) + 2.5rem);
        font: var(--bkg-mono);
        tab-size: 2;
        unicode-bidi: isolate;
      }
      wa-copy-button {
        position: absolute;
        inset-block-start: var(--wa-space-2xs);
        inset-inline-end: var(--wa-space-2xs);
      }
    `,
  ];

  override render() {
    const text = this.#text();
    return html`
      <div class="stack">
        <div class="row spread">
          <div class="segments" role="group" aria-label="Language">
            ${exampleLanguages.map(({ id, label }) => html`
              <button
                type="button" aria-pressed=${id === this.language}
                @click=${() => this.language = id}
              >${label}</button>
            `)}
          </div>
          <span class="quiet small">Put a key into the environment variable <code>TOKEN</code> first.</span>
        </div>
        <div class="code">
          <pre tabindex="0" aria-label=${`Example for ${this.language}`}>${
      text.slice(0, maxShownChars)
    }${text.length > maxShownChars ? "\n… (the copy has all of it)" : ""}</pre>
          <wa-copy-button value=${text} copy-label="Copy the example"></wa-copy-button>
        </div>
      </div>
    `;
  }

  #text(): string {
    return writeCallExample(this.language, {
      origin: location.origin,
      capability: this.capability,
      input: this.input,
      streaming: this.streaming,
    });
  }
}

const maxShownChars = 20_000;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-call-examples": BkgCallExamples;
  }
}
