// One output of a run: its shape, what its numbers are like, the first of them, and its bytes to take along.

import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { TensorOutput } from "../stores/tensor_models.ts";
import { iconButtonStyles } from "../theme/icon_button_styles.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText, formatCount, formatPlural } from "./format.ts";
import { saveFile } from "./save_file.ts";
import {
  describeTensor,
  fromBase64,
  type OutputSummary,
  summarizeOutput,
  writeNumber,
} from "./tensor_values.ts";
import "./icons.ts";

@customElement("bkg-tensor-output")
export class BkgTensorOutput extends LitElement {
  @property({ attribute: false })
  accessor output!: TensorOutput;

  #summary!: OutputSummary;

  static override styles = [
    sharedStyles,
    iconButtonStyles,
    css`
      .output {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: var(--wa-space-xs);
        padding: var(--wa-space-xs) var(--wa-space-m);
      }
      .head {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        align-items: center;
        gap: var(--bkg-gap-s);
      }
      .name {
        font: var(--bkg-mono);
        font-weight: var(--wa-font-weight-semibold);
      }
      .type {
        font: var(--bkg-mono);
        color: var(--wa-color-text-quiet);
      }
      dl {
        display: flex;
        flex-wrap: wrap;
        gap: 0 var(--wa-space-l);
        font-size: var(--wa-font-size-s);
        font-variant-numeric: tabular-nums;
      }
      dl > div {
        display: flex;
        gap: var(--wa-space-2xs);
      }
      dt {
        color: var(--wa-color-text-quiet);
      }
      pre {
        padding: var(--wa-space-2xs) var(--wa-space-xs);
        border-radius: var(--wa-border-radius-m);
        background: var(--wa-color-surface-lowered);
        font: var(--bkg-mono);
        overflow: hidden;
        text-overflow: ellipsis;
      }
    `,
  ];

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("output")) this.#summary = summarizeOutput(this.output);
  }

  override render() {
    const { output } = this;
    const { count, min, max, mean, notFinite, first } = this.#summary;
    const name = capText(output.name, 200);
    return html`
      <div class="output" role="group" aria-label=${`Output ${name}`}>
        <div class="head">
          <span><span class="name wrap isolate" dir="auto">${name}</span>
            <span class="type wrap isolate" dir="auto">${describeTensor(output)}</span></span>
          ${typeof output.data !== "string" ? nothing : html`
            <button type="button" class="icon" title="Save its bytes" @click=${this.#save}>
              <wa-icon name="download" label=${`Save the bytes of ${name}`}></wa-icon>
            </button>
          `}
        </div>
        <dl>
          ${fact("Elements", formatCount(count))}
          ${min === undefined ? nothing : [
            fact("Min", writeNumber(min)),
            fact("Max", writeNumber(max)),
            fact("Mean", writeNumber(mean)),
          ]}
          ${notFinite === 0 ? nothing : fact("No number", formatPlural(notFinite, "element"))}
        </dl>
        ${first.length === 0 ? nothing : html`
          <pre dir="ltr">${first.join(", ")}${count > first.length ? ", …" : ""}</pre>
        `}
      </div>
    `;
  }

  #save(): void {
    const { name, data } = this.output;
    const bytes = typeof data === "string" ? fromBase64(data) : undefined;
    if (bytes === undefined) return;
    const safe = name.replaceAll(/[^\w.-]+/g, "_").slice(0, 80);
    saveFile({ name: `${safe}.bin`, blob: new Blob([bytes]) });
  }
}

function fact(term: string, value: string) {
  return html`
    <div>
      <dt>${term}</dt>
      <dd>${value}</dd>
    </div>
  `;
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-tensor-output": BkgTensorOutput;
  }
}
