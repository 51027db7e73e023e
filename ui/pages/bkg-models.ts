// /models: what is here, what could be (#catalogue), what is on its way, and the room it takes.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/drawer/drawer.js";
import "@awesome.me/webawesome/dist/components/tab/tab.js";
import "@awesome.me/webawesome/dist/components/tab-group/tab-group.js";
import "@awesome.me/webawesome/dist/components/tab-panel/tab-panel.js";
import { deleteModel, type Model, pinModel, trustModel } from "../api/models.ts";
import type { Machine } from "../api/machine.ts";
import { may } from "../api/scopes.ts";
import { type App, appContext } from "../app.ts";
import "../components/bkg-confirm.ts";
import type { Question } from "../components/bkg-confirm.ts";
import "../components/bkg-empty-state.ts";
import "../components/bkg-error-notice.ts";
import "../components/bkg-model-catalog.ts";
import "../components/bkg-model-disk.ts";
import "../components/bkg-model-facts.ts";
import "../components/bkg-model-jobs.ts";
import "../components/bkg-model-pull.ts";
import "../components/bkg-model-table.ts";
import "../components/bkg-page-header.ts";
import { foldStyles } from "../components/fold_styles.ts";
import { capText, formatBytes, formatPlural } from "../components/format.ts";
import "../components/icons.ts";
import { tabStyles } from "../components/tab_styles.ts";
import { askTrust } from "../components/trust_question.ts";
import { AddressTabs } from "../controllers/address_tabs.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { jobsOf } from "../stores/jobs.ts";
import { modelsOf } from "../stores/models.ts";
import { sharedStyles } from "../theme/shared_styles.ts";

@customElement("bkg-models")
export class BkgModels extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  /** Id of the model whose details are shown. */
  @state()
  private accessor shown: string | undefined;
  @state()
  private accessor drawerOpen = false;
  @state()
  private accessor question: Question | undefined;
  /** Why what was asked of a model was not done. */
  @state()
  private accessor refused: unknown;
  @state()
  private accessor outcome = "";
  @query("bkg-page-header")
  private accessor header!: HTMLElement;

  readonly #tabs = new AddressTabs(this, ["installed", "catalogue"]);

  static override styles = [
    sharedStyles,
    tabStyles,
    foldStyles,
    css`
      wa-drawer {
        --size: min(30rem, 100vw - 1rem);
      }
      wa-drawer::part(title) {
        font-size: var(--wa-font-size-l);
      }
      .wait {
        height: 16rem;
      }
      .machine {
        margin-block-start: calc(var(--wa-space-m) - var(--bkg-gap-l));
        display: flex;
        flex-wrap: wrap;
        gap: var(--wa-space-3xs) var(--wa-space-m);
      }
      .machine span {
        display: inline-flex;
        align-items: center;
        gap: var(--wa-space-2xs);
      }
      .problems ul {
        display: grid;
        gap: var(--wa-space-s);
        padding: 0;
        list-style: none;
      }
      .fold wa-icon:first-child {
        color: var(--wa-color-warning-on-quiet);
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [
      modelsOf(this.app),
      jobsOf(this.app),
      this.app.session,
    ]);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    modelsOf(this.app).load();
    void jobsOf(this.app).load();
  }

  override render() {
    const models = modelsOf(this.app);
    const { machine } = models.catalog ?? {};
    return html`
      <div
        class="page"
        @bkg-show-model=${({ detail }: CustomEvent<string>) => this.#show(detail)}
        @bkg-verify-model=${({ detail }: CustomEvent<Model>) => this.#verify(detail)}
        @bkg-trust-model=${({ detail }: CustomEvent<Model>) => this.#trust(detail)}
        @bkg-pin-model=${({ detail }: CustomEvent<Model>) => this.#pin(detail)}
        @bkg-delete-model=${({ detail }: CustomEvent<Model>) => this.#askDelete(detail)}
      >
        <bkg-page-header
          heading="Models" lead="What this server has, small ones that it could have, and the room they take."
        >
          <wa-button size="s" appearance="plain" href="welcome">
            <wa-icon slot="start" name="sparkles"></wa-icon>What fits this machine
          </wa-button>
          <wa-button
            size="s" appearance="plain" ?loading=${models.loading} @click=${() => models.load()}
          ><wa-icon slot="start" name="refresh"></wa-icon>Look again</wa-button>
        </bkg-page-header>
        ${machine === undefined ? nothing : this.#machine(machine)}
        ${this.#readonly ? nothing : html`
          <bkg-model-pull .hindrance=${machine?.offline === true
            ? offlineWords
            : undefined}></bkg-model-pull>
        `}
        <bkg-model-jobs
          ?readonly=${this.#readonly} @bkg-emptied=${() => this.header.focus()}
        ></bkg-model-jobs>
        <bkg-error-notice
          heading="That did not work" .error=${this.refused}
          .dismiss=${() => this.refused = undefined}
        ></bkg-error-notice>
        <div class="visually-hidden" role="status">${this.outcome}</div>
        <wa-tab-group
          .active=${this.#tabs.current}
          @wa-tab-show=${({ detail }: CustomEvent<{ name: string }>) =>
            this.#tabs.show(detail.name)}
        >
          <wa-tab panel="installed">Installed</wa-tab>
          <wa-tab panel="catalogue">Catalogue</wa-tab>
          <wa-tab-panel name="installed">${this.#installed()}</wa-tab-panel>
          <wa-tab-panel name="catalogue">${this.#catalogue()}</wa-tab-panel>
        </wa-tab-group>
        ${models.disk === undefined ? nothing : html`
          <bkg-model-disk .disk=${models.disk} ?readonly=${this.#readonly}></bkg-model-disk>
        `}
        ${this.#problems()}
      </div>
      ${this.#drawer(machine)}
      <bkg-confirm
        .question=${this.question} @bkg-close=${() => this.question = undefined}
      ></bkg-confirm>
    `;
  }

  get #readonly(): boolean {
    return !may(this.app.session.principal, "models:manage");
  }

  #machine({ memoryBytes, availableBytes, cores, webgpu, offline }: Machine) {
    const gpu = webgpu?.available !== true
      ? undefined
      : webgpu.software === true
      ? "WebGPU in software"
      : capText(webgpu.adapter ?? "WebGPU", 60);
    return html`
      <p class="machine quiet small number">
        <span><wa-icon name="memory"></wa-icon>${formatBytes(availableBytes)} free of ${formatBytes(
          memoryBytes,
        )} memory</span>
        <span><wa-icon name="cpu"></wa-icon>${formatPlural(cores, "core")}</span>
        ${gpu === undefined ? nothing : html`<span><wa-icon name="zap"></wa-icon>${gpu}</span>`}
        ${offline ? html`<span><wa-icon name="wifi-off"></wa-icon>Offline</span>` : nothing}
      </p>
    `;
  }

  #installed() {
    const models = modelsOf(this.app);
    const error = models.errors.list;
    return html`
      <div class="stack">
        <bkg-error-notice
          heading="The models could not be listed" .error=${error} .retry=${() => models.load()}
        ></bkg-error-notice>
        ${models.list !== undefined
          ? models.list.length === 0 ? this.#none() : html`
            <bkg-model-table .models=${models.list} ?readonly=${this.#readonly}></bkg-model-table>
          `
          : error === undefined
          ? html`<div class="skeleton wait" role="status" aria-label="Loading the models"></div>`
          : nothing}
      </div>
    `;
  }

  #none() {
    return html`
      <div class="card">
        <bkg-empty-state
          icon="box" heading="No models yet"
          text="Pull one that fits this machine: the catalogue has small ones that are known to work."
        >
          <wa-button variant="brand" @click=${() => this.#tabs.show("catalogue")}>
            Look at the catalogue
          </wa-button>
        </bkg-empty-state>
      </div>
    `;
  }

  #catalogue() {
    const models = modelsOf(this.app);
    const error = models.errors.catalog;
    return html`
      <div class="stack">
        <bkg-error-notice
          heading="The catalogue could not be loaded" .error=${error} .retry=${() => models.load()}
        ></bkg-error-notice>
        ${models.catalog?.machine.offline !== true ? nothing : html`
          <p class="quiet">${offlineWords}</p>
        `}
        ${models.catalog !== undefined
          ? html`
            <bkg-model-catalog
              .catalog=${models.catalog} ?readonly=${this.#readonly}
            ></bkg-model-catalog>
          `
          : error === undefined
          ? html`<div class="skeleton wait" role="status" aria-label="Loading the catalogue"></div>`
          : nothing}
      </div>
    `;
  }

  #problems() {
    const { problems } = modelsOf(this.app);
    if (problems.length === 0) return nothing;
    return html`
      <details class="fold problems">
        <summary>
          <wa-icon name="warning"></wa-icon>
          <h2>${formatPlural(problems.length, "file")} not usable</h2>
          <wa-icon class="chevron" name="chevron-down"></wa-icon>
        </summary>
        <div class="inside">
          <p class="quiet small">They lie in the server's model folders and were refused before any
            engine saw them.</p>
          <ul class="small">
            ${problems.slice(0, shownProblems).map(({ path, message }) =>
              html`
                <li>
                  <div class="mono wrap isolate" dir="auto">${capText(path, 400)}</div>
                  <div class="quiet wrap isolate" dir="auto">${capText(message, 400)}</div>
                </li>
              `
            )}
          </ul>
          ${problems.length <= shownProblems ? nothing : html`
            <p class="quiet small">and ${formatPlural(
              problems.length - shownProblems,
              "further one",
            )}</p>
          `}
        </div>
      </details>
    `;
  }

  #drawer(machine: Machine | undefined) {
    const model = modelsOf(this.app).list?.find(({ id }) => id === this.shown);
    return html`
      <wa-drawer
        label="Model" light-dismiss ?open=${this.drawerOpen && model !== undefined}
        @wa-after-hide=${(event: Event) => {
          if (event.target === event.currentTarget) this.drawerOpen = false;
        }}
        @bkg-verify-model=${({ detail }: CustomEvent<Model>) => this.#verify(detail)}
        @bkg-trust-model=${({ detail }: CustomEvent<Model>) => this.#trust(detail)}
        @bkg-update-model=${({ detail }: CustomEvent<Model>) => this.#update(detail)}
        @bkg-pin-model=${({ detail }: CustomEvent<Model>) => this.#pin(detail)}
        @bkg-delete-model=${({ detail }: CustomEvent<Model>) => this.#askDelete(detail)}
      >
        ${model === undefined ? nothing : html`
          <bkg-model-facts
            .model=${model} .machine=${machine} ?readonly=${this.#readonly}
          ></bkg-model-facts>
        `}
      </wa-drawer>
    `;
  }

  #show(id: string): void {
    this.shown = id;
    this.drawerOpen = true;
  }

  #verify({ id }: Model): Promise<void> {
    this.drawerOpen = false;
    return this.#attempt(async () => {
      await jobsOf(this.app).verify(id);
      this.outcome = `${capText(id, 100)} is checked`;
    });
  }

  /** To take trust away needs no thought. */
  #trust({ id, trusted }: Model): void {
    const name = capText(id, 100);
    if (trusted) {
      void this.#attempt(async () => {
        await trustModel(this.app.api, id, false);
        this.outcome = `${name} is trusted no more`;
        modelsOf(this.app).load();
      });
      return;
    }
    this.drawerOpen = false;
    this.question = askTrust(name, async () => {
      const job = await jobsOf(this.app).trust(id);
      this.outcome = `${name} is ${job === undefined ? "trusted" : "read, and then trusted"}`;
      modelsOf(this.app).load();
      this.header.focus();
    });
  }

  #update({ id, source = id }: Model): Promise<void> {
    this.drawerOpen = false;
    return this.#attempt(async () => {
      await jobsOf(this.app).pull(source, { update: true });
      this.outcome = `A newer ${capText(id, 100)} is looked for`;
    });
  }

  #pin({ id, pinned }: Model): Promise<void> {
    return this.#attempt(async () => {
      await pinModel(this.app.api, id, !pinned);
      this.outcome = `${capText(id, 100)} is ${pinned ? "unpinned" : "pinned"}`;
      modelsOf(this.app).load();
    });
  }

  #askDelete({ id, size, pinned }: Model): void {
    const name = capText(id, 100);
    this.drawerOpen = false;
    this.question = {
      heading: `Delete ${name}?`,
      text: html`
        <p>This frees ${formatBytes(size)} on the server's disk, less what other models share with
          it. It can be pulled again.</p>
        ${pinned
          ? html`<p><strong>It is pinned</strong>, so somebody wanted it to stay.</p>`
          : nothing}
      `,
      label: "Delete",
      danger: true,
      run: async () => {
        const { freedBytes } = await deleteModel(this.app.api, id, { force: pinned });
        this.outcome = `${name} is deleted, ${formatBytes(freedBytes)} came free`;
        modelsOf(this.app).load();
        this.header.focus();
      },
    };
  }

  async #attempt(act: () => Promise<void>): Promise<void> {
    this.refused = undefined;
    this.outcome = "";
    try {
      await act();
    } catch (error) {
      this.refused = error;
    }
  }
}

const offlineWords = "This server is offline (BKG_OFFLINE): nothing is downloaded.";
const shownProblems = 50;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-models": BkgModels;
  }
}
