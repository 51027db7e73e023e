// The models that are here: found by name and task, each with what can be done with it. Emits `bkg-show-model` with
// the id, `bkg-verify-model`, `bkg-trust-model`, `bkg-pin-model` and `bkg-delete-model` with the model. Names are
// strangers' texts.

import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/dropdown/dropdown.js";
import "@awesome.me/webawesome/dist/components/dropdown-item/dropdown-item.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import { writesText } from "../../plugins/runtime/contract/model_summary.ts";
import type { Model } from "../api/models.ts";
import { openChatWith } from "../controllers/new_chat.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-empty-state.ts";
import { dataTableStyles } from "./data_table_styles.ts";
import { capText, formatBytes, formatPlural } from "./format.ts";
import {
  formatContext,
  formatName,
  formatParameters,
  originWords,
  taskWords,
} from "./model_words.ts";
import { pastTime } from "./time_words.ts";
import "./icons.ts";

@customElement("bkg-model-table")
export class BkgModelTable extends LitElement {
  @property({ attribute: false })
  accessor models: readonly Model[] = [];
  @property({ type: Boolean })
  accessor readonly = false;
  @state()
  private accessor search = "";
  @state()
  private accessor limit = pageSize;

  static override styles = [
    sharedStyles,
    dataTableStyles,
    css`
      .is-kind {
        width: 9rem;
      }
      .is-size {
        width: 10rem;
      }
      .is-context {
        width: 8rem;
      }
      .is-origin {
        width: 10.5rem;
      }
      .is-actions {
        width: 7rem;
      }
      .name {
        padding: 0.125rem 0;
        border: 0;
        border-radius: var(--wa-border-radius-s);
        background: none;
        color: var(--wa-color-text-normal);
        font: var(--bkg-mono);
        font-weight: var(--wa-font-weight-semibold);
        text-align: start;
        cursor: pointer;
      }
      .name:hover {
        color: var(--wa-color-text-link);
        text-decoration: underline;
      }
    `,
  ];

  override render() {
    const word = this.search.trim().toLowerCase();
    const found = this.models.filter((model) => matches(model, word));
    const shown = found.slice(0, this.limit);
    return html`
      <div class="stack">
        ${this.models.length <= manyModels ? nothing : html`
          <div class="tools">
            <wa-input
              class="hidden-label" type="search" size="s" with-clear
              label="Search the models that are here" placeholder="Search by name or task"
              .value=${live(this.search)} @input=${this.#find}
            >
              <wa-icon slot="start" name="search"></wa-icon>
            </wa-input>
          </div>
        `}
        <p class="visually-hidden" role="status">${formatPlural(found.length, "model")} shown</p>
        ${found.length === 0 ? this.#none() : html`
          <div class="card table">
            <table role="table" aria-label="Models that are here">
              <thead role="rowgroup">
                <tr role="row">
                  <th role="columnheader" scope="col">Model</th>
                  <th role="columnheader" scope="col" class="is-kind">Format</th>
                  <th role="columnheader" scope="col" class="is-size">Size</th>
                  <th role="columnheader" scope="col" class="is-context">Context</th>
                  <th role="columnheader" scope="col" class="is-origin">From</th>
                  <th role="columnheader" scope="col" class="is-actions">
                    <span class="visually-hidden">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody role="rowgroup">
                ${repeat(shown, ({ id }) => id, (model) => this.#row(model))}
              </tbody>
            </table>
          </div>
        `}
        ${found.length <= shown.length ? nothing : html`
          <div class="more">
            <wa-button
              appearance="outlined" size="s" @click=${() => this.limit += pageSize}
            >Show more models</wa-button>
          </div>
        `}
      </div>
    `;
  }

  #row(model: Model) {
    const { id, task, format, quantization, parameterCount, size, contextLength } = model;
    const name = capText(id, 200);
    return html`
      <tr role="row">
        <th role="rowheader" scope="row">
          <button
            type="button" class="name wrap isolate" dir="auto"
            @click=${() => this.#emit("show", id)}
          >${name}</button>
          <small>${task === undefined ? "Task not known" : taskWords[task]}${model.pinned
            ? html`
              · <wa-icon name="pin"></wa-icon> pinned
            `
            : nothing}${this.#trust(model)}</small>
        </th>
        <td role="cell" data-label="Format">
          ${formatName(format)}
          <small class="isolate">${capText(quantization, 30)}</small>
        </td>
        <td role="cell" class="number" data-label="Size">
          ${formatBytes(size)}
          <small>${formatParameters(parameterCount)} parameters</small>
        </td>
        <td role="cell" class="number" data-label="Context">
          ${formatContext(contextLength) || html`<span class="quiet">–</span>`}
        </td>
        <td role="cell" class="number" data-label="From">
          ${originWords[model.origin]}
          ${model.usedAtMs === undefined ? nothing : html`
            <small>used ${pastTime(model.usedAtMs)}</small>
          `}
        </td>
        <td role="cell" class="wide">${this.#actions(model, name)}</td>
      </tr>
    `;
  }

  /** What came with bkg is trusted without a word. */
  #trust({ origin, trusted, changedSinceTrusted }: Model) {
    if (trusted && origin !== "demo") {
      return html`
        · <wa-icon name="badge-check"></wa-icon> trusted
      `;
    }
    return changedSinceTrusted
      ? html`
        · <wa-icon name="shield-alert"></wa-icon> changed since it was trusted
      `
      : nothing;
  }

  #actions(model: Model, name: string) {
    return html`
      <div class="actions">
        ${!writesText(model) ? nothing : html`
          <wa-button
            size="s" appearance="plain" title="Chat" @click=${() => openChatWith(model.id)}
          >
            <wa-icon name="message" label=${`Chat with ${name}`}></wa-icon>
          </wa-button>
        `}
        <wa-dropdown
          placement="bottom-end"
          @wa-select=${({ detail }: CustomEvent<{ item: { value?: string } }>) =>
            this.#act(model, detail.item.value)}
        >
          <wa-button slot="trigger" size="s" appearance="plain">
            <wa-icon name="ellipsis" label=${`More for ${name}`}></wa-icon>
          </wa-button>
          <wa-dropdown-item value="show">
            <wa-icon slot="icon" name="info"></wa-icon>Details
          </wa-dropdown-item>
          ${this.readonly ? nothing : html`
            <wa-dropdown-item value="verify">
              <wa-icon slot="icon" name="shield-check"></wa-icon>Verify files
            </wa-dropdown-item>
            ${model.origin === "demo" ? nothing : html`
              <wa-dropdown-item value="trust">
                <wa-icon slot="icon" name=${model.trusted ? "x" : "badge-check"}></wa-icon>
                ${model.trusted ? "Trust no more" : "Trust for native engines"}
              </wa-dropdown-item>
            `}
            ${model.origin !== "store" ? nothing : html`
              <wa-dropdown-item value="pin">
                <wa-icon slot="icon" name=${model.pinned ? "pin-off" : "pin"}></wa-icon>
                ${model.pinned ? "Unpin" : "Pin"}
              </wa-dropdown-item>
              <wa-dropdown-item value="delete" variant="danger">
                <wa-icon slot="icon" name="trash"></wa-icon>Delete
              </wa-dropdown-item>
            `}
          `}
        </wa-dropdown>
      </div>
    `;
  }

  #none() {
    return html`
      <div class="card">
        <bkg-empty-state icon="search" heading="No model has this in its name">
          <wa-button appearance="outlined" @click=${() => this.search = ""}>Show all</wa-button>
        </bkg-empty-state>
      </div>
    `;
  }

  #find(event: Event): void {
    this.search = (event.target as HTMLInputElement).value ?? "";
    this.limit = pageSize;
  }

  #act(model: Model, act: string | undefined): void {
    if (act === "show") this.#emit("show", model.id);
    else if (act !== undefined) this.#emit(act, model);
  }

  #emit(act: string, detail: unknown): void {
    this.dispatchEvent(
      new CustomEvent(`bkg-${act}-model`, { detail, bubbles: true, composed: true }),
    );
  }
}

const pageSize = 100;
const manyModels = 6;

function matches(
  { id, name = "", task, architecture, quantization }: Model,
  word: string,
): boolean {
  const texts = [id, name, task === undefined ? "" : taskWords[task], architecture, quantization];
  return word === "" || texts.some((text) => text.toLowerCase().includes(word));
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-model-table": BkgModelTable;
  }
}
