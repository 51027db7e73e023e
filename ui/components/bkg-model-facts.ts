// All that is known of one model that is here: what it is, what it needs, its files, and how it is called.
// Emits `bkg-verify-model`, `bkg-trust-model`, `bkg-update-model`, `bkg-pin-model` and `bkg-delete-model` with the
// model.

import { consume } from "@lit/context";
import { Task } from "@lit/task";
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { writesText } from "../../plugins/runtime/contract/model_summary.ts";
import { getModel, type Model, type ModelFileView } from "../api/models.ts";
import type { Machine } from "../api/machine.ts";
import { type App, appContext } from "../app.ts";
import { openChatWith } from "../controllers/new_chat.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { jobsOf } from "../stores/jobs.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-code-block.ts";
import "./bkg-copy-button.ts";
import "./bkg-error-notice.ts";
import { describeFit, gradeFit, gradeWords } from "./fit_words.ts";
import { capText, formatBytes, formatCount, formatPlural } from "./format.ts";
import {
  fitOf,
  formatContext,
  formatName,
  formatParameters,
  keptElsewhere,
  modelExample,
  originWords,
  taskWords,
  trustWords,
} from "./model_words.ts";
import { exactTime, pastTime } from "./time_words.ts";
import "./icons.ts";

@customElement("bkg-model-facts")
export class BkgModelFacts extends LitElement {
  @property({ attribute: false })
  accessor model!: Model;
  /** Undefined while it is not known: then nothing is said of memory. */
  @property({ attribute: false })
  accessor machine: Machine | undefined;
  @property({ type: Boolean })
  accessor readonly = false;
  @consume({ context: appContext })
  @state()
  private accessor app!: App;

  readonly #details = new Task(this, {
    args: () => [this.model.id] as const,
    task: ([id], { signal }) => getModel(this.app.api, id, signal),
  });

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: grid;
        gap: var(--bkg-gap);
      }
      dl {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 8rem), 1fr));
        gap: var(--wa-space-s) var(--bkg-gap);
      }
      dt {
        font: var(--bkg-label);
        color: var(--wa-color-text-quiet);
      }
      dd {
        font-size: var(--wa-font-size-s);
        font-variant-numeric: tabular-nums;
        overflow-wrap: anywhere;
      }
      section {
        display: grid;
        gap: var(--wa-space-xs);
        grid-template-columns: minmax(0, 1fr);
      }
      .id {
        display: flex;
        align-items: center;
        gap: var(--wa-space-2xs);
      }
      ul {
        display: grid;
        gap: var(--wa-space-xs);
        padding: 0;
        list-style: none;
      }
      .digest {
        display: flex;
        align-items: center;
        min-height: 2rem;
      }
      .wait {
        height: 4rem;
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [jobsOf(this.app)]);
  }

  override render() {
    const { model } = this;
    return html`
      <div class="id">
        <span class="mono wrap isolate" dir="auto">${capText(model.id, 200)}</span>
        <bkg-copy-button .text=${model.id} label="Copy the model's id"></bkg-copy-button>
      </div>
      ${model.description === undefined ? nothing : html`
        <p class="quiet wrap isolate" dir="auto">${capText(model.description, 600)}</p>
      `}
      ${this.#acts()}
      ${this.#facts()}
      ${this.#files()}
      ${this.#fit()}
      ${!writesText(model) ? nothing : html`
        <section aria-labelledby="call">
          <h3 id="call">Call it</h3>
          <bkg-code-block
            label="Example"
            .code=${modelExample({ baseUrl: document.baseURI, model: model.id })}
          ></bkg-code-block>
          <p class="quiet small">TOKEN is an <a href="api-keys">API key</a>. Any OpenAI client works
            with this address.</p>
        </section>
      `}
    `;
  }

  #acts() {
    const { model } = this;
    const verifying = jobsOf(this.app).workingOn(model.id);
    const kept = keptElsewhere[model.origin];
    return html`
      <div class="row">
        ${!writesText(model) ? nothing : html`
          <wa-button size="s" variant="brand" @click=${() => openChatWith(model.id)}>
            <wa-icon slot="start" name="message"></wa-icon>Chat with it
          </wa-button>
        `}
        ${this.readonly ? nothing : html`
          <wa-button
            size="s" appearance="outlined" ?loading=${verifying !== undefined}
            @click=${() => this.#emit("verify")}
          ><wa-icon slot="start" name="shield-check"></wa-icon>Verify files</wa-button>
          ${model.origin === "demo" ? nothing : html`
            <wa-button
              size="s" appearance="outlined" ?disabled=${verifying !== undefined}
              @click=${() => this.#emit("trust")}
            >
              <wa-icon slot="start" name=${model.trusted ? "x" : "badge-check"}></wa-icon>
              ${model.trusted ? "Trust no more" : "Trust"}
            </wa-button>
          `}
          ${kept !== undefined ? nothing : html`
            ${model.source === undefined || this.machine?.offline === true ? nothing : html`
              <wa-button size="s" appearance="outlined" @click=${() => this.#emit("update")}>
                <wa-icon slot="start" name="refresh"></wa-icon>Update
              </wa-button>
            `}
            <wa-button size="s" appearance="outlined" @click=${() => this.#emit("pin")}>
              <wa-icon slot="start" name=${model.pinned ? "pin-off" : "pin"}></wa-icon>
              ${model.pinned ? "Unpin" : "Pin"}
            </wa-button>
            <wa-button
              size="s" appearance="outlined" variant="danger" @click=${() => this.#emit("delete")}
            ><wa-icon slot="start" name="trash"></wa-icon>Delete</wa-button>
          `}
        `}
      </div>
      ${kept === undefined || this.readonly ? nothing : html`<p class="quiet small">${kept}.</p>`}
    `;
  }

  #facts() {
    const { model } = this;
    return html`
      <dl>
        ${fact("For", model.task === undefined ? "Not known" : taskWords[model.task])}
        ${fact("Name", capText(model.name ?? "", 100))}
        ${fact("Format", formatName(model.format))}
        ${fact("Quantisation", capText(model.quantization, 40))}
        ${fact("Parameters", formatParameters(model.parameterCount))}
        ${fact("Size", formatBytes(model.size))}
        ${fact("Architecture", capText(model.architecture, 60))}
        ${fact("Context", formatContext(model.contextLength))}
        ${fact(
          "Vocabulary",
          model.shape === undefined ? "" : `${formatCount(model.shape.vocabSize)} tokens`,
        )}
        ${fact("Chat template", model.format !== "gguf" ? "" : model.chatTemplate ? "Yes" : "No")}
        ${fact("Licence", capText(model.license ?? "Not told", 100))}
        ${fact("From", originWords[model.origin])}
        ${fact("Native engines", this.#trust())}
        ${fact("Source", capText(model.source ?? "", 300))}
        ${fact("Here since", exactTime(model.createdAtMs))}
        ${fact("Last used", model.usedAtMs === undefined ? "" : pastTime(model.usedAtMs))}
        ${fact("Pinned", model.pinned ? "Yes: it stays until it is unpinned" : "")}
      </dl>
    `;
  }

  #trust() {
    const { trusted, changedSinceTrusted } = this.model;
    const icon = trusted ? "badge-check" : changedSinceTrusted ? "shield-alert" : "minus";
    return html`
      <wa-icon name=${icon}></wa-icon> ${trustWords(this.model)}
    `;
  }

  #fit() {
    const { machine } = this;
    const details = this.#details.value;
    if (machine === undefined || details === undefined) return nothing;
    const fit = fitOf(details, machine);
    const { weights, kvCache, runtime } = fit.parts;
    return html`
      <section aria-labelledby="fit">
        <h3 id="fit">Memory</h3>
        <p class="small">
          <strong>${gradeWords[gradeFit(fit, machine)]}:</strong> ${describeFit(fit, machine)}.
        </p>
        <p
          class="quiet small number">Weights ${formatBytes(weights)}, context ${formatBytes(
            kvCache,
          )}, engine ${formatBytes(runtime)}.${fit.contextLength === undefined
            ? ""
            : ` Room for ${formatContext(fit.contextLength) || "no"} of context.`}</p>
      </section>
    `;
  }

  #files() {
    return html`
      <section aria-labelledby="files">
        <h3 id="files">Files</h3>
        ${this.#details.render({
          pending: () =>
            html`
              <div class="skeleton wait" role="status" aria-label="Reading the files"></div>
            `,
          complete: ({ files }) => this.#fileList(files),
          error: (error) =>
            html`
              <bkg-error-notice
                heading="The files could not be read" .error=${error}
                .retry=${() => void this.#details.run()}
              ></bkg-error-notice>
            `,
        })}
      </section>
    `;
  }

  #fileList(files: readonly ModelFileView[]) {
    return html`
      <ul class="small">
        ${files.slice(0, shownFiles).map(({ name, size, digest }) =>
          html`
            <li>
              <div class="row spread">
                <span class="mono wrap isolate" dir="auto">${capText(name, 200)}</span>
                <span class="number">${formatBytes(size)}</span>
              </div>
              ${digest === undefined ? nothing : html`
                <div class="digest quiet">
                  <span class="mono clip" title=${digest}>${capText(digest, 26)}</span>
                  <bkg-copy-button
                    .text=${digest} label=${`Copy the digest of ${capText(name, 100)}`}
                  ></bkg-copy-button>
                </div>
              `}
            </li>
          `
        )}
      </ul>
      ${files.length <= shownFiles ? nothing : html`
        <p class="quiet small">and ${formatPlural(files.length - shownFiles, "further file")}</p>
      `}
    `;
  }

  #emit(act: string): void {
    this.dispatchEvent(
      new CustomEvent(`bkg-${act}-model`, { detail: this.model, bubbles: true, composed: true }),
    );
  }
}

function fact(name: string, value: string | TemplateResult) {
  return value === "" ? nothing : html`
    <div>
      <dt>${name}</dt>
      <dd class="isolate" dir="auto">${value}</dd>
    </div>
  `;
}

const shownFiles = 100;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-model-facts": BkgModelFacts;
  }
}
