// The call that a form describes, as text to copy for a shell, JavaScript and Python.

import { css, html, LitElement } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-code-block.ts";
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
      .note {
        font-size: var(--wa-font-size-s);
      }
    `,
  ];

  override render() {
    return html`
      <div class="stack">
        <div class="row spread">
          <fieldset class="segments">
            <legend class="visually-hidden">Language</legend>
            ${exampleLanguages.map(({ id, label }) =>
              html`
                <label>
                  <input
                    type="radio" name="language" .checked=${id === this.language}
                    @change=${() => this.language = id}
                  >
                  <span>${label}</span>
                </label>
              `
            )}
          </fieldset>
          <span class="quiet note">It reads a key from the environment variable TOKEN</span>
        </div>
        <bkg-code-block label="Example" .code=${this.#text()}></bkg-code-block>
      </div>
    `;
  }

  #text(): string {
    return writeCallExample(this.language, {
      baseUrl: document.baseURI,
      capability: this.capability,
      input: this.input,
      streaming: this.streaming,
    });
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-call-examples": BkgCallExamples;
  }
}
