// What runs, at a glance: the server, its plugins, the models, and what needs a hand.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import { readSignUp } from "../api/account.ts";
import type { LiveState } from "../api/live.ts";
import { may } from "../api/scopes.ts";
import { type App, appContext } from "../app.ts";
import "../components/bkg-attention.ts";
import "../components/bkg-browser-models.ts";
import "../components/bkg-model-list.ts";
import { noPlugins } from "../components/no_plugins.ts";
import "../components/bkg-page-header.ts";
import { isDismissed } from "../components/bkg-password-notice.ts";
import "../components/bkg-plugin-card.ts";
import "../components/bkg-welcome-notice.ts";
import { formatBytes, formatCount, formatPercent } from "../components/format.ts";
import "../components/icons.ts";
import { total, totalsStyles } from "../components/totals.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { TelemetryHistory } from "../controllers/telemetry_history.ts";
import { isWelcomeDue } from "../stores/welcome.ts";
import { sharedStyles } from "../theme/shared_styles.ts";

@customElement("bkg-dashboard")
export class BkgDashboard extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  /** Whether to say how one signs in from elsewhere; undefined until it is known. */
  @state()
  private accessor needsPassword: boolean | undefined;

  /** Whether there is nothing to chat with, and this person may change that; undefined until it is known. */
  @state()
  private accessor needsModel: boolean | undefined;

  readonly #history = new TelemetryHistory(this, () => this.app.live);

  static override styles = [
    sharedStyles,
    totalsStyles,
    css`
      .state::before {
        content: "";
        display: inline-block;
        margin-inline-end: 0.4em;
        vertical-align: 0.1em;
        width: 0.5em;
        height: 0.5em;
        border-radius: 50%;
        background: var(--bkg-status-stopped);
      }
      .state.open::before {
        background: var(--bkg-status-running);
      }
      .state.lost::before,
      .state.refused::before {
        background: var(--bkg-status-error);
      }
      .plugins {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
        gap: var(--bkg-gap);
        padding: 0;
        list-style: none;
      }
      .skeleton {
        height: 20rem;
      }
      .bar {
        min-height: 2.25rem;
      }
      .bar a {
        border-radius: var(--wa-border-radius-s);
        font-size: var(--wa-font-size-s);
        font-weight: var(--wa-font-weight-semibold);
        text-decoration: none;
      }
      .bar a:hover {
        text-decoration: underline;
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.app.plugins, this.app.live, this.app.homes]);
  }

  override firstUpdated(): void {
    void this.#askForPassword();
    void isWelcomeDue(this.app).then((due) => this.needsModel = due);
  }

  override render() {
    const { list } = this.app.plugins;
    return html`
      <div class="page">
        <bkg-page-header heading="Dashboard">
          <wa-button variant="brand" href="chats">
            <wa-icon slot="start" name="message-plus"></wa-icon>Start a chat
          </wa-button>
        </bkg-page-header>
        ${this.#totals(list)} ${// All at once, so that nothing that is read moves away.
        list === undefined || this.needsPassword === undefined || this.needsModel === undefined
          ? html`<div class="skeleton" role="status" aria-label="Loading the plugins"></div>`
          : this.#content(list)}
      </div>
    `;
  }

  #content(list: readonly PluginView[]) {
    return html`
      ${this.needsModel === true
        ? html`<bkg-welcome-notice @bkg-dismiss=${() =>
          this.needsModel = false}></bkg-welcome-notice>`
        : nothing}
      ${this.needsPassword === true
        ? html`<bkg-password-notice @bkg-dismiss=${() =>
          this.needsPassword = false}></bkg-password-notice>`
        : nothing}
      <bkg-attention .plugins=${list} ?hidden=${!needsAttention(list)}></bkg-attention>
      <section class="stack" aria-labelledby="plugins">
        <div class="row spread bar">
          <h2 id="plugins">Plugins</h2>
          <a href="plugins">Manage plugins</a>
        </div>
        ${this.#plugins(list)}
      </section>
      <bkg-model-list></bkg-model-list>
      <bkg-browser-models></bkg-browser-models>
    `;
  }

  /** Nobody waits long for this: without an answer nothing is said. */
  async #askForPassword(): Promise<void> {
    const { session, api } = this.app;
    if (isDismissed() || !may(session.principal, "account")) {
      this.needsPassword = false;
      return;
    }
    try {
      const { signedUp } = await readSignUp(api, AbortSignal.timeout(signUpTimeoutMs));
      this.needsPassword = !signedUp && may(session.principal, "users:manage");
    } catch {
      this.needsPassword = false;
    }
  }

  #totals(list: readonly PluginView[] | undefined) {
    const { live, plugins, homes } = this.app;
    const { word, hint } = describeServer(live.state);
    const running = list?.filter(({ status }) => status === "running") ?? [];
    const here = list?.filter(({ id }) => homes.state(id).kind === "browser").length ?? 0;
    const samples = (list ?? []).flatMap(({ id }) => plugins.telemetry(id) ?? []);
    const ofRunning = samples.filter(({ status }) => status === "running");
    const cpu = sum(ofRunning.map(({ cpuPercent }) => cpuPercent ?? 0));
    const memory = sum(ofRunning.map(({ usage }) => usage?.rssBytes ?? 0));
    const errors = sum(samples.map((one) => one.errors));
    const version = live.bootstrap?.version;
    return html`
      <dl class="card totals" aria-label="Totals">
        ${total(
          "Server",
          html`<span class="state ${live.state.kind}">${word}</span>`,
          hint ?? (version === undefined ? "" : `bkg ${version}`),
        )}
        ${total(
          "Plugins running",
          list && `${running.length} of ${list.length}`,
          here > 0 ? `${here} in this browser` : "",
        )}
        ${total("CPU", list && formatPercent(cpu), "of one core")}
        ${total("Memory", list && formatBytes(memory), "by plugins")}
        ${total(
          "Requests",
          list && formatCount(sum(samples.map((one) => one.requests))),
          errors === 0 ? "no errors" : `${formatCount(errors)} failed`,
        )}
      </dl>
    `;
  }

  #plugins(list: readonly PluginView[]) {
    if (list.length === 0) return noPlugins();
    const shown = list.slice(0, shownPlugins);
    return html`
      <ul class="plugins" role="list">
        ${repeat(
          shown,
          ({ id }) => id,
          (plugin) =>
            html`
              <li>
                <bkg-plugin-card .plugin=${plugin} .samples=${this.#history.of(
                  plugin.id,
                )}></bkg-plugin-card>
              </li>
            `,
        )}
      </ul>
      ${list.length === shown.length
        ? nothing
        : html`<p class="quiet small">And ${
          list.length - shown.length
        } more: <a href="plugins">all plugins</a></p>`}
    `;
  }
}

const signUpTimeoutMs = 2000;
/** More would be no glance. */
const shownPlugins = 12;

function describeServer(state: LiveState): { word: string; hint?: string } {
  switch (state.kind) {
    case "open":
      return { word: "Connected" };
    case "closed":
    case "connecting":
      return { word: "Connecting" };
    case "lost":
      return { word: "Offline", hint: "last known numbers" };
    case "refused":
      return { word: "Ended", hint: "last known numbers" };
  }
}

function needsAttention(list: readonly PluginView[]): boolean {
  return list.some(({ enabled, needsConsent, status }) =>
    status === "error" || (enabled && needsConsent)
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-dashboard": BkgDashboard;
  }
}
