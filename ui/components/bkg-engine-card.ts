// Which backend runs models, and what to do to get a faster one: engines to add and remove, models to trust. Who may
// not do so is told all the same. Where the server has no engines to add, what is said is all there is.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { EngineChoice, EngineId } from "../../plugins/runtime/contract/engine_choice.ts";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import { may } from "../api/scopes.ts";
import { type App, appContext } from "../app.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { enginesOf } from "../stores/engines.ts";
import { isEnded, jobsOf } from "../stores/jobs.ts";
import { modelsOf } from "../stores/models.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import type { Question } from "./bkg-confirm.ts";
import "./bkg-confirm.ts";
import "./bkg-error-notice.ts";
import "./bkg-pull-progress.ts";
import {
  addLabel,
  describeOption,
  describePlace,
  describeSlowModel,
  findSlowModels,
  groupEngines,
  nativeEngineFor,
  removeLabel,
  type RunsOn,
  type SlowModel,
  statusWords,
} from "./engine_words.ts";
import { capText } from "./format.ts";
import "./icons.ts";
import { askTrust } from "./trust_question.ts";

/** A model in memory. */
export type LoadedOn = RunsOn & {
  id: string;
  /** Of the sandbox, by which it is known what native code could run it. */
  engine: string;
};

@customElement("bkg-engine-card")
export class BkgEngineCard extends LitElement {
  @property({ attribute: false })
  accessor loaded: readonly LoadedOn[] = [];
  @property()
  accessor home: "server" | "browser" = "server";

  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor busy: EngineId | undefined;
  @state()
  private accessor refused: unknown;
  @state()
  private accessor question: Question | undefined;
  /** What was done, for those who do not see it. */
  @state()
  private accessor outcome = "";

  static override styles = [
    sharedStyles,
    css`
      .about {
        display: grid;
        gap: var(--wa-space-2xs);
      }
      .lead {
        max-width: var(--bkg-reading-width);
      }
      ul {
        padding: 0;
        list-style: none;
      }
      .engines > li,
      .slow > li {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        align-items: center;
        gap: var(--wa-space-2xs) var(--bkg-gap);
        padding-block: var(--wa-space-s);
        border-block-start: var(--bkg-card-border);
      }
      .engines > li:last-child {
        padding-block-end: 0;
      }
      .title {
        font-weight: var(--wa-font-weight-semibold);
      }
      .actions {
        display: flex;
        justify-content: flex-end;
      }
      bkg-pull-progress {
        grid-column: 1 / -1;
      }
      summary {
        width: fit-content;
        min-height: 1.5rem;
        border-radius: var(--wa-border-radius-s);
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-s);
        cursor: pointer;
      }
      details[open] > summary {
        margin-block-end: var(--wa-space-xs);
      }
      .warn wa-icon {
        margin-inline-end: var(--wa-space-3xs);
        color: var(--wa-color-warning-on-quiet);
      }
      .tag.on {
        color: var(--wa-color-success-on-quiet);
      }
      .tag.damaged {
        color: var(--wa-color-danger-on-quiet);
      }
      @media (max-width: 40rem) {
        .engines > li,
        .slow > li {
          grid-template-columns: minmax(0, 1fr);
        }
        .actions {
          justify-content: flex-start;
        }
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [
      enginesOf(this.app),
      jobsOf(this.app),
      modelsOf(this.app),
      this.app.session,
    ]);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const { principal } = this.app.session;
    if (may(principal, "plugins:read")) enginesOf(this.app).load();
    // Which models are trusted.
    if (may(principal, "models:read")) modelsOf(this.app).load();
  }

  override render() {
    const { loaded, home } = this;
    const { list: engines, error } = enginesOf(this.app);
    const usable = home === "browser" ? [] : engines ?? [];
    const { shown, forGpu, unsupported } = groupEngines(usable);
    const { webgpu } = modelsOf(this.app).catalog?.machine ?? {};
    const hasGpu = webgpu?.available === true && webgpu.software !== true;
    return html`
      <section class="card stack" aria-labelledby="heading">
        <div class="about">
          <h2 id="heading" tabindex="-1">Which backend</h2>
          <p class="lead">${describePlace({ engines, loaded, home })}</p>
        </div>
        <bkg-error-notice
          heading=${this.refused === undefined
            ? "The engines could not be listed"
            : "That did not work"}
          .error=${this.refused ?? error}
          .retry=${this.refused === undefined ? () => enginesOf(this.app).load() : undefined}
          .dismiss=${this.refused === undefined ? undefined : () => this.refused = undefined}
        ></bkg-error-notice>
        ${this.#slow(engines)}
        ${shown.length === 0 ? nothing : html`
          <ul class="engines" role="list" aria-label="Faster backends">
            ${shown.map((engine) => this.#engine(engine))}
          </ul>
        `}
        ${forGpu.length === 0 ? nothing : html`
          <details ?open=${hasGpu}>
            <summary>With a GPU in this server</summary>
            <ul class="engines" role="list" aria-label="Backends for a GPU">
              ${forGpu.map((engine) => this.#engine(engine))}
            </ul>
          </details>
        `}
        ${unsupported.length === 0 ? nothing : html`
          <details>
            <summary>Not for this machine</summary>
            <ul class="engines" role="list" aria-label="Not for this machine">
              ${unsupported.map((engine) => this.#engine(engine))}
            </ul>
          </details>
        `}
        ${usable.length === 0 || this.#mayManage ? nothing : html`
          <p class="quiet small">Who may manage plugins can add and remove these.</p>
        `}
        <div class="visually-hidden" role="status">${this.outcome}</div>
      </section>
      <bkg-confirm
        .question=${this.question} @bkg-close=${() => this.question = undefined}
      ></bkg-confirm>
    `;
  }

  get #mayManage(): boolean {
    return may(this.app.session.principal, "plugins:manage");
  }

  #engine(engine: EngineChoice) {
    const { status, jobId } = engine;
    const { word, more } = statusWords(engine);
    const job = jobId === undefined ? undefined : jobsOf(this.app).byId(jobId);
    return html`
      <li>
        <div>
          <div class="row">
            <span class="title wrap isolate" dir="auto">${capText(engine.title, 80)}</span>
            <span class="tag ${status}">${word}</span>
            ${more === "" ? nothing : html`<span class="quiet small number">${more}</span>`}
          </div>
          <p class="quiet small wrap isolate" dir="auto">${describeOption(engine)}</p>
        </div>
        <div class="actions">${this.#action(engine)}</div>
        ${job === undefined || isEnded(job) ? nothing : html`
          <bkg-pull-progress
            terse .job=${job} ?readonly=${!this.#mayManage}
            @bkg-cancel=${({ detail }: CustomEvent<Job>) =>
              this.#attempt(() => jobsOf(this.app).control(detail.id, "cancel"))}
          ></bkg-pull-progress>
        `}
      </li>
    `;
  }

  #action(engine: EngineChoice) {
    if (!this.#mayManage) return nothing;
    const loading = this.busy === engine.id;
    switch (engine.status) {
      case "off":
      case "damaged":
        return html`
          <wa-button
            size="s" variant=${engine.id === "cpu" ? "brand" : "neutral"}
            appearance=${engine.id === "cpu" ? "accent" : "outlined"} ?loading=${loading}
            @click=${() => this.#add(engine)}
          ><wa-icon slot="start" name=${engine.id === "webgpu"
            ? "zap"
            : "download"}></wa-icon>${addLabel(
              engine,
            )}</wa-button>
        `;
      case "on":
        return html`
          <wa-button
            size="s" appearance="outlined" ?loading=${loading}
            @click=${() => this.#askRemove(engine)}
          >${engine.id === "webgpu" ? "Turn off" : "Remove"}<span class="visually-hidden">
            ${capText(engine.title, 60)}</span></wa-button>
        `;
      case "adding":
      case "unsupported":
        return nothing;
    }
  }

  #slow(engines: readonly EngineChoice[] | undefined) {
    if (this.home === "browser") return nothing;
    const slow = findSlowModels({
      engines,
      loaded: this.loaded.flatMap((model) => {
        const engine = nativeEngineFor(model.engine);
        return engine === undefined ? [] : [{ ...model, engine }];
      }),
      trusted: (id) => modelsOf(this.app).list?.find((model) => model.id === id)?.trusted,
    });
    if (slow.length === 0) return nothing;
    return html`
      <ul class="slow" role="list" aria-label="Models that could run faster">
        ${slow.slice(0, maxSlow).map((model) => this.#slowModel(model))}
      </ul>
    `;
  }

  #slowModel(model: SlowModel) {
    const mayTrust = may(this.app.session.principal, "models:manage");
    return html`
      <li>
        <p class="warn small wrap isolate" dir="auto">
          <wa-icon name=${model.why === "untrusted"
            ? "warning"
            : "info"}></wa-icon>${describeSlowModel(
              model,
            )}
        </p>
        ${model.why !== "untrusted" || !mayTrust ? nothing : html`
          <div class="actions">
            <wa-button size="s" appearance="outlined" @click=${() => this.#askTrust(model)}>
              <wa-icon slot="start" name="shield-check"></wa-icon>Trust it<span
                class="visually-hidden"> ${capText(model.id, 100)}</span>
            </wa-button>
          </div>
        `}
      </li>
    `;
  }

  async #add(engine: EngineChoice): Promise<void> {
    if (this.busy !== undefined) return;
    this.busy = engine.id;
    await this.#attempt(async () => {
      await enginesOf(this.app).add(engine.id);
      this.outcome = `${capText(engine.title, 80)}: ${
        engine.id === "webgpu" ? "on" : "it is being added"
      }`;
    });
    this.busy = undefined;
  }

  #askRemove(engine: EngineChoice): void {
    const name = capText(engine.title, 80);
    this.question = {
      heading: `${removeLabel(engine)}?`,
      text:
        html`<p>Plugins that use it are restarted, which ends the calls that they answer now, and
        models run in WebAssembly again. It can be added again at any time.</p>`,
      label: engine.id === "webgpu" ? "Turn off" : "Remove",
      danger: true,
      run: async () => {
        await enginesOf(this.app).remove(engine.id);
        this.outcome = `${name} is ${engine.id === "webgpu" ? "off" : "removed"}`;
        this.renderRoot.querySelector("h2")?.focus();
      },
    };
  }

  #askTrust({ id }: SlowModel): void {
    const name = capText(id, 120);
    this.question = askTrust(name, async () => {
      const job = await jobsOf(this.app).trust(id);
      this.outcome = `${name} is ${job === undefined ? "trusted" : "read, and then trusted"}`;
      modelsOf(this.app).load();
      this.renderRoot.querySelector("h2")?.focus();
    });
  }

  async #attempt(act: () => Promise<unknown>): Promise<void> {
    this.refused = undefined;
    this.outcome = "";
    try {
      await act();
    } catch (error) {
      this.refused = error;
    }
  }
}

const maxSlow = 5;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-engine-card": BkgEngineCard;
  }
}
