// The tensor models in memory and how they ran. Emits `bkg-use-model` and `bkg-unload-model` with a model.
// Ids and files are strangers' texts.

import { css, html, LitElement, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { TensorModelStats } from "../stores/tensor_models.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { describeBackend } from "./engine_words.ts";
import { capText, formatBytes, formatCount, formatMilliseconds, formatPlural } from "./format.ts";
import { residentTableStyles } from "./resident_table_styles.ts";

@customElement("bkg-tensor-models")
export class BkgTensorModels extends LitElement {
  @property({ attribute: false })
  accessor models: readonly TensorModelStats[] = [];
  /** Whether it can be unloaded at all. */
  @property({ type: Boolean })
  accessor readonly = false;
  /** The one that is being unloaded. */
  @property({ attribute: false })
  accessor leaving: TensorModelStats | undefined;

  static override styles = [
    sharedStyles,
    residentTableStyles,
    css`
      .is-runs {
        width: 7rem;
      }
      .is-actions {
        width: 10.5rem;
      }
    `,
  ];

  override render() {
    return html`
      <div class="card table">
        <table role="table" aria-label="Models in memory">
          <thead role="rowgroup">
            <tr role="row">
              <th role="columnheader" scope="col">Model</th>
              <th role="columnheader" scope="col" class="is-backend">Runs in</th>
              <th role="columnheader" scope="col" class="is-bytes">Memory</th>
              <th role="columnheader" scope="col" class="is-runs">Runs</th>
              <th role="columnheader" scope="col" class="is-runs">Mean run</th>
              <th role="columnheader" scope="col" class="is-actions">
                <span class="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            ${repeat(
              this.models.slice(0, maxShown),
              ({ model, file }) => `${model}|${file}`,
              (model) => this.#row(model),
            )}
          </tbody>
        </table>
      </div>
    `;
  }

  #row(stats: TensorModelStats) {
    const { model, kind, bytes, runs, meanRunMs, lastRunMs, loadMs, waiting = 0 } = stats;
    const name = capText(model, 200);
    return html`
      <tr role="row">
        <th role="rowheader" scope="row">
          <span class="wrap isolate" dir="auto">${name}</span>
          <small class="wrap isolate" dir="auto">${describeFile(stats)}</small>
        </th>
        <td role="cell" data-label="Runs in" class="wide">
          <div class="backend isolate" dir="auto">${kind === "linear"
            ? "The plugin's own code"
            : describeBackend(stats)}</div>
          ${loadMs === undefined
            ? nothing
            : html`<small>loaded in ${formatMilliseconds(loadMs)}</small>`}
        </td>
        <td role="cell" class="number" data-label="Memory">${formatBytes(bytes)}</td>
        <td role="cell" class="number" data-label="Runs">
          ${formatCount(runs)}
          ${waiting === 0 ? nothing : html`<small>${formatPlural(waiting, "call")} waiting</small>`}
        </td>
        <td role="cell" class="number" data-label="Mean run">
          ${formatMilliseconds(runs === 0 ? undefined : meanRunMs)}
          ${lastRunMs === undefined || runs === 0
            ? nothing
            : html`<small>last ${formatMilliseconds(lastRunMs)}</small>`}
        </td>
        <td role="cell" class="wide">
          <div class="actions">
            <wa-button size="s" appearance="plain" @click=${() => this.#emit("use", stats)}>Use<span
              class="visually-hidden"> ${name}</span></wa-button>
            ${this.readonly ? nothing : html`
              <wa-button
                size="s" appearance="plain" ?loading=${isSame(this.leaving, stats)}
                @click=${() => this.#emit("unload", stats)}
              >Unload<span class="visually-hidden"> ${name}</span></wa-button>
            `}
          </div>
        </td>
      </tr>
    `;
  }

  #emit(act: string, detail: TensorModelStats): void {
    this.dispatchEvent(new CustomEvent<TensorModelStats>(`bkg-${act}-model`, { detail }));
  }
}

/** Its file, where that says more than its id. */
function describeFile({ model, kind, file }: TensorModelStats): string {
  if (kind === "linear") return "Linear";
  return file === undefined || file === `${model}.onnx` ? "ONNX" : capText(file, 100);
}

function isSame(one: TensorModelStats | undefined, { model, file }: TensorModelStats): boolean {
  return one !== undefined && one.model === model && one.file === file;
}

const maxShown = 200;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-tensor-models": BkgTensorModels;
  }
}
