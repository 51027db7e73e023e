// Makes an int8 model of a float32 one, and tells what that brought: size, error, speed. Emits `bkg-changed` when there
// is a new model. Names of nodes and outputs are a model file's texts.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/checkbox/checkbox.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import "@awesome.me/webawesome/dist/components/option/option.js";
import "@awesome.me/webawesome/dist/components/select/select.js";
import { type App, appContext } from "../app.ts";
import { callOnce } from "../controllers/capability_poll.ts";
import { parseQuantisation, type Quantisation } from "../stores/tensor_models.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-error-notice.ts";
import { capText, formatBytes, formatMilliseconds, formatPercent, formatPlural } from "./format.ts";
import { foldStyles } from "./fold_styles.ts";
import { saveFile } from "./save_file.ts";
import { fromBase64 } from "./tensor_values.ts";
import { compareSpeed } from "./tensor_words.ts";
import "./icons.ts";

@customElement("bkg-quantise")
export class BkgQuantise extends LitElement {
  @property({ attribute: false })
  accessor models: readonly string[] = [];

  @consume({ context: appContext })
  accessor app!: App;

  @state()
  private accessor model: string | undefined;
  @state()
  private accessor as = "";
  @state()
  private accessor keep = false;
  @state()
  private accessor report: Quantisation | undefined;
  @state()
  private accessor error: unknown;
  @state()
  private accessor busy = false;

  readonly #left = new AbortController();

  static override styles = [
    sharedStyles,
    foldStyles,
    css`
      form {
        display: grid;
        grid-template-columns: repeat(2, minmax(0, 1fr)) auto;
        align-items: end;
        gap: var(--bkg-gap-s);
      }
      .keep {
        grid-column: 1 / -1;
      }
      dl {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 13rem), 1fr));
        gap: var(--bkg-gap);
      }
      dd {
        font-variant-numeric: tabular-nums;
        overflow-wrap: anywhere;
      }
      ul {
        padding-inline-start: var(--wa-space-m);
        overflow-wrap: anywhere;
      }
      @media (max-width: 48rem) {
        form {
          grid-template-columns: minmax(0, 1fr);
          justify-items: start;
        }
        form wa-select,
        form wa-input {
          width: 100%;
        }
      }
    `,
  ];

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#left.abort();
  }

  override render() {
    const at = this.models.indexOf(this.model ?? "");
    return html`
      <details class="fold">
        <summary>
          <h2>Make a smaller one</h2>
          <span class="quiet small">int8 from float32, compared on invented inputs</span>
          <wa-icon class="chevron" name="chevron-down"></wa-icon>
        </summary>
        <div class="inside stack">
          <form novalidate @submit=${this.#submit}>
            <wa-select
              label="Model" placeholder="Choose one" .value=${at < 0 ? "" : `model-${at}`}
              @change=${this.#choose}
            >
              ${this.models.slice(0, maxModels).map((id, index) =>
                html`<wa-option value=${`model-${index}`}>${capText(id, 120)}</wa-option>`
              )}
            </wa-select>
            <wa-input
              label="New id" autocomplete="off" placeholder="yunet-int8" .value=${live(this.as)}
              @input=${(event: Event) =>
                this.as = String(
                  (event.target as HTMLInputElement).value ?? "",
                )}
            ></wa-input>
            <wa-button
              type="submit" variant="brand" ?loading=${this.busy}
              ?disabled=${this.model === undefined || this.as.trim() === ""}
            >Quantise</wa-button>
            <wa-checkbox
              class="keep" size="s" .checked=${this.keep}
              @change=${(event: Event) => this.keep = (event.target as HTMLInputElement).checked}
            >Save the new model's file, to keep it</wa-checkbox>
          </form>
          <bkg-error-notice
            heading="It was not quantised" .error=${this.error}
            .dismiss=${() => this.error = undefined}
          ></bkg-error-notice>
          <div role="status">${this.report === undefined
            ? nothing
            : this.#report(this.report)}</div>
        </div>
      </details>
    `;
  }

  #report(report: Quantisation) {
    const { model, sizeBefore, sizeAfter, quantized, left, errors, beforeMs, afterMs } = report;
    return html`
      <div class="stack">
        <p><strong class="mono isolate" dir="auto">${capText(
          model,
          200,
        )}</strong> is loaded, as yours
          alone, until it is unloaded.</p>
        <dl>
          ${fact("Size", `${formatBytes(sizeBefore)} → ${formatBytes(sizeAfter)}`)}
          ${fact("A run", `${formatMilliseconds(beforeMs)} → ${formatMilliseconds(afterMs)}`)}
          ${fact("Speed", compareSpeed({ beforeMs, afterMs }))}
          ${fact("In int8", formatPlural(quantized, "node"))}
          ${errors.slice(0, maxListed).map(({ output, meanRelative, maxRelative }) =>
            fact(
              `Error of ${capText(output, 60)}`,
              `${share(meanRelative)} mean, ${share(maxRelative)} at most`,
            )
          )}
        </dl>
        ${left.length === 0 ? nothing : html`
          <details class="small">
            <summary>${formatPlural(left.length, "product")} left in float32</summary>
            <ul>
              ${left.slice(0, maxListed).map(({ node, why }) =>
                html`<li class="isolate" dir="auto">${capText(node, 100)}: ${
                  capText(why, 300)
                }</li>`
              )}
            </ul>
          </details>
        `}
      </div>
    `;
  }

  #choose(event: Event): void {
    const value = String((event.target as HTMLInputElement).value ?? "");
    this.model = this.models[Number(value.slice("model-".length))];
    if (this.model !== undefined && this.as === "") this.as = `${this.model.slice(0, 290)}-int8`;
  }

  async #submit(event: Event): Promise<void> {
    event.preventDefault();
    const { model } = this;
    const as = this.as.trim();
    if (this.busy || model === undefined || as === "") return;
    this.busy = true;
    this.error = this.report = undefined;
    try {
      const input = { model, as, ...(this.keep ? { return: "bytes" } : {}) };
      const { signal } = this.#left;
      const report = parseQuantisation(
        await callOnce(this.app.homes, "candle.quantize", { input, signal }),
      );
      this.report = report;
      const bytes = report.bytes === undefined ? undefined : fromBase64(report.bytes);
      if (bytes !== undefined) {
        const name = `${as.replaceAll(/[^\w.-]+/g, "_")}.onnx`;
        saveFile({ name, blob: new Blob([bytes]) });
      }
      this.dispatchEvent(new CustomEvent("bkg-changed"));
    } catch (error) {
      this.error = error;
    } finally {
      this.busy = false;
    }
  }
}

const maxModels = 500;
const maxListed = 100;

function share(value: number | undefined): string {
  return formatPercent(value === undefined ? undefined : value * 100);
}

function fact(term: string, value: string) {
  return html`
    <div>
      <dt class="label isolate" dir="auto">${term}</dt>
      <dd>${value}</dd>
    </div>
  `;
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-quantise": BkgQuantise;
  }
}
