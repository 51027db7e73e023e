// Where a plugin runs for this person: on the server, or in this browser. Moving shows how far it is.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "@awesome.me/webawesome/dist/components/progress-bar/progress-bar.js";
import { type App, appContext } from "../app.ts";
import { StoreController } from "../controllers/store_controller.ts";
import type { HomeState } from "../stores/homes.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText, formatBytes } from "./format.ts";
import { segmentedStyles } from "./segmented_styles.ts";
import "./icons.ts";

@customElement("bkg-home-switch")
export class BkgHomeSwitch extends LitElement {
  @property({ attribute: false })
  accessor pluginId = "";
  /** The plugin's name, for the control's label. */
  @property({ attribute: false })
  accessor name = "";
  /** Leaves out why this browser cannot run plugins, where the page says it once for all of them. */
  @property({ type: Boolean })
  accessor terse = false;
  @consume({ context: appContext })
  @state()
  private accessor app!: App;

  static override styles = [
    sharedStyles,
    segmentedStyles,
    css`
      :host {
        display: grid;
        gap: var(--wa-space-2xs);
        justify-items: start;
        font-size: var(--wa-font-size-s);
      }
      .below {
        display: grid;
        gap: var(--wa-space-3xs);
        width: 100%;
        max-width: 22rem;
        font-size: var(--wa-font-size-xs);
      }
      .below:empty {
        display: none;
      }
      wa-progress-bar {
        --track-height: 0.25rem;
      }
      .short {
        display: -webkit-box;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 4;
        overflow: hidden;
      }
      .failed {
        color: var(--wa-color-danger-on-quiet);
      }
      button {
        justify-self: start;
        min-height: 1.5rem;
        padding: 0;
        border: 0;
        background: none;
        color: var(--wa-color-text-link);
        font: inherit;
        font-weight: var(--wa-font-weight-semibold);
        cursor: pointer;
      }
      button:hover {
        text-decoration: underline;
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.app.homes]);
  }

  override render() {
    const { homes } = this.app;
    const home = homes.state(this.pluginId);
    const here = home.kind === "browser" || home.kind === "moving";
    const refused = homes.problem !== undefined && !here;
    return html`
      <fieldset class="segments" aria-describedby="below" aria-busy=${home.kind === "moving"}>
        <legend class="visually-hidden">Where ${capText(this.name, 100)} runs</legend>
        <label>
          <input
            type="radio"
            name="home"
            .checked=${live(!here)}
            @change=${this.#toServer}
          >
          <span><wa-icon name="server"></wa-icon>Server</span>
        </label>
        <label title=${refused ? homes.problem?.message ?? nothing : nothing}>
          <input
            type="radio"
            name="home"
            ?disabled=${refused}
            .checked=${live(here)}
            @change=${this.#toBrowser}
          >
          <span><wa-icon name="laptop"></wa-icon>This browser</span>
        </label>
      </fieldset>
      <div id="below" class="below" role="status">${this.#below(home, refused)}</div>
    `;
  }

  #below(home: HomeState, refused: boolean) {
    if (home.kind === "moving") return this.#progress(home);
    if (home.kind === "failed") {
      return html`
        <span class="failed short wrap isolate" dir="auto">
          It did not move here: ${capText(home.error.message, 300)}.
        </span>
        <button @click=${this.#toBrowser}>Try again</button>
      `;
    }
    const problem = refused ? this.app.homes.problem : undefined;
    if (problem === undefined) return nothing;
    return html`
      <span class=${this.terse ? "visually-hidden" : "quiet wrap"}>
        ${problem.message}. ${problem.advice}.
      </span>
    `;
  }

  #progress({ step, done, total }: Extract<HomeState, { kind: "moving" }>) {
    const known = done !== undefined && total !== undefined && total > 0;
    // Read out are the steps, not every byte.
    return html`
      <wa-progress-bar
        label="Progress"
        .value=${known ? Math.min(100, (done / total) * 100) : 0}
        ?indeterminate=${!known}
      ></wa-progress-bar>
      <span class="quiet short wrap isolate" dir="auto">${capText(step, 120)}</span>
      ${known
        ? html`<span class="quiet number" aria-hidden="true">
            ${formatBytes(done)} of ${formatBytes(total)}</span>`
        : nothing}
    `;
  }

  // What fails is told by the store's state.
  #toServer = () => this.app.homes.moveToServer(this.pluginId).catch(() => {});
  #toBrowser = () => this.app.homes.moveToBrowser(this.pluginId).catch(() => {});
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-home-switch": BkgHomeSwitch;
  }
}
