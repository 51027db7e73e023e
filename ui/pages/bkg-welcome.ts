// /welcome: from an empty machine to a chat. What this machine can do, models that fit it, and the demo, which is here.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { CatalogView, Model } from "../api/models.ts";
import { may } from "../api/scopes.ts";
import { type App, appContext } from "../app.ts";
import "../components/bkg-error-notice.ts";
import "../components/bkg-page-header.ts";
import "../components/bkg-welcome-machine.ts";
import "../components/bkg-welcome-model.ts";
import "../components/bkg-welcome-name.ts";
import "../components/bkg-welcome-offline.ts";
import type { PullActDetail } from "../components/bkg-welcome-pull.ts";
import { capText, formatBytes } from "../components/format.ts";
import "../components/icons.ts";
import { originWords } from "../components/model_words.ts";
import { openChatWith } from "../controllers/new_chat.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { navigate } from "../routes.ts";
import { jobsOf } from "../stores/jobs.ts";
import { type Models, modelsOf } from "../stores/models.ts";
import { chooseModels, dismissWelcome, isDemo, isForChat } from "../stores/welcome.ts";
import { createWelcomePulls, type WelcomePulls } from "../stores/welcome_pulls.ts";
import { sharedStyles } from "../theme/shared_styles.ts";

@customElement("bkg-welcome")
export class BkgWelcome extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  /** What was asked for by its name last. */
  @state()
  private accessor named = "";

  #models!: Models;
  #pulls!: WelcomePulls;

  static override styles = [
    sharedStyles,
    css`
      .page {
        max-width: 62rem;
      }
      .choices {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(16rem, 100%), 1fr));
        gap: var(--bkg-gap);
        padding: 0;
        list-style: none;
      }
      .skeleton {
        height: 100dvh;
      }
      .here {
        padding: 0;
        list-style: none;
      }
      .line {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: space-between;
        gap: var(--wa-space-xs) var(--wa-space-l);
      }
      .line > :first-child {
        flex: 1 1 14rem;
        min-width: 0;
      }
      .here li + li {
        margin-block-start: var(--wa-space-s);
        padding-block-start: var(--wa-space-s);
        border-block-start: var(--bkg-card-border);
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => {
      this.#models = modelsOf(this.app);
      this.#pulls = createWelcomePulls({ jobs: jobsOf(this.app), chat: openChatWith });
      return [this.#models, this.#pulls, jobsOf(this.app), this.app.session];
    });
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#models.load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#pulls.close();
  }

  override willUpdate(): void {
    for (const { source, job } of this.#models.catalog?.models ?? []) {
      if (job !== null) this.#pulls.adopt(source, job);
    }
  }

  override render() {
    const { catalog, list, errors } = this.#models;
    return html`
      <div
        class="page"
        @bkg-begin=${this.#begin}
        @bkg-act=${({ detail }: CustomEvent<PullActDetail>) =>
          this.#pulls.control(detail.source, detail.act)}
      >
        <bkg-page-header
          heading="Your first model"
          lead="Choose one and chat with it. All of it stays on your own machine."
        >
          <wa-button appearance="plain" @click=${this.#skip}>Skip this</wa-button>
        </bkg-page-header>
        ${// All at once, so that nothing that is read moves away.
        (catalog ?? errors.catalog) === undefined || (list ?? errors.list) === undefined
          ? html`<div class="skeleton" role="status" aria-label="Looking at this machine"></div>`
          : this.#content()}
      </div>
    `;
  }

  #content() {
    const { catalog, errors } = this.#models;
    return html`
      ${catalog === undefined
        ? html`
          <bkg-error-notice
            heading="What this machine can do could not be read"
            .error=${errors.catalog}
            .retry=${() => this.#models.load()}
          ></bkg-error-notice>
        `
        : html`
          <bkg-welcome-machine .machine=${catalog.machine}></bkg-welcome-machine>
          ${this.#ways(catalog)}
        `}
      ${this.#here()} ${this.#demo()}
      <p class="quiet small">You find this page again under <a href="models">Models</a>.</p>
    `;
  }

  /** Where a first model comes from: the catalogue, a name, or a person who may bring one. */
  #ways(catalog: CatalogView) {
    if (catalog.machine.offline) {
      return html`
        <bkg-welcome-offline
          ?looking=${this.#models.loading}
          @bkg-again=${() => this.#models.load()}
        ></bkg-welcome-offline>
      `;
    }
    if (!this.#mayPull) {
      return html`
        <section class="card stack" aria-labelledby="ask">
          <h2 id="ask">Somebody else brings models here</h2>
          <p>Your account may use the models of this server, and not pull others. Ask an admin or
            an operator of it, who may also allow it to you: the right is “models:manage”.</p>
        </section>
      `;
    }
    return this.#choices(catalog);
  }

  #choices({ machine, models }: CatalogView) {
    const choices = chooseModels(models, machine);
    const first = choices[Math.min(1, choices.length - 1)];
    return html`
      <section class="stack" aria-labelledby="choices">
        <h2 id="choices">${choices.length === 0
          ? "No model of the catalogue fits this machine"
          : choices.length === 1
          ? "A model that fits this machine"
          : "Models that fit this machine"}</h2>
        ${choices.length === 0
          ? html`<p class="quiet">Memory is what they need most: free some, or give the LLM server's
            plugin more under <a href="plugins">Plugins</a>. The demo below works in any case.</p>`
          : nothing}
        <ul class="choices">
          ${repeat(choices, ({ entry }) => entry.id, (choice) =>
            html`
              <li>
                <bkg-welcome-model
                  .choice=${choice}
                  .machine=${machine}
                  .pull=${this.#pulls.state(choice.entry.source)}
                  ?first=${choice === first}
                ></bkg-welcome-model>
              </li>
            `)}
        </ul>
      </section>
      <section class="card stack" aria-labelledby="named">
        <h2 id="named">Another model</h2>
        <bkg-welcome-name
          .source=${this.named}
          .pull=${this.#pulls.state(this.named)}
          @bkg-begin=${({ detail }: CustomEvent<string>) => this.named = detail}
        ></bkg-welcome-name>
      </section>
    `;
  }

  /** What one may chat with at once; other programs' models among it. */
  #here() {
    const models = this.#models.list?.filter(isForChat) ?? [];
    if (models.length === 0) return nothing;
    return html`
      <section class="card stack" aria-labelledby="here">
        <h2 id="here">Here already</h2>
        <ul class="here">
          ${models.slice(0, shownModels).map((model) =>
            html`
              <li class="line">
                <div>
                  <p class="mono wrap isolate" dir="auto">${capText(model.id, 200)}</p>
                  <p class="quiet small number">
                    ${formatBytes(model.size)} · ${originWords[model.origin]}
                  </p>
                </div>
                ${chatButton(model)}
              </li>
            `
          )}
        </ul>
        ${models.length <= shownModels
          ? nothing
          : html`<a class="small" href="models">All ${models.length} models</a>`}
      </section>
    `;
  }

  #demo() {
    const { list, errors } = this.#models;
    const demo = list?.find(isDemo);
    if (demo === undefined) {
      return errors.list === undefined ? nothing : html`
        <bkg-error-notice
          heading="The models that are here could not be read"
          .error=${errors.list}
          .retry=${() => this.#models.load()}
        ></bkg-error-notice>
      `;
    }
    return html`
      <section class="card line" aria-labelledby="demo">
        <div>
          <h2 id="demo">See it work now</h2>
          <p class="quiet">A tiny model came with bkg (${formatBytes(
            demo.size,
          )}). It knows how to tell
            children's stories, and little else.</p>
        </div>
        ${chatButton(demo, "Chat with the demo")}
      </section>
    `;
  }

  get #mayPull(): boolean {
    return may(this.app.session.principal, "models:manage");
  }

  #begin(event: CustomEvent<string>): void {
    void this.#pulls.begin(event.detail);
  }

  #skip(): void {
    dismissWelcome();
    navigate("dashboard");
  }
}

const shownModels = 5;

function chatButton({ id }: Model, label = "Chat") {
  return html`
    <wa-button appearance="outlined" @click=${() => openChatWith(id)}>
      <wa-icon slot="start" name="message"></wa-icon>${label}
      ${label === "Chat"
        ? html`<span class="visually-hidden">with ${capText(id, 80)}</span>`
        : nothing}
    </wa-button>
  `;
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-welcome": BkgWelcome;
  }
}
