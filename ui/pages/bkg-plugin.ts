// /plugins/<id>: everything about one plugin, in tabs whose names are in the address (#logs), so that they can be
// linked. A tab is made when it is first shown and stays, with what was typed into it.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/callout/callout.js";
import "@awesome.me/webawesome/dist/components/skeleton/skeleton.js";
import "@awesome.me/webawesome/dist/components/tab/tab.js";
import "@awesome.me/webawesome/dist/components/tab-group/tab-group.js";
import "@awesome.me/webawesome/dist/components/tab-panel/tab-panel.js";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import { type App, appContext } from "../app.ts";
import "../components/bkg-capability.ts";
import "../components/bkg-code-block.ts";
import "../components/bkg-empty-state.ts";
import "../components/bkg-error-notice.ts";
import "../components/bkg-home-switch.ts";
import "../components/bkg-llm-dashboard.ts";
import "../components/bkg-log-view.ts";
import type { BkgPageHeader } from "../components/bkg-page-header.ts";
import "../components/bkg-page-header.ts";
import "../components/bkg-plugin-controls.ts";
import "../components/bkg-plugin-facts.ts";
import "../components/bkg-plugin-grants.ts";
import "../components/bkg-plugin-settings.ts";
import "../components/bkg-plugin-status.ts";
import "../components/bkg-telemetry-charts.ts";
import "../components/bkg-tensor-dashboard.ts";
import { capText, formatTime } from "../components/format.ts";
import { foldStyles } from "../components/fold_styles.ts";
import "../components/icons.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { sharedStyles } from "../theme/shared_styles.ts";

const tabs = [
  "dashboard",
  "overview",
  "logs",
  "capabilities",
  "settings",
  "permissions",
] as const;
type Tab = typeof tabs[number];

@customElement("bkg-plugin")
export class BkgPlugin extends LitElement {
  @property({ attribute: false })
  accessor pluginId = "";

  @consume({ context: appContext })
  @state()
  private accessor app!: App;

  @state()
  private accessor chosen: Tab | undefined = tabInAddress();
  /** Capabilities that were opened: their forms are made then. */
  @state()
  private accessor opened: ReadonlySet<string> = new Set();
  @state()
  private accessor failure: unknown;
  @query("bkg-page-header")
  private accessor header!: BkgPageHeader | null;

  readonly #visited = new Set<Tab>();

  static override styles = [
    sharedStyles,
    foldStyles,
    css`
      .notice {
        max-width: 100%;
      }
      .notice p {
        overflow-wrap: anywhere;
      }
      .command {
        max-width: 30rem;
      }
      wa-tab-group {
        --track-width: var(--wa-border-width-s);
      }
      wa-tab-panel::part(base),
      wa-tab-panel::part(tab-panel) {
        padding: var(--wa-space-l) 0 0;
      }
      wa-tab::part(base),
      wa-tab::part(tab) {
        padding: var(--wa-space-s) var(--wa-space-m);
      }
      .count {
        margin-inline-start: var(--wa-space-2xs);
      }
      .controls {
        display: flex;
        flex-wrap: wrap;
        align-items: flex-start;
        gap: var(--bkg-gap-s) var(--bkg-gap);
      }
      wa-skeleton {
        --border-radius: var(--bkg-card-radius);
        height: 12rem;
      }
      @media (max-width: 40rem) {
        wa-tab::part(base),
        wa-tab::part(tab) {
          padding-inline: var(--wa-space-s);
        }
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.app.plugins, this.app.homes]);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("hashchange", this.#onAddress);
    addEventListener("popstate", this.#onAddress);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("hashchange", this.#onAddress);
    removeEventListener("popstate", this.#onAddress);
  }

  /** On a page change the focus goes to the heading. */
  override focus(options?: FocusOptions): void {
    this.header?.focus(options);
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("pluginId")) {
      this.#visited.clear();
      this.failure = undefined;
      this.opened = new Set();
      this.chosen = tabInAddress();
    }
    // Which tab is the first one is known with the plugin.
    if (this.app.plugins.get(this.pluginId) !== undefined) this.#visited.add(this.tab);
  }

  /** A plugin with a dashboard begins with it. */
  get tab(): Tab {
    const { chosen } = this;
    return chosen !== undefined && this.#tabs.includes(chosen) ? chosen : this.#tabs[0]!;
  }

  get #tabs(): readonly Tab[] {
    const plugin = this.app.plugins.get(this.pluginId);
    return plugin !== undefined && dashboardOf(plugin) !== undefined ? tabs : tabs.slice(1);
  }

  override render() {
    const { plugins } = this.app;
    const plugin = plugins.get(this.pluginId);
    const back = { href: "plugins", label: "Plugins" };
    if (plugin !== undefined) return this.#renderPlugin(plugin, back);
    return html`
      <div class="page">
        <bkg-page-header .back=${back} heading=${this.pluginId}></bkg-page-header>
        ${plugins.list === undefined
          ? html`
            <wa-skeleton></wa-skeleton>
            <wa-skeleton></wa-skeleton>
          `
          : html`
            <bkg-empty-state
              icon="plug" heading="There is no such plugin"
              text="It may have been removed, or the address has a slip."
            >
              <wa-button href="plugins">See all plugins</wa-button>
            </bkg-empty-state>
          `}
      </div>
    `;
  }

  #renderPlugin(plugin: PluginView, back: { href: string; label: string }) {
    return html`
      <div class="page">
        <bkg-page-header .back=${back} heading=${plugin.name} lead=${plugin.description}>
          <span slot="badge" class="row">
            <bkg-plugin-status
              status=${plugin.status}
              ?disabled=${!plugin.enabled}
              ?waiting=${plugin.needsConsent}
              ?unhealthy=${plugin.healthy === false}
            ></bkg-plugin-status>
            <span class="tag">${capText(plugin.version, 30)}</span>
            <span class="tag">${plugin.origin === "builtin" ? "built in" : "external"}</span>
          </span>
          <div class="controls">
            ${plugin.browser
              ? html`<bkg-home-switch .pluginId=${plugin.id} .name=${plugin.name}></bkg-home-switch>`
              : nothing}
            <bkg-plugin-controls
              .plugin=${plugin}
              @bkg-failed=${({ detail }: CustomEvent<unknown>) => this.failure = detail}
            ></bkg-plugin-controls>
          </div>
        </bkg-page-header>
        ${this.#renderNotices(plugin)}
        <wa-tab-group .active=${this.tab} @wa-tab-show=${this.#onTab}>
          ${this.#tabs.map((tab) =>
            html`
              <wa-tab panel=${tab}>${tabWords[tab]}${tab === "permissions" &&
                  (plugin.needsConsent || plugin.missingGrants.length > 0)
                ? html`<span class="tag count">${
                  plugin.needsConsent ? "consent" : plugin.missingGrants.length
                }<span
            class="visually-hidden">${plugin.needsConsent ? " needed" : " missing"}</span></span>`
                : nothing}</wa-tab>
            `
          )}
          ${this.#tabs.map((tab) =>
            html`
              <wa-tab-panel name=${tab}>${this.#visited.has(tab)
                ? this.#renderTab(tab, plugin)
                : nothing}</wa-tab-panel>
            `
          )}
        </wa-tab-group>
      </div>
    `;
  }

  #renderNotices(plugin: PluginView) {
    const { lastError, needsConsent, retryAtMs, status } = plugin;
    const isHeld = lastError?.code === "CONSENT_REQUIRED";
    const failing = status === "error" || (lastError !== undefined && !isHeld);
    const home = this.app.homes.state(plugin.id).kind;
    return html`
      ${this.failure === undefined ? nothing : html`
        <bkg-error-notice
          heading="It did not work" .error=${this.failure}
          .dismiss=${() => this.failure = undefined}
        ></bkg-error-notice>
      `}
            ${!failing || this.failure !== undefined ? nothing : html`
              <bkg-error-notice
                heading=${status === "error"
                  ? "The plugin does not run"
                  : "The plugin ended before"}
                .error=${lastError ?? { code: "INTERNAL", message: "It gave no reason" }}
              >
                <p
                  class="small">${retryAtMs === undefined
                    ? ""
                    : `It is started again at ${
                      formatTime(retryAtMs)
                    }. `}<a href="#logs" @click=${this
                    .#onLink}>Its log</a> may tell more${status === "error"
                    ? "; “Start” tries again"
                    : ""}.</p>
              </bkg-error-notice>
            `}
            ${!needsConsent || this.tab === "permissions" ? nothing : html`
              <wa-callout variant="warning" class="notice">
                <wa-icon slot="icon" name="shield-alert"></wa-icon>
                <div class="stack">
                  <p><strong>${status === "running"
                    ? "A newer version waits for consent."
                    : "It waits for consent."}</strong> ${status === "running"
                    ? "It asks for more than was allowed; the version that runs goes on."
                    : "It does not start before it is decided what it may do."}
                    <a href="#permissions" @click=${this
                      .#onLink}>See what it asks for and decide</a>, or run on the server:</p>
                  <bkg-code-block
                    class="command" label="Command" .code=${`bkg plugin grant ${plugin.id}`}
                  ></bkg-code-block>
                </div>
              </wa-callout>
            `}
            ${home !== "browser" ? nothing : html`
              <wa-callout variant="brand" class="notice">
                <wa-icon slot="icon" name="laptop"></wa-icon>
                <p><strong>Your calls run in this browser.</strong> ${this.tab === "dashboard"
                  ? "The models below are here; status and log are of the plugin on the server."
                  : "Status, figures and log below are of the plugin on the server; this browser keeps none."}</p>
              </wa-callout>
            `}
    `;
  }

  #renderTab(tab: Tab, plugin: PluginView) {
    switch (tab) {
      case "dashboard":
        return renderDashboard(plugin, { shown: this.tab === "dashboard" });
      case "overview":
        return html`
          <div class="stack">
            <h2 class="visually-hidden">Figures</h2>
            <bkg-telemetry-charts .plugin=${plugin}></bkg-telemetry-charts>
            <bkg-plugin-facts .plugin=${plugin}></bkg-plugin-facts>
          </div>
        `;
      case "logs":
        return html`
          <h2 class="visually-hidden">Logs</h2>
          <bkg-log-view pluginId=${plugin.id}></bkg-log-view>
        `;
      case "capabilities":
        return this.#renderCapabilities(plugin);
      case "settings":
        return html`<bkg-plugin-settings .plugin=${plugin}></bkg-plugin-settings>`;
      case "permissions":
        return html`
          <h2 class="visually-hidden">Permissions</h2>
          <bkg-plugin-grants .plugin=${plugin}></bkg-plugin-grants>
        `;
    }
  }

  #renderCapabilities({ capabilities }: PluginView) {
    return html`
      <div class="stack">
        <h2 class="visually-hidden">Capabilities</h2>
        ${capabilities.map((capability, index) => {
          const open = index === 0 || this.opened.has(capability.id);
          return html`
            <details
              class="fold"
              ?open=${index === 0}
              @toggle=${() => this.opened = new Set(this.opened).add(capability.id)}
            >
              <summary>
                <strong class="isolate" dir="auto">${capText(capability.title, 100)}</strong>
                <span class="mono quiet">${capability.id}</span>
                ${capability.streaming ? html`<span class="tag">streams</span>` : nothing}
                <wa-icon class="chevron" name="chevron-down"></wa-icon>
              </summary>
              ${open
                ? html`<bkg-capability class="inside" .capability=${capability}></bkg-capability>`
                : nothing}
            </details>
          `;
        })}
      </div>
    `;
  }

  #onTab = (event: CustomEvent<{ name: string }>): void => {
    if (event.target !== event.currentTarget) return;
    const tab = tabs.find((name) => name === event.detail.name);
    if (tab === undefined || tab === this.tab) return;
    this.#go(tab);
  };

  #onLink = (event: Event): void => {
    const link = event.currentTarget as HTMLAnchorElement;
    const tab = tabs.find((name) => link.hash === `#${name}`);
    if (tab === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.#go(tab);
  };

  #go(tab: Tab): void {
    this.chosen = tab;
    // Replaced: "back" leaves the page, and does not go through its tabs.
    history.replaceState(history.state, "", `${location.pathname}${location.search}#${tab}`);
  }

  #onAddress = (): void => {
    this.chosen = tabInAddress();
  };
}

/** By what it offers, whoever wrote it. */
function dashboardOf({ capabilities }: PluginView): "llm" | "tensors" | undefined {
  const has = (name: string) => capabilities.some(({ id }) => id === name);
  if (has("llm.models")) return "llm";
  return has("candle.model.run") ? "tensors" : undefined;
}

function renderDashboard(plugin: PluginView, { shown }: { shown: boolean }) {
  switch (dashboardOf(plugin)) {
    case "llm":
      return html`<bkg-llm-dashboard .plugin=${plugin} ?shown=${shown}></bkg-llm-dashboard>`;
    case "tensors":
      return html`<bkg-tensor-dashboard .plugin=${plugin} ?shown=${shown}></bkg-tensor-dashboard>`;
    case undefined:
      return nothing;
  }
}

const tabWords: Readonly<Record<Tab, string>> = {
  dashboard: "Dashboard",
  overview: "Overview",
  logs: "Logs",
  capabilities: "Capabilities",
  settings: "Settings",
  permissions: "Permissions",
};

function tabInAddress(): Tab | undefined {
  return tabs.find((tab) => location.hash === `#${tab}`);
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-plugin": BkgPlugin;
  }
}
