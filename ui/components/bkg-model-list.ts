// The models that the server found, or where to put some.

import { consume } from "@lit/context";
import { Task } from "@lit/task";
import { css, html, LitElement, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText, formatBytes, formatCount, formatNumber, formatPlural } from "./format.ts";
import "./bkg-code-block.ts";
import "./bkg-empty-state.ts";
import "./bkg-error-notice.ts";
import "./icons.ts";

/** Of GET /api/models; names come out of model files, and so from strangers. */
interface Model {
  id: string;
  name?: string;
  format: string;
  /** Bytes. */
  size: number;
  architecture: string;
  parameterCount: number;
  quantization: string;
  /** Tokens. */
  contextLength?: number;
}

@customElement("bkg-model-list")
export class BkgModelList extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor all = false;

  readonly #models = new Task(this, {
    args: () => [],
    task: async (_, { signal }) => {
      const { models } = await this.app.api.get<{ models: Model[] }>("/api/models", { signal });
      return models;
    },
  });

  static override styles = [
    sharedStyles,
    css`
      .card {
        padding: 0;
        overflow: hidden;
      }
      .bar {
        min-height: 2.25rem;
      }
      .bar a {
        text-decoration: none;
      }
      ul {
        padding: 0;
        list-style: none;
      }
      li {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        justify-content: space-between;
        gap: 0 var(--wa-space-l);
        padding: var(--wa-space-s) var(--bkg-card-padding);
      }
      li + li {
        border-block-start: var(--bkg-card-border);
      }
      li .mono {
        flex: 1 1 12rem;
      }
      .facts {
        display: flex;
        flex-wrap: wrap;
        gap: 0 var(--wa-space-m);
      }
      .all {
        display: block;
        width: 100%;
        border-block-start: var(--bkg-card-border);
      }
      .wait {
        height: 7rem;
      }
      .error {
        padding: var(--bkg-card-padding);
      }
      bkg-code-block {
        width: min(30rem, 100%);
        text-align: start;
      }
    `,
  ];

  override render() {
    return html`
      <section class="stack" aria-labelledby="heading">
        <div class="row spread bar">
          <h2 id="heading">
            Models
            <span class="quiet number">${this.#models.value?.length ?? ""}</span>
          </h2>
          <div class="row">
            <wa-button
              size="s"
              appearance="plain"
              ?loading=${this.#models.status === 1}
              @click=${() => this.#models.run()}
            >
              <wa-icon slot="start" name="refresh"></wa-icon>Look again
            </wa-button>
            <a class="small" href="models">Manage models</a>
          </div>
        </div>
        <div class="card" aria-live="polite">
          ${this.#models.render({
            pending: () =>
              this.#models.value === undefined
                ? html`<div class="skeleton wait" aria-label="Loading"></div>`
                : this.#list(this.#models.value),
            complete: (models) => models.length === 0 ? this.#empty() : this.#list(models),
            error: (error) =>
              html`
                <div class="error">
                  <bkg-error-notice
                    heading="The models could not be listed"
                    .error=${error}
                    .retry=${() => this.#models.run()}
                  ></bkg-error-notice>
                </div>
              `,
          })}
        </div>
      </section>
    `;
  }

  #list(models: readonly Model[]) {
    const shown = this.all ? models : models.slice(0, shortList);
    return html`
      <ul>
        ${shown.map((model) =>
          html`
            <li>
              <span class="mono wrap isolate" dir="auto">${capText(model.id, 200)}</span>
              <span class="facts quiet small number">
                <span>${formatParameters(model.parameterCount)}</span>
                <span class="isolate">${capText(model.quantization, 30)}</span>
                ${model.contextLength === undefined
                  ? nothing
                  : html`<span>${formatCount(model.contextLength)} tokens</span>`}
                <span>${formatBytes(model.size)}</span>
              </span>
            </li>
          `
        )}
      </ul>
      ${models.length <= shortList ? nothing : html`
        <wa-button class="all" appearance="plain" size="s" @click=${() => this.all = !this.all}>
          ${this.all ? "Show fewer" : `Show all ${formatPlural(models.length, "model")}`}
        </wa-button>
      `}
    `;
  }

  #empty() {
    return html`
      <bkg-empty-state
        icon="box"
        heading="No models yet"
        text="Pull one from the catalogue, put files into the folder “models” in the server's data folder, or name other folders when you start it."
      >
        <wa-button variant="brand" href="models#catalogue">Look at the catalogue</wa-button>
        <bkg-code-block
          label="Command"
          .code=${"BKG_MODEL_PATHS=/path/to/models bkg serve"}
        ></bkg-code-block>
      </bkg-empty-state>
    `;
  }
}

const shortList = 6;

/** 7_241_000_000 -> "7.24 B parameters" */
function formatParameters(count: number): string {
  if (count >= 1e9) return `${formatNumber(count / 1e9)} B parameters`;
  if (count >= 1e6) return `${formatNumber(count / 1e6)} M parameters`;
  return formatPlural(count, "parameter");
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-model-list": BkgModelList;
  }
}
