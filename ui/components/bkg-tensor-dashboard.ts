// The dashboard of a plugin that runs tensors (`candle.model.run`): models in memory, a runner, quantisation, and which
// backend. A plugin that is stopped is not asked how it is; loading a model starts it.

import { consume } from "@lit/context";
import { html, LitElement, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import { createPagePresence } from "../api/page_presence.ts";
import { type App, appContext } from "../app.ts";
import { callOnce, CapabilityPoll } from "../controllers/capability_poll.ts";
import { runsIn } from "../controllers/plugin_place.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { modelsOf } from "../stores/models.ts";
import { modelInput, parseTensorStats, type TensorModelStats } from "../stores/tensor_models.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-engine-card.ts";
import "./bkg-error-notice.ts";
import "./bkg-quantise.ts";
import "./bkg-tensor-models.ts";
import type { BkgTensorRunner } from "./bkg-tensor-runner.ts";
import "./bkg-tensor-runner.ts";
import { dashboardStyles } from "./dashboard_styles.ts";
import { capText, formatBytes, formatCount, formatMilliseconds } from "./format.ts";
import { total, totalsStyles } from "./totals.ts";

@customElement("bkg-tensor-dashboard")
export class BkgTensorDashboard extends LitElement {
  @property({ attribute: false })
  accessor plugin!: PluginView;
  /** Whether its tab is the one that is seen. */
  @property({ type: Boolean })
  accessor shown = false;

  @consume({ context: appContext })
  accessor app!: App;

  @state()
  private accessor refused: unknown;
  @state()
  private accessor leaving: TensorModelStats | undefined;
  /** What was done, for those who do not see it. */
  @state()
  private accessor outcome = "";
  @query("bkg-tensor-runner")
  private accessor runner!: BkgTensorRunner;

  readonly #stats = new CapabilityPoll(this, {
    capability: "candle.stats",
    parse: parseTensorStats,
    homes: () => this.app.homes,
    runsIn: () => runsIn(this.plugin, this.app.homes),
    isShown: () => this.shown,
    presence: createPagePresence({ document, window }),
  });

  static override styles = [sharedStyles, totalsStyles, dashboardStyles];

  constructor() {
    super();
    new StoreController(this, () => [this.app.homes, this.app.plugins, modelsOf(this.app)]);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    modelsOf(this.app).load();
  }

  override render() {
    const loaded = this.#stats.value?.models ?? [];
    const { list, errors } = modelsOf(this.app);
    const onnx = list?.filter(({ format }) => format === "onnx").map(({ id }) => id);
    const own = loaded.map(({ model }) => model).filter((id) => onnx?.includes(id) !== true);
    const home = this.app.homes.state(this.plugin.id).kind === "browser" ? "browser" : "server";
    return html`
      <div class="stack">
        <h2 class="visually-hidden">Dashboard</h2>
        ${this.#totals(loaded)}
        <bkg-error-notice
          heading="The models could not be listed" .error=${onnx === undefined
            ? errors.list
            : undefined}
          .retry=${() => modelsOf(this.app).load()}
        ></bkg-error-notice>
        <bkg-tensor-runner
          .models=${onnx && [...onnx, ...own]} @bkg-changed=${() => this.#stats.refresh()}
        ></bkg-tensor-runner>
        ${this.#inMemory(loaded)}
        <bkg-quantise
          .models=${onnx ?? []} @bkg-changed=${() => this.#stats.refresh()}
        ></bkg-quantise>
        <bkg-engine-card
          .loaded=${loaded.filter(({ kind }) => kind === "onnx")
            .map((model) => ({ ...model, id: model.model, engine: "onnx" }))} home=${home}
        ></bkg-engine-card>
      </div>
    `;
  }

  #totals(loaded: readonly TensorModelStats[]) {
    const { value } = this.#stats;
    // The browser keeps no figures.
    const telemetry = runsIn(this.plugin, this.app.homes) === "server"
      ? this.app.plugins.telemetry(this.plugin.id)
      : undefined;
    const bytes = loaded.flatMap(({ bytes }) => bytes ?? []);
    const ran = loaded.filter(({ runs = 0 }) => runs > 0);
    const runs = ran.reduce((sum, model) => sum + (model.runs ?? 0), 0);
    const waiting = loaded.reduce((sum, model) => sum + (model.waiting ?? 0), 0);
    const runsHere = runsIn(this.plugin, this.app.homes) !== undefined;
    return html`
      <dl class="card totals" aria-label="Totals">
        ${total(
          "Models in memory",
          formatCount(loaded.length),
          runsHere ? "" : "Not running; it starts with the first call",
        )}
        ${total(
          "Memory",
          formatBytes(
            bytes.length > 0
              ? bytes.reduce((sum, size) => sum + size, 0)
              : telemetry?.usage?.rssBytes,
          ),
          bytes.length > 0 ? "of models" : "of its process",
        )}
        ${total("Runs", formatCount(value?.runs ?? 0), "since it started")}
        ${total("Waiting", formatCount(waiting), "calls")}
        ${total(
          "Mean run",
          formatMilliseconds(
            runs === 0 ? undefined : ran.reduce(
              (sum, model) => sum + (model.meanRunMs ?? 0) * (model.runs ?? 0),
              0,
            ) / runs,
          ),
          "of models in memory",
        )}
      </dl>
    `;
  }

  #inMemory(loaded: readonly TensorModelStats[]) {
    const { error } = this.#stats;
    if (loaded.length === 0 && error === undefined && this.refused === undefined) return nothing;
    return html`
      <section class="stack" aria-labelledby="memory">
        <h2 id="memory" tabindex="-1">In memory</h2>
        <bkg-error-notice
          heading=${this.refused === undefined
            ? "The plugin did not say what is in memory"
            : "It was not unloaded"}
          .error=${this.refused ?? error}
          .dismiss=${this.refused === undefined ? undefined : () => this.refused = undefined}
        ></bkg-error-notice>
        ${loaded.length === 0 ? nothing : html`
          <bkg-tensor-models
            .models=${loaded} .leaving=${this.leaving}
            ?readonly=${!this.plugin.capabilities.some(({ id }) => id === "candle.model.unload")}
            @bkg-use-model=${({ detail }: CustomEvent<TensorModelStats>) =>
              void this.runner.use(detail)}
            @bkg-unload-model=${({ detail }: CustomEvent<TensorModelStats>) =>
              void this.#unload(detail)}
          ></bkg-tensor-models>
        `}
        <div class="visually-hidden" role="status">${this.outcome}</div>
      </section>
    `;
  }

  async #unload(stats: TensorModelStats): Promise<void> {
    if (this.leaving !== undefined) return;
    this.leaving = stats;
    const input = modelInput(stats);
    this.refused = undefined;
    try {
      await callOnce(this.app.homes, "candle.model.unload", { input });
      this.outcome = `${capText(stats.model, 100)} is unloaded`;
    } catch (error) {
      this.refused = error;
    }
    this.leaving = undefined;
    this.#stats.refresh();
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-tensor-dashboard": BkgTensorDashboard;
  }
}
