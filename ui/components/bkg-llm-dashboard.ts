// The dashboard of a plugin that answers `llm.models`: models in memory, queue, memory, speed, and which backend.
// A plugin that is stopped is not asked, as asking would start it.

import { consume } from "@lit/context";
import { html, LitElement, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import { createPagePresence } from "../api/page_presence.ts";
import { type App, appContext } from "../app.ts";
import { CapabilityPoll } from "../controllers/capability_poll.ts";
import { runsIn } from "../controllers/plugin_place.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { TelemetryFollow } from "../controllers/telemetry_follow.ts";
import { parseLlmModels } from "../stores/llm_models.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-empty-state.ts";
import "./bkg-engine-card.ts";
import "./bkg-error-notice.ts";
import "./bkg-line-chart.ts";
import "./bkg-loaded-models.ts";
import { dashboardStyles } from "./dashboard_styles.ts";
import { formatBytes, formatCount, formatNumber, formatPlural } from "./format.ts";
import { formatSpeed } from "./loaded_words.ts";
import "./icons.ts";
import { total, totalsStyles } from "./totals.ts";

@customElement("bkg-llm-dashboard")
export class BkgLlmDashboard extends LitElement {
  @property({ attribute: false })
  accessor plugin!: PluginView;
  /** Whether its tab is the one that is seen. */
  @property({ type: Boolean })
  accessor shown = false;

  @consume({ context: appContext })
  accessor app!: App;

  readonly #models = new CapabilityPoll(this, {
    capability: "llm.models",
    parse: parseLlmModels,
    homes: () => this.app.homes,
    runsIn: () => runsIn(this.plugin, this.app.homes),
    isShown: () => this.shown,
    presence: createPagePresence({ document, window }),
  });
  readonly #telemetry = new TelemetryFollow(this, {
    live: () => this.app.live,
    plugin: () => this.plugin,
  });

  static override styles = [sharedStyles, totalsStyles, dashboardStyles];

  constructor() {
    super();
    new StoreController(this, () => [this.app.homes]);
  }

  override render() {
    const { value, error } = this.#models;
    const home = this.app.homes.state(this.plugin.id).kind === "browser" ? "browser" : "server";
    return html`
      <div class="stack">
        <h2 class="visually-hidden">Dashboard</h2>
        ${this.#totals(home)}
        <section class="stack" aria-labelledby="memory">
          <h2 id="memory">In memory</h2>
          <bkg-error-notice
            heading="The models could not be listed" .error=${error}
            .retry=${() => this.#models.refresh()}
          ></bkg-error-notice>
          ${this.#inMemory()}
        </section>
        <bkg-engine-card .loaded=${value?.loaded ?? []} home=${home}></bkg-engine-card>
        ${home === "browser" ? nothing : this.#charts()}
      </div>
    `;
  }

  #totals(home: "server" | "browser") {
    const { value } = this.#models;
    // The browser keeps no figures.
    const last = home === "browser" ? undefined : this.#telemetry.series.last;
    const metrics = last?.metrics ?? {};
    const loads = metrics["model_loads"];
    const memory = value?.memory;
    const queue = value?.queue;
    const active = queue?.active ?? metrics["calls_active"];
    const speed = metrics["tokens_per_second"] ||
      value?.loaded.find(({ tokensPerSecond }) => tokensPerSecond !== undefined)?.tokensPerSecond;
    return html`
      <dl class="card totals" aria-label="Totals">
        ${total(
          "Models in memory",
          formatCount(value?.loaded.length ?? 0),
          value === undefined ? "" : `of ${formatCount(value.usable)} that can be used`,
        )}
        ${total(
          "Memory",
          formatBytes(memory?.usedBytes ?? last?.usage?.rssBytes),
          memory === undefined
            ? "of its process"
            : `of ${formatBytes(memory.budgetBytes)} for models`,
        )}
        ${total(
          "Calls now",
          formatCount(active ?? 0),
          queue === undefined || queue.waiting === 0
            ? "none waits"
            : `${formatCount(queue.waiting)} of them ${queue.waiting === 1 ? "waits" : "wait"}`,
        )}
        ${total(
          "Speed",
          formatSpeed(speed),
          "of the last answer",
        )}
        ${total(
          "Tokens written",
          formatCount(metrics["tokens_generated"]),
          loads === undefined ? "" : `${formatPlural(loads, "load")} of models`,
        )}
      </dl>
    `;
  }

  #inMemory() {
    const { value, error } = this.#models;
    if (runsIn(this.plugin, this.app.homes) === undefined) {
      return html`
        <div class="card">
          <bkg-empty-state
            icon="moon" heading="Not running"
            text="It starts with the first call, such as a message in a chat."
          >
            <wa-button appearance="outlined" href="chats">
              <wa-icon slot="start" name="message-plus"></wa-icon>Start a chat
            </wa-button>
          </bkg-empty-state>
        </div>
      `;
    }
    if (value === undefined) {
      return error !== undefined
        ? nothing
        : html`<div class="skeleton wait" role="status" aria-label="Asking the plugin"></div>`;
    }
    if (value.loaded.length > 0) {
      return html`<bkg-loaded-models .models=${value.loaded}></bkg-loaded-models>`;
    }
    return html`
      <div class="card">
        <bkg-empty-state
          icon="box" heading="No model is loaded"
          text=${value.usable === 0
            ? "There is none that it could load: pull one first."
            : "A model is loaded by the first call that names it, and leaves when nobody has used it for a while."}
        >
          <wa-button appearance="outlined" href=${value.usable === 0
            ? "models#catalogue"
            : "chats"}>
            ${value.usable === 0 ? "Look at the catalogue" : "Start a chat"}
          </wa-button>
        </bkg-empty-state>
      </div>
    `;
  }

  #charts() {
    const { series } = this.#telemetry;
    const empty = this.plugin.status === "running"
      ? "The first sample is on its way"
      : "Nothing yet: it does not run";
    const metric = (name: string) => series.column(`metric:${name}`);
    return html`
      <div class="charts">
        <bkg-line-chart
          heading="Tokens per second" note="of the last answer" empty=${empty}
          .times=${series.times} .format=${formatNumber}
          .lines=${[{ label: "tokens/s", column: metric("tokens_per_second"), color: 1 }]}
        ></bkg-line-chart>
        <bkg-line-chart
          heading="Calls" note="waiting ones too" whole empty=${empty}
          .times=${series.times} .format=${formatCount}
          .lines=${[{ label: "calls", column: metric("calls_active"), color: 1 }]}
        ></bkg-line-chart>
      </div>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-llm-dashboard": BkgLlmDashboard;
  }
}
