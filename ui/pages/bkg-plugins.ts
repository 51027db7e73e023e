// Every plugin: found by name, started and stopped, and moved between the server and this browser.

import { consume } from "@lit/context";
import { html, LitElement, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import { type App, appContext } from "../app.ts";
import "../components/bkg-empty-state.ts";
import { noPlugins } from "../components/no_plugins.ts";
import "../components/bkg-error-notice.ts";
import "../components/bkg-home-switch.ts";
import "../components/bkg-page-header.ts";
import "../components/bkg-plugin-controls.ts";
import "../components/bkg-plugin-status.ts";
import {
  capText,
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatPlural,
} from "../components/format.ts";
import "../components/icons.ts";
import { segmentedStyles } from "../components/segmented_styles.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { pluginPath } from "../routes.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { pluginTableStyles } from "./plugin_table_styles.ts";

type Filter = "all" | "running" | "stopped" | "error";

@customElement("bkg-plugins")
export class BkgPlugins extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor search = "";
  @state()
  private accessor filter: Filter = "all";
  /** Why the last thing that was tried with a plugin failed. */
  @state()
  private accessor failures: ReadonlyMap<string, unknown> = new Map();

  static override styles = [sharedStyles, segmentedStyles, pluginTableStyles];

  constructor() {
    super();
    new StoreController(this, () => [this.app.plugins, this.app.homes]);
  }

  override render() {
    const { list } = this.app.plugins;
    const { problem } = this.app.homes;
    const blocked = problem !== undefined && list?.some(({ browser }) => browser) === true;
    return html`
      <div class="page">
        <bkg-page-header
          heading="Plugins"
          lead="Start and stop them on the server, or run the same plugin in this browser."
        ></bkg-page-header>
        ${blocked
          ? html`
            <div class="problem">
              <wa-icon name="info"></wa-icon>
              <p><strong>${problem.message}.</strong> ${problem.advice}.</p>
            </div>
          `
          : nothing}
        ${list?.length === 0 ? noPlugins() : [this.#tools(list ?? []), this.#table(list)]}
      </div>
    `;
  }

  #tools(list: readonly PluginView[]) {
    return html`
      <div class="tools">
        <wa-input
          type="search"
          size="s"
          placeholder="Search by name"
          label="Search by name"
          with-clear
          .value=${live(this.search)}
          @input=${(event: Event) => this.search = (event.target as HTMLInputElement).value ?? ""}
        >
          <wa-icon slot="start" name="search"></wa-icon>
        </wa-input>
        <fieldset class="segments">
          <legend class="visually-hidden">Status</legend>
          ${filters.map(({ filter, label, holds }) =>
            html`
              <label>
                <input
                  type="radio"
                  name="filter"
                  .checked=${live(this.filter === filter)}
                  @change=${() => this.filter = filter}
                >
                <span class="number">
                  ${label}<small>${formatCount(list.filter(holds).length)}</small>
                </span>
              </label>
            `
          )}
        </fieldset>
      </div>
    `;
  }

  #table(list: readonly PluginView[] | undefined) {
    if (list === undefined) {
      return html`<div class="skeleton wait" role="status" aria-label="Loading the plugins"></div>`;
    }
    const holds = filters.find(({ filter }) => filter === this.filter)?.holds ?? (() => true);
    const word = this.search.trim().toLowerCase();
    const shown = list.filter((plugin) => holds(plugin) && matches(plugin, word));
    return html`
      <p class="visually-hidden" role="status">${formatPlural(shown.length, "plugin")} shown</p>
      <div class="card table" ?hidden=${shown.length === 0}>
        <table role="table" aria-label="Plugins">
          <thead role="rowgroup">
            <tr role="row">
              <th role="columnheader" scope="col">Plugin</th>
              <th role="columnheader" scope="col" class="is-status">Status</th>
              <th role="columnheader" scope="col" class="is-usage">Uses</th>
              <th role="columnheader" scope="col" class="is-requests">Requests</th>
              <th role="columnheader" scope="col" class="is-home">Runs on</th>
              <th role="columnheader" scope="col" class="is-controls">
                <span class="visually-hidden">Controls</span>
              </th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            ${repeat(shown, ({ id }) => id, (plugin) => this.#row(plugin))}
          </tbody>
        </table>
      </div>
      ${shown.length > 0 ? nothing : this.#noMatch()}
    `;
  }

  #row(plugin: PluginView) {
    const telemetry = this.app.plugins.telemetry(plugin.id);
    const up = plugin.status === "running";
    const errors = telemetry?.errors ?? 0;
    const failure = this.failures.get(plugin.id);
    return html`
      <tr role="row" class=${failure === undefined ? "" : "failed"}>
        <th role="rowheader" scope="row" class="plugin">
          <a class="wrap isolate two-lines" dir="auto" href=${pluginPath(plugin.id)}>${capText(
            plugin.name,
            100,
          )}</a>
          <span class="tags">
            <span class="quiet mono clip">${plugin.id}</span>
            <span class="tag number">${plugin.version}</span>
            <span class="tag">${plugin.origin === "builtin" ? "built in" : "external"}</span>
            ${plugin.needsConsent && up
              ? html`<span class="tag">update needs consent</span>`
              : nothing}
          </span>
        </th>
        <td role="cell" class="status">
          <bkg-plugin-status
            .status=${plugin.status}
            .disabled=${!plugin.enabled}
            .waiting=${plugin.needsConsent}
            .unhealthy=${plugin.healthy === false}
          ></bkg-plugin-status>
          <small class="number">${this.#since(plugin)}</small>
        </td>
        <td role="cell" class="number" data-label="Uses">
          ${up
            ? html`${formatPercent(telemetry?.cpuPercent)}<span class="unit">CPU</span>
            <small>${formatBytes(telemetry?.usage?.rssBytes)}</small>`
            : html`<span class="quiet">–</span>`}
        </td>
        <td role="cell" class="number" data-label="Requests">
          ${formatCount(telemetry?.requests ?? 0)}
          <small class=${errors > 0 ? "error" : ""}>
            ${errors > 0 ? `${formatCount(errors)} failed` : "no errors"}
          </small>
        </td>
        <td role="cell" class="home" data-label="Runs on">
          ${plugin.browser
            ? html`<bkg-home-switch terse .pluginId=${plugin.id} .name=${plugin.name}></bkg-home-switch>`
            : html`<span class="only"><wa-icon name="server"></wa-icon>Server only</span>`}
        </td>
        <td role="cell" class="controls">
          <bkg-plugin-controls
            compact
            .plugin=${plugin}
            @bkg-failed=${({ detail }: CustomEvent<unknown>) => this.#fail(plugin.id, detail)}
          ></bkg-plugin-controls>
        </td>
      </tr>
      ${failure === undefined ? nothing : html`
        <tr role="row" class="failure">
          <td role="cell" colspan="6">
            <bkg-error-notice
              heading="That did not work"
              .error=${failure}
              .dismiss=${() => this.#fail(plugin.id, null)}
            ></bkg-error-notice>
          </td>
        </tr>
      `}
    `;
  }

  /** What stands under the status: how long it runs, or what it waits for. */
  #since(plugin: PluginView) {
    if (plugin.status === "running") {
      return `up ${formatDuration(this.app.plugins.telemetry(plugin.id)?.uptimeMs)}`;
    }
    if (plugin.status === "starting" || plugin.status === "stopping") return nothing;
    if (plugin.status === "error") {
      return html`<span class="error clip isolate" dir="auto">${
        capText(plugin.lastError?.message ?? "for no known reason", 120)
      }</span>`;
    }
    if (!plugin.enabled) return "takes no calls";
    return plugin.needsConsent ? "decide on its page" : "starts when called";
  }

  #fail(pluginId: string, error: unknown): void {
    const failures = new Map(this.failures);
    if (error === null) failures.delete(pluginId);
    else failures.set(pluginId, error);
    this.failures = failures;
  }

  #noMatch() {
    return html`
      <div class="card">
        <bkg-empty-state icon="search" heading="No plugin matches" text="Try another name or status.">
          <wa-button appearance="outlined" @click=${this.#showAll}>Show all plugins</wa-button>
        </bkg-empty-state>
      </div>
    `;
  }

  #showAll(): void {
    this.search = "";
    this.filter = "all";
  }
}

const filters: readonly { filter: Filter; label: string; holds(plugin: PluginView): boolean }[] = [
  { filter: "all", label: "All", holds: () => true },
  {
    filter: "running",
    label: "Running",
    holds: ({ status }) => status === "running" || status === "starting",
  },
  {
    filter: "stopped",
    label: "Stopped",
    holds: ({ status }) => status === "stopped" || status === "stopping",
  },
  { filter: "error", label: "Error", holds: ({ status }) => status === "error" },
];

function matches({ id, name }: PluginView, word: string): boolean {
  return word === "" || name.toLowerCase().includes(word) || id.includes(word);
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-plugins": BkgPlugins;
  }
}
