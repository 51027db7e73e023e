// How a chat's answers are made: the system prompt and the sampling. Empty means as the plugin is set.
// Emits `bkg-sampling` with the whole Sampling at each change that is valid.

import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { Sampling } from "../stores/chat.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { formatNumber } from "./format.ts";
import { fields, type NumberField, readField } from "./sampling_fields.ts";
import "./icons.ts";

@customElement("bkg-sampling")
export class BkgSampling extends LitElement {
  @property({ attribute: false })
  accessor sampling: Sampling = {};
  /** The plugin's settings, as far as they are known. */
  @property({ attribute: false })
  accessor defaults: Readonly<Record<string, unknown>> = {};
  /** Fields with a text that is not valid. */
  @state()
  private accessor refused: ReadonlyMap<NumberField["key"], { text: string; problem: string }> =
    new Map();

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: grid;
        gap: var(--wa-space-l);
      }
      .field {
        display: grid;
        gap: var(--wa-space-2xs);
        align-content: start;
      }
      .fields {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr));
        gap: var(--wa-space-m);
      }
      label {
        font-size: var(--wa-font-size-s);
        font-weight: var(--wa-font-weight-semibold);
      }
      input,
      textarea {
        width: 100%;
        min-height: 2.375rem;
        padding: 0.4rem var(--wa-space-s);
        border: var(--wa-border-width-s) solid var(--bkg-control-border);
        border-radius: var(--wa-border-radius-m);
        background: var(--wa-color-surface-raised);
        color: inherit;
        font: inherit;
        font-variant-numeric: tabular-nums;
      }
      textarea {
        min-height: 7rem;
        resize: vertical;
        line-height: 1.5;
      }
      ::placeholder {
        color: var(--wa-color-text-quiet);
        opacity: 1;
      }
      [aria-invalid="true"] {
        border-color: var(--wa-color-danger-border-loud);
      }
      .hint {
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-xs);
        line-height: 1.4;
      }
      .refused {
        color: var(--wa-color-danger-on-quiet);
      }
    `,
  ];

  override render() {
    const changed = Object.values(this.sampling).some((value) => value !== undefined);
    return html`
      <div class="field">
        <label for="system">System prompt</label>
        <textarea
          id="system"
          dir="auto"
          maxlength="100000"
          placeholder="None"
          aria-describedby="system-hint"
          .value=${live(this.sampling.system ?? "")}
          @input=${this.#system}
        ></textarea>
        <span id="system-hint" class="hint">Told to the model before the conversation</span>
      </div>
      <div class="fields">${fields.map((field) => this.#number(field))}</div>
      <div class="row spread">
        <span class="hint">Empty fields are as the plugin is set.</span>
        <wa-button size="s" appearance="outlined" ?disabled=${!changed &&
          this.refused.size === 0} @click=${this
          .#reset}>
          <wa-icon slot="start" name="restart"></wa-icon>Reset
        </wa-button>
      </div>
    `;
  }

  #number(field: NumberField) {
    const { key, label, hint, min, max, step } = field;
    const value = this.sampling[key];
    const setting = this.defaults[key];
    const refused = this.refused.get(key);
    const text = refused?.text ?? (value === undefined ? "" : String(value));
    return html`
      <div class="field">
        <label for=${key}>${label}</label>
        <input
          id=${key}
          type="number"
          inputmode=${step === 1 ? "numeric" : "decimal"}
          min=${min}
          max=${max}
          step=${step}
          placeholder=${typeof setting === "number"
            ? formatNumber(setting)
            : key === "seed"
            ? "random"
            : "as set"}
          aria-describedby="${key}-hint"
          aria-invalid=${refused === undefined ? nothing : "true"}
          .value=${live(text)}
          @input=${(event: InputEvent) => this.#typed(field, event.target as HTMLInputElement)}
        >
        <span id="${key}-hint" class="hint ${refused === undefined ? "" : "refused"}">
          ${refused?.problem ?? hint}
        </span>
      </div>
    `;
  }

  #typed(field: NumberField, input: HTMLInputElement): void {
    const refused = new Map(this.refused);
    // Half a number, such as "1e", has no value yet and must not be taken from under the cursor.
    if (input.validity.badInput) return;
    const read = readField(field, input.value);
    if ("problem" in read) {
      this.refused = refused.set(field.key, { text: input.value, problem: read.problem });
      return;
    }
    refused.delete(field.key);
    this.refused = refused;
    this.#emit({ ...this.sampling, [field.key]: read.value });
  }

  #system(event: InputEvent): void {
    const { value } = event.target as HTMLTextAreaElement;
    this.#emit({ ...this.sampling, system: value === "" ? undefined : value });
  }

  #reset(): void {
    this.refused = new Map();
    this.#emit({});
  }

  #emit(sampling: Sampling): void {
    this.dispatchEvent(new CustomEvent("bkg-sampling", { detail: sampling }));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-sampling": BkgSampling;
  }
}
