// Small models that bkg knows to work, by task: found by name, with what fits first. Pulls are begun here.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import { type ModelTask, modelTasks } from "../../models/model.ts";
import { toAppError } from "../../plugins/runtime/contract/error.ts";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { CatalogEntry, CatalogView } from "../api/models.ts";
import { type App, appContext } from "../app.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { isEnded, jobsOf } from "../stores/jobs.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-empty-state.ts";
import "./bkg-model-card.ts";
import { capText, formatPlural } from "./format.ts";
import { taskLeads, taskWords } from "./model_words.ts";
import { segmentedStyles } from "./segmented_styles.ts";
import "./icons.ts";

@customElement("bkg-model-catalog")
export class BkgModelCatalog extends LitElement {
  @property({ attribute: false })
  accessor catalog!: CatalogView;
  @property({ type: Boolean })
  accessor readonly = false;
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor search = "";
  @state()
  private accessor task: ModelTask | "all" = "all";
  @state()
  private accessor fittingOnly = false;
  /** Why a pull was not begun, by id. */
  @state()
  private accessor refusals: ReadonlyMap<string, string> = new Map();

  static override styles = [
    sharedStyles,
    segmentedStyles,
    css`
      .tools {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--wa-space-s);
      }
      .tools wa-input {
        flex: 1 1 14rem;
        max-width: 20rem;
      }
      .tools wa-input::part(form-control-label) {
        position: absolute;
        width: 1px;
        height: 1px;
        overflow: hidden;
        clip-path: inset(50%);
      }
      .segments {
        flex-wrap: wrap;
      }
      .fitting {
        display: inline-flex;
        align-items: center;
        gap: var(--wa-space-xs);
        min-height: 1.75rem;
        cursor: pointer;
      }
      .fitting input {
        width: 1rem;
        height: 1rem;
        margin: 0;
        accent-color: var(--wa-color-brand-fill-loud);
      }
      .cards {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr));
        gap: var(--bkg-gap);
        padding: 0;
        list-style: none;
      }
      .cards > li {
        display: grid;
      }
      section {
        margin-block-start: var(--wa-space-xs);
      }
      h2 small {
        margin-inline-start: var(--wa-space-2xs);
        font-size: var(--wa-font-size-s);
        font-weight: var(--wa-font-weight-normal);
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [jobsOf(this.app)]);
  }

  override render() {
    const { models } = this.catalog;
    const tasks = modelTasks.filter((task) => models.some((entry) => entry.task === task));
    const word = this.search.trim().toLowerCase();
    const found = models.filter((entry) =>
      (this.task === "all" || entry.task === this.task) && matches(entry, word) &&
      (!this.fittingOnly || entry.installed !== null || entry.fits.some(({ fits }) => fits))
    );
    return html`
      <div
        class="stack"
        @bkg-pull-model=${({ detail }: CustomEvent<CatalogEntry>) => this.#pull(detail)}
        @bkg-pause=${this.#control("pause")}
        @bkg-resume=${this.#control("resume")}
        @bkg-cancel=${this.#control("cancel")}
        @bkg-retry=${({ detail }: CustomEvent<Job>) =>
          this.#attempt(this.#entryOf(detail), () => jobsOf(this.app).retry(detail))}
        @bkg-forget=${({ detail }: CustomEvent<Job>) =>
          this.#attempt(this.#entryOf(detail), () => jobsOf(this.app).forget(detail.id))}
      >
        ${this.#tools(tasks)}
        <p class="visually-hidden" role="status">${formatPlural(found.length, "model")} shown</p>
        ${found.length > 0 ? nothing : html`
          <div class="card">
            <bkg-empty-state icon="search" heading="The catalogue has no such model"
              text="Try other words, or pull any model by its name above.">
              <wa-button appearance="outlined" @click=${this.#showAll}>Show all</wa-button>
            </bkg-empty-state>
          </div>
        `}
        ${tasks.map((task) => this.#section(task, found.filter((entry) => entry.task === task)))}
      </div>
    `;
  }

  #tools(tasks: readonly ModelTask[]) {
    return html`
      <div class="tools">
        <wa-input
          type="search" size="s" with-clear
          label="Search the catalogue" placeholder="Search the catalogue"
          .value=${live(this.search)}
          @input=${(event: Event) => this.search = (event.target as HTMLInputElement).value ?? ""}
        >
          <wa-icon slot="start" name="search"></wa-icon>
        </wa-input>
        <fieldset class="segments">
          <legend class="visually-hidden">Task</legend>
          ${(["all", ...tasks] as const).map((task) =>
            html`
              <label>
                <input
                  type="radio" name="task"
                  .checked=${live(this.task === task)}
                  @change=${() => this.task = task}
                ><span>${task === "all" ? "All" : taskWords[task]}</span>
              </label>
            `
          )}
        </fieldset>
        <label class="fitting small">
          <input
            type="checkbox"
            .checked=${live(this.fittingOnly)}
            @change=${(event: Event) =>
              this.fittingOnly = (event.target as HTMLInputElement).checked}
          >Only what fits
        </label>
      </div>
    `;
  }

  #section(task: ModelTask, entries: readonly CatalogEntry[]) {
    if (entries.length === 0) return nothing;
    return html`
      <section class="stack" aria-labelledby=${`task-${task}`}>
        <h2 id=${`task-${task}`}>${taskWords[task]} <small class="quiet">${taskLeads[
          task
        ]}</small></h2>
        <ul class="cards">
          ${repeat(entries.toSorted(byUse), ({ id }) => id, (entry) =>
            html`
              <li>
                <bkg-model-card
                  .entry=${entry}
                  .machine=${this.catalog.machine}
                  .job=${this.#jobOf(entry)}
                  ?readonly=${this.readonly}
                  refusal=${this.refusals.get(entry.id) ?? ""}
                ></bkg-model-card>
              </li>
            `)}
        </ul>
      </section>
    `;
  }

  /** What the live list tells wins; the catalogue was read some time ago. */
  #jobOf({ source, job, installed }: CatalogEntry): Job | undefined {
    const jobs = jobsOf(this.app);
    const known = jobs.list?.find((one) =>
      one.kind === "model.pull" && (one.title === source || one.id === job)
    );
    if (known === undefined || known.status === "cancelled") return undefined;
    return installed !== null && isEnded(known) ? undefined : known;
  }

  #entryOf(job: Job): CatalogEntry | undefined {
    return this.catalog.models.find((entry) => this.#jobOf(entry)?.id === job.id);
  }

  #pull(entry: CatalogEntry): void {
    void this.#attempt(entry, () => jobsOf(this.app).pull(entry.source));
  }

  #control(act: "pause" | "resume" | "cancel") {
    return ({ detail }: CustomEvent<Job>) =>
      this.#attempt(this.#entryOf(detail), () => jobsOf(this.app).control(detail.id, act));
  }

  async #attempt(
    entry: CatalogEntry | undefined,
    act: () => Promise<unknown>,
  ): Promise<void> {
    let refusal = "";
    try {
      await act();
    } catch (error) {
      refusal = `${capText(toAppError(error).message, 400)}.`;
    }
    if (entry !== undefined) this.refusals = new Map(this.refusals).set(entry.id, refusal);
  }

  #showAll(): void {
    this.search = "";
    this.task = "all";
    this.fittingOnly = false;
  }
}

function matches({ id, name, description, source }: CatalogEntry, word: string): boolean {
  return word === "" ||
    [id, name, description, source].some((text) => text.toLowerCase().includes(word));
}

/** What fits before what does not, the recommended first among each. */
function byUse(one: CatalogEntry, other: CatalogEntry): number {
  const weight = ({ fits, recommended }: CatalogEntry) =>
    (fits.some(({ fits }) => fits) ? 2 : 0) + (recommended ? 1 : 0);
  return weight(other) - weight(one);
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-model-catalog": BkgModelCatalog;
  }
}
