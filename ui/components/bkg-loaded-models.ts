// The models of a language model plugin that are in memory: what for, on which backend, how much, how fast.
// Ids are strangers' texts.

import { css, html, LitElement, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { LoadedModel } from "../stores/llm_models.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { describeBackend } from "./engine_words.ts";
import { capText, formatBytes, formatDuration } from "./format.ts";
import { describeActivity, formatSpeed, useWords } from "./loaded_words.ts";
import { residentTableStyles } from "./resident_table_styles.ts";

@customElement("bkg-loaded-models")
export class BkgLoadedModels extends LitElement {
  @property({ attribute: false })
  accessor models: readonly LoadedModel[] = [];

  static override styles = [
    sharedStyles,
    residentTableStyles,
    css`
      .is-state {
        width: 10rem;
      }
      .is-speed {
        width: 8.5rem;
      }
    `,
  ];

  override render() {
    const shown = this.models.slice(0, maxShown);
    return html`
      <div class="card table">
        <table role="table" aria-label="Models in memory">
          <thead role="rowgroup">
            <tr role="row">
              <th role="columnheader" scope="col">Model</th>
              <th role="columnheader" scope="col" class="is-backend">Runs in</th>
              <th role="columnheader" scope="col" class="is-bytes">Memory</th>
              <th role="columnheader" scope="col" class="is-state">Now</th>
              <th role="columnheader" scope="col" class="is-speed">Last answer</th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            ${repeat(shown, ({ id, use }) => `${use} ${id}`, (model) => this.#row(model))}
          </tbody>
        </table>
      </div>
      ${this.models.length === shown.length
        ? nothing
        : html`<p class="quiet small">And ${this.models.length - shown.length} more</p>`}
    `;
  }

  #row(model: LoadedModel) {
    const { id, use, bytes, loadMs, tokensPerSecond } = model;
    const { word, more, isBusy } = describeActivity(model);
    return html`
      <tr role="row">
        <th role="rowheader" scope="row">
          <span class="wrap isolate" dir="auto">${capText(id, 200)}</span>
          <small>${useWords[use]}</small>
        </th>
        <td role="cell" data-label="Runs in" class="wide">
          <div class="backend isolate" dir="auto">${describeBackend(model)}</div>
          ${loadMs === undefined
            ? nothing
            : html`<small>loaded in ${formatDuration(loadMs)}</small>`}
        </td>
        <td role="cell" class="number" data-label="Memory">${formatBytes(bytes)}</td>
        <td role="cell" class="number" data-label="Now">
          <span class=${isBusy ? "dot good" : "dot"}>${word}</span>
          ${more === "" ? nothing : html`<small>${more}</small>`}
        </td>
        <td role="cell" class="number" data-label="Last answer">${formatSpeed(
          use === "text" ? tokensPerSecond : undefined,
        )}</td>
      </tr>
    `;
  }
}

const maxShown = 100;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-loaded-models": BkgLoadedModels;
  }
}
