// Runs an ONNX model on tensors: a model is chosen and loaded, which tells its inputs; each is filled, and a run shows
// what came out. Errors come as the plugin words them, at the input that they name. Emits `bkg-changed` after each call.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/option/option.js";
import "@awesome.me/webawesome/dist/components/select/select.js";
import { type AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import { type App, appContext } from "../app.ts";
import { callOnce } from "../controllers/capability_poll.ts";
import {
  filesToChoose,
  type LoadedTensorModel,
  modelInput,
  parseLoadedModel,
  parseRun,
  type TensorInfo,
  type TensorRun,
} from "../stores/tensor_models.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-empty-state.ts";
import "./bkg-error-notice.ts";
import "./bkg-tensor-input.ts";
import "./bkg-tensor-output.ts";
import { describeBackend } from "./engine_words.ts";
import { capText, formatMilliseconds, formatPlural } from "./format.ts";
import { buildTensor, describeTensor, draftOf, type TensorDraft } from "./tensor_values.ts";
import "./icons.ts";

@customElement("bkg-tensor-runner")
export class BkgTensorRunner extends LitElement {
  /** Ids that can be chosen; undefined until they were read. */
  @property({ attribute: false })
  accessor models: readonly string[] | undefined;
  @property({ attribute: false })
  accessor model: string | undefined;

  @consume({ context: appContext })
  accessor app!: App;

  /** Those of the model, where one must be named. */
  @state()
  private accessor files: readonly string[] = [];
  @state()
  private accessor file: string | undefined;
  @state()
  private accessor loaded: LoadedTensorModel | undefined;
  @state()
  private accessor drafts: ReadonlyMap<string, TensorDraft> = new Map();
  @state()
  private accessor issues: ReadonlyMap<string, string> = new Map();
  @state()
  private accessor run: TensorRun | undefined;
  @state()
  private accessor error: { heading: string; error: AppError } | undefined;
  @state()
  private accessor doing: "load" | "run" | undefined;

  #calling: AbortController | undefined;

  static override styles = [
    sharedStyles,
    css`
      .choose {
        display: flex;
        align-items: end;
        gap: var(--bkg-gap-s);
      }
      .choose wa-select {
        flex: 0 1 24rem;
        min-width: 0;
      }
      .two {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
        gap: var(--bkg-gap);
        align-items: start;
      }
      .side {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: var(--bkg-gap-s);
      }
      .signature {
        padding: 0;
        list-style: none;
      }
      .signature li {
        overflow-wrap: anywhere;
      }
      .outputs {
        border: var(--bkg-card-border);
        border-radius: var(--bkg-card-radius);
      }
      .outputs > * + * {
        border-block-start: var(--bkg-card-border);
      }
      .hole {
        padding: var(--wa-space-m);
        border: var(--wa-border-width-s) dashed var(--wa-color-surface-border);
        border-radius: var(--bkg-card-radius);
      }
      @media (max-width: 36rem) {
        .choose {
          flex-direction: column;
          align-items: flex-start;
        }
        .choose wa-select {
          flex: none;
          width: 100%;
        }
      }
    `,
  ];

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#calling?.abort();
  }

  /** Takes a model as if it was chosen and loaded here. */
  async use({ model, file }: { model: string; file?: string }): Promise<void> {
    this.#choose(model);
    this.file = file;
    this.files = file === undefined ? [] : [file];
    await this.#load();
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>("#run-heading")?.focus();
  }

  override render() {
    const { models, error } = this;
    return html`
      <section class="card stack" aria-labelledby="run-heading">
        <h2 id="run-heading" tabindex="-1">Run a model</h2>
        ${models?.length === 0
          ? html`
            <bkg-empty-state
              icon="box" heading="No ONNX model is here"
              text="Pull one by the address of its file, or put it into a folder of models."
            >
              <wa-button appearance="outlined" href="models">See the models</wa-button>
            </bkg-empty-state>
          `
          : this.#chooser(models ?? [])}
        <bkg-error-notice
          heading=${error?.heading ?? ""} .error=${error?.error}
          .dismiss=${() => this.error = undefined}
        ></bkg-error-notice>
        ${this.loaded === undefined ? nothing : this.#running(this.loaded)}
      </section>
    `;
  }

  #chooser(models: readonly string[]) {
    const at = models.indexOf(this.model ?? "");
    return html`
      <div class="choose">
        <wa-select
          label="Model" placeholder="Choose one" .value=${at < 0 ? "" : `model-${at}`}
          @change=${(event: Event) => {
            const value = String((event.target as HTMLInputElement).value ?? "");
            this.#choose(models[Number(value.slice("model-".length))]);
          }}
        >
          ${models.slice(0, maxModels).map((id, index) =>
            html`<wa-option value=${`model-${index}`}>${capText(id, 120)}</wa-option>`
          )}
        </wa-select>
        ${this.files.length < 2 ? nothing : this.#fileChooser()}
        <wa-button
          variant=${this.loaded === undefined ? "brand" : "neutral"}
          appearance=${this.loaded === undefined ? "accent" : "outlined"}
          ?disabled=${this.model === undefined || this.doing === "run"}
          ?loading=${this.doing === "load"} @click=${() => void this.#load()}
        >${this.loaded === undefined ? "Load" : "Load again"}</wa-button>
      </div>
    `;
  }

  #fileChooser() {
    return html`
      <wa-select
        label="File" placeholder="It has several: choose one" .value=${this.file === undefined
          ? ""
          : `file-${this.files.indexOf(this.file)}`}
        @change=${(event: Event) => {
          const value = String((event.target as HTMLInputElement).value ?? "");
          this.file = this.files[Number(value.slice("file-".length))];
          this.#reset();
        }}
      >
        ${this.files.map((file, index) =>
          html`<wa-option value=${`file-${index}`}>${capText(file, 120)}</wa-option>`
        )}
      </wa-select>
    `;
  }

  #running(loaded: LoadedTensorModel) {
    const { inputs, outputs, loadMs, warmUpMs } = loaded;
    const times = [
      `${describeBackend(loaded)}`,
      loadMs === undefined ? "" : `loaded in ${formatMilliseconds(loadMs)}`,
      warmUpMs === undefined ? "" : `first run ${formatMilliseconds(warmUpMs)}`,
    ].filter((text) => text !== "");
    return html`
      <p class="quiet small number isolate" dir="auto" role="status">Loaded: ${times.join(", ")}</p>
      <div class="two">
        <div class="side">
          <h3>${formatPlural(inputs.length, "input")}</h3>
          ${inputs.slice(0, maxInputs).map((info) =>
            html`
              <bkg-tensor-input
                .info=${info} .draft=${this.#draft(info)} issue=${this.issues.get(info.name) ?? ""}
                @bkg-draft=${({ detail }: CustomEvent<TensorDraft>) => {
                  this.drafts = new Map(this.drafts).set(info.name, detail);
                  this.#setIssue(info.name, "");
                }}
              ></bkg-tensor-input>
            `
          )}
          <div class="row">
            <wa-button
              variant="brand" ?loading=${this.doing === "run"} ?disabled=${this.doing === "load"}
              @click=${() => void this.#run()}
            ><wa-icon slot="start" name="play"></wa-icon>Run</wa-button>
            <wa-button
              appearance="outlined" ?disabled=${this.doing !== "run"}
              @click=${() => this.#calling?.abort()}
            ><wa-icon slot="start" name="stop"></wa-icon>Stop</wa-button>
          </div>
        </div>
        <div class="side">
          <h3>${formatPlural(outputs.length, "output")}</h3>
          ${this.run === undefined ? this.#expected(outputs) : this.#result(this.run)}
        </div>
      </div>
    `;
  }

  #expected(outputs: readonly TensorInfo[]) {
    return html`
      <div class="hole quiet small">
        <ul class="signature">
          ${outputs.slice(0, maxInputs).map((info) =>
            html`<li class="isolate" dir="auto"><span class="mono">${capText(info.name, 200)}</span>
              <span class="mono">${describeTensor(info)}</span></li>`
          )}
        </ul>
      </div>
    `;
  }

  #result(run: TensorRun) {
    const { runMs, queueMs } = run;
    return html`
      <p class="quiet small number" role="status">Ran in ${formatMilliseconds(runMs)}${queueMs ===
            undefined || queueMs < 1
        ? ""
        : `, after ${formatMilliseconds(queueMs)} in the queue`}</p>
      <div class="outputs">
        ${run.outputs.slice(0, maxInputs).map((output) =>
          html`
            <bkg-tensor-output .output=${output}></bkg-tensor-output>
          `
        )}
      </div>
    `;
  }

  #draft(info: TensorInfo): TensorDraft {
    return this.drafts.get(info.name) ?? draftOf(info);
  }

  #setIssue(name: string, issue: string): void {
    if ((this.issues.get(name) ?? "") === issue) return;
    this.issues = new Map(this.issues).set(name, issue);
  }

  #choose(model: string | undefined): void {
    this.model = model;
    this.files = [];
    this.file = undefined;
    this.#reset();
  }

  #reset(): void {
    this.#calling?.abort();
    this.loaded = this.run = this.error = undefined;
    this.drafts = this.issues = new Map();
  }

  async #load(): Promise<void> {
    const { model, file } = this;
    if (model === undefined) return;
    await this.#call("load", `"${capText(model, 100)}" was not loaded`, async (signal) => {
      const input = modelInput({ model, file });
      const answer = await callOnce(this.app.homes, "candle.model.load", { input, signal });
      this.loaded = parseLoadedModel(answer);
      this.run = undefined;
    });
  }

  async #run(): Promise<void> {
    const { loaded } = this;
    if (loaded === undefined || this.doing !== undefined) return;
    const inputs: Record<string, unknown> = {};
    const issues = new Map<string, string>();
    for (const info of loaded.inputs.slice(0, maxInputs)) {
      const built = buildTensor(info, this.#draft(info), { random: Math.random });
      if ("issue" in built) issues.set(info.name, built.issue);
      else inputs[info.name] = built.value;
    }
    this.issues = issues;
    if (issues.size > 0) return;
    await this.#call("run", "The run failed", async (signal) => {
      const input = { ...modelInput({ ...loaded, file: this.file }), inputs, encoding: "base64" };
      const answer = await callOnce(this.app.homes, "candle.model.run", { input, signal });
      this.run = parseRun(answer);
    });
  }

  async #call(
    doing: "load" | "run",
    heading: string,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    this.#calling?.abort();
    const calling = this.#calling = new AbortController();
    this.doing = doing;
    this.error = undefined;
    try {
      await work(calling.signal);
    } catch (thrown) {
      if (!calling.signal.aborted) this.#fail(heading, toAppError(thrown));
    }
    if (this.#calling !== calling) return;
    this.#calling = this.doing = undefined;
    this.dispatchEvent(new CustomEvent("bkg-changed"));
  }

  /** What the plugin says of one input is shown there; a file that must be named is asked for. */
  #fail(heading: string, error: AppError): void {
    const files = filesToChoose(error);
    if (files !== undefined && this.loaded === undefined && this.file === undefined) {
      this.files = files;
      return;
    }
    const { input } = (error.details ?? {}) as { input?: unknown };
    if (
      typeof input === "string" && this.loaded?.inputs.some(({ name }) => name === input) === true
    ) {
      this.#setIssue(input, error.message);
    } else this.error = { heading, error };
  }
}

const maxModels = 500;
/** A graph may have thousands; nobody fills them by hand. */
const maxInputs = 50;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-tensor-runner": BkgTensorRunner;
  }
}
