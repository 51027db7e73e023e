// A new API key, shown this once, with examples that work as they are. "bkg-stored" says whether it was put away.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import type { NewKey } from "../api/api_keys.ts";
import { allows } from "../api/scopes.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-code-block.ts";
import { type KeyLanguage, keyLanguages, writeKeyExample } from "./key_examples.ts";
import { segmentedStyles } from "./segmented_styles.ts";
import { exactTime } from "./time_words.ts";
import "./icons.ts";

@customElement("bkg-new-key")
export class BkgNewKey extends LitElement {
  @property({ attribute: false })
  accessor made!: NewKey;
  /** Whether the person said that it is stored. */
  @property({ type: Boolean })
  accessor stored = false;

  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor language: KeyLanguage = "curl";
  @state()
  private accessor model: string | undefined;

  static override styles = [
    sharedStyles,
    segmentedStyles,
    css`
      .warning {
        display: flex;
        gap: var(--wa-space-xs);
        padding: var(--wa-space-xs) var(--wa-space-s);
        border-radius: var(--wa-border-radius-m);
        background: var(--wa-color-warning-fill-quiet);
        font-size: var(--wa-font-size-s);
      }
      .warning wa-icon {
        flex: none;
        margin-block-start: 0.2em;
        color: var(--wa-color-warning-on-quiet);
      }
      .stored {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: var(--wa-space-xs);
        align-items: center;
        min-height: 2rem;
        cursor: pointer;
      }
      .stored input {
        width: 1.125rem;
        height: 1.125rem;
        margin: 0;
        accent-color: var(--wa-color-brand-fill-loud);
      }
      .segments {
        justify-self: start;
      }
      .example {
        display: grid;
        gap: var(--wa-space-xs);
      }
    `,
  ];

  override firstUpdated(): void {
    void this.#findModel();
  }

  override render() {
    const { key, view } = this.made;
    const talks = allows(view.scopes, "invoke:llm.chat") || allows(view.scopes, "models:read");
    return html`
      <div class="stack">
        <p class="warning">
          <wa-icon name="warning"></wa-icon>
          <span>This key is shown this once. Whoever has it may do what it allows.</span>
        </p>
        <bkg-code-block label="Key" .code=${key}></bkg-code-block>
        ${view.previousUntilMs === null ? nothing : html`
          <p class="quiet small">The old key is good until ${exactTime(view.previousUntilMs)}.</p>
        `}
        ${talks ? this.#example(key) : nothing}
        <label class="stored">
          <input
            type="checkbox" .checked=${live(this.stored)}
            @change=${(event: Event) => this.#tell((event.target as HTMLInputElement).checked)}
          >
          <span>I have stored it where I will find it again</span>
        </label>
      </div>
    `;
  }

  #example(key: string) {
    return html`
      <div class="example">
        <fieldset class="segments">
          <legend class="visually-hidden">Example for</legend>
          ${keyLanguages.map(({ id, label }) =>
            html`
              <label>
                <input
                  type="radio" name="language" .checked=${live(id === this.language)}
                  @change=${() => this.language = id}
                >
                <span>${label}</span>
              </label>
            `
          )}
        </fieldset>
        <bkg-code-block
          label="Example" .code=${writeKeyExample(this.language, {
            baseUrl: document.baseURI,
            key,
            model: this.model,
          })}
        ></bkg-code-block>
      </div>
    `;
  }

  #tell(detail: boolean): void {
    this.dispatchEvent(new CustomEvent("bkg-stored", { detail }));
  }

  /** An example with a model that is there works as it is. */
  async #findModel(): Promise<void> {
    try {
      const { data } = await this.app.api.get<{ data: { id: string }[] }>("/v1/models");
      this.model = data[0]?.id;
    } catch {
      // Then the example has a word in its place.
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-new-key": BkgNewKey;
  }
}
