// Where a newcomer who knows what they want pastes a model's name. Emits `bkg-begin` as bkg-welcome-pull does.

import { css, html, LitElement, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import { toAppError } from "../../plugins/runtime/contract/error.ts";
import { parseSource } from "../../models/source.ts";
import type { PullState } from "../stores/welcome_pulls.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-welcome-pull.ts";
import { capText } from "./format.ts";
import "./icons.ts";

@customElement("bkg-welcome-name")
export class BkgWelcomeName extends LitElement {
  /** Of the name that was typed last. */
  @property({ attribute: false })
  accessor pull: PullState = { kind: "idle" };
  /** What was asked for last. */
  @property({ attribute: false })
  accessor source = "";
  @state()
  private accessor hint: string | undefined;
  @query("wa-input")
  private accessor input!: HTMLElement & { value: string | null };

  static override styles = [
    sharedStyles,
    css`
      form {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        align-items: end;
        gap: var(--wa-space-xs);
      }
      .hint {
        margin-block-start: var(--wa-space-2xs);
        min-height: 1.5em;
      }
      .wrong {
        color: var(--wa-color-danger-on-quiet);
      }
      bkg-welcome-pull {
        margin-block-start: var(--wa-space-s);
      }
      @media (max-width: 30rem) {
        form {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  override render() {
    return html`
      <form novalidate @submit=${this.#submit}>
        <wa-input
          label="Name of a model, or its address"
          placeholder="owner/name:Q8_0"
          autocomplete="off"
          autocapitalize="off"
          spellcheck="false"
          maxlength="2000"
          @input=${() => this.hint = undefined}
        ></wa-input>
        <wa-button
          type="submit"
          appearance="outlined"
          ?loading=${this.pull.kind === "asking"}
        >
          <wa-icon slot="start" name="download"></wa-icon>Pull and chat
        </wa-button>
      </form>
      <p class="hint small ${this.hint === undefined
        ? "quiet"
        : "wrong"}" role=${this.hint === undefined ? nothing : "alert"}>${this.hint ??
        "As on the hub: owner/name, and after a colon the variant. An https address of a GGUF file works too."}</p>
      <bkg-welcome-pull quiet .source=${this.source} .name=${this.source} .pull=${this
        .pull}></bkg-welcome-pull>
    `;
  }

  #submit(event: SubmitEvent): void {
    event.preventDefault();
    const source = (this.input.value ?? "").trim();
    this.hint = explainSource(source);
    if (this.hint !== undefined) return this.input.focus();
    this.dispatchEvent(
      new CustomEvent("bkg-begin", { detail: source, bubbles: true, composed: true }),
    );
  }
}

/** What is wrong with it, as a sentence; undefined when the server may be asked. */
function explainSource(source: string): string | undefined {
  if (source === "") return "Type or paste a name first.";
  try {
    parseSource(source);
    return undefined;
  } catch (error) {
    return `${capText(toAppError(error).message, 400)}.`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-welcome-name": BkgWelcomeName;
  }
}
