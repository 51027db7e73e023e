// One input of a model: its shape, and how it is filled: by hand, with zeros, random numbers or a file's bytes.
// Emits `bkg-draft` with the changed draft. Names are a model file's texts.

import { css, html, LitElement, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import "@awesome.me/webawesome/dist/components/textarea/textarea.js";
import type { TensorInfo } from "../stores/tensor_models.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText, formatBytes } from "./format.ts";
import { segmentedStyles } from "./segmented_styles.ts";
import { describeTensor, type Fill, isDynamic, type TensorDraft } from "./tensor_values.ts";

@customElement("bkg-tensor-input")
export class BkgTensorInput extends LitElement {
  @property({ attribute: false })
  accessor info!: TensorInfo;
  @property({ attribute: false })
  accessor draft!: TensorDraft;
  /** Why it cannot be sent, or what the plugin said about it. */
  @property()
  accessor issue = "";

  static override styles = [
    sharedStyles,
    segmentedStyles,
    css`
      .input {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: var(--bkg-gap-s);
        padding: var(--wa-space-s) var(--wa-space-m);
        border: var(--bkg-card-border);
        border-radius: var(--bkg-card-radius);
      }
      .input.bad {
        border-color: var(--wa-color-danger-border-normal);
      }
      .name {
        font: var(--bkg-mono);
        font-weight: var(--wa-font-weight-semibold);
      }
      .type {
        font: var(--bkg-mono);
        color: var(--wa-color-text-quiet);
      }
      .segments {
        justify-self: start;
      }
      wa-textarea::part(textarea),
      wa-input::part(input) {
        font: var(--bkg-mono);
      }
      .shape {
        max-width: 18rem;
      }
      .file {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--wa-space-2xs) var(--wa-space-s);
        min-height: 2rem;
      }
      input[type="file"] {
        max-width: 100%;
        font: inherit;
        font-size: var(--wa-font-size-s);
        color: var(--wa-color-text-quiet);
      }
      .issue {
        color: var(--wa-color-danger-on-quiet);
      }
    `,
  ];

  override render() {
    const { info, draft, issue } = this;
    const name = capText(info.name, 200);
    return html`
      <div class="input ${issue === "" ? "" : "bad"}" role="group" aria-label=${`Input ${name}`}>
        <div class="row spread">
          <span><span class="name wrap isolate" dir="auto">${name}</span>
            <span class="type wrap isolate" dir="auto">${describeTensor(info)}</span></span>
        </div>
        <fieldset class="segments">
          <legend class="visually-hidden">How to fill ${name}</legend>
          ${fills.map(({ fill, label }) =>
            html`
              <label>
                <input
                  type="radio" name="fill" .checked=${live(fill === draft.fill)}
                  @change=${() => this.#change({ fill })}
                >
                <span>${label}</span>
              </label>
            `
          )}
        </fieldset>
        ${draft.fill === "values" ? this.#values(name) : html`
          ${isDynamic(info) ? this.#shape(name) : nothing}
          ${draft.fill === "file" ? this.#file(name) : nothing}
        `}
        ${issue === "" ? nothing : html`
          <p class="issue small wrap isolate" dir="auto" role="alert">${capText(issue, 600)}</p>
        `}
      </div>
    `;
  }

  #values(name: string) {
    return html`
      <wa-textarea
        rows=${Math.min(
          8,
          this.draft.valuesText.split("\n").length,
        )} resize="vertical" spellcheck="false" label=${`Values of ${name}, as JSON`} size="s"
        .value=${live(this.draft.valuesText)} placeholder="[[0, 1], [2, 3]]"
        hint="Nested lists, whose depth is the shape"
        @input=${(event: Event) => this.#change({ valuesText: valueOf(event) })}
      ></wa-textarea>
    `;
  }

  #shape(name: string) {
    return html`
      <wa-input
        class="shape" size="s" label=${`Shape of ${name}`} autocomplete="off"
        .value=${live(this.draft.shapeText)}
        @input=${(event: Event) => this.#change({ shapeText: valueOf(event) })}
      ></wa-input>
    `;
  }

  #file(name: string) {
    const { file } = this.draft;
    return html`
      <label class="file">
        <span class="visually-hidden">File with the bytes of ${name}</span>
        <input type="file" @change=${this.#choose}>
        <span class="quiet small">${file === undefined
          ? "Raw numbers, little-endian"
          : `${capText(file.name, 60)}, ${formatBytes(file.size)}`}</span>
      </label>
    `;
  }

  async #choose(event: Event): Promise<void> {
    const file = (event.target as HTMLInputElement).files?.[0];
    if (file === undefined) return;
    // Larger ones are refused by their size; there is no need to read them.
    const bytes = file.size <= maxReadBytes
      ? new Uint8Array(await file.arrayBuffer())
      : new Uint8Array(0);
    this.#change({ file: { name: file.name, size: file.size, bytes } });
  }

  #change(changes: Partial<TensorDraft>): void {
    const detail = { ...this.draft, ...changes };
    this.dispatchEvent(new CustomEvent<TensorDraft>("bkg-draft", { detail }));
  }
}

const fills: readonly { fill: Fill; label: string }[] = [
  { fill: "values", label: "Values" },
  { fill: "zeros", label: "Zeros" },
  { fill: "random", label: "Random" },
  { fill: "file", label: "File" },
];
const maxReadBytes = 64 * 1024 * 1024;

function valueOf(event: Event): string {
  return String((event.target as HTMLInputElement).value ?? "");
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-tensor-input": BkgTensorInput;
  }
}
