// The pulls and verifications of the server: those under way, and those that ended and were not taken off the list.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import { writesText } from "../../plugins/runtime/contract/model_summary.ts";
import { type App, appContext } from "../app.ts";
import { openChatWith } from "../controllers/new_chat.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { isEnded, jobsOf } from "../stores/jobs.ts";
import { modelsOf } from "../stores/models.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-error-notice.ts";
import "./bkg-pull-progress.ts";
import { capText, formatPlural } from "./format.ts";
import { verifiedFiles } from "./job_words.ts";
import "./icons.ts";

@customElement("bkg-model-jobs")
export class BkgModelJobs extends LitElement {
  @property({ type: Boolean })
  accessor readonly = false;
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor refused: unknown;

  #shown: readonly Job[] = [];
  #error: unknown;

  static override styles = [
    sharedStyles,
    css`
      .card {
        padding: 0;
      }
      ul {
        padding: 0;
        list-style: none;
      }
      .jobs > li {
        display: grid;
        gap: var(--wa-space-2xs);
        padding: var(--wa-space-s) var(--bkg-card-padding);
      }
      .jobs > li + li {
        border-block-start: var(--bkg-card-border);
      }
      .bad {
        color: var(--wa-color-danger-on-quiet);
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [jobsOf(this.app), modelsOf(this.app)]);
  }

  override willUpdate(): void {
    const jobs = jobsOf(this.app);
    const list = jobs.list ?? [];
    this.#shown = [
      ...list.filter((job) => !isEnded(job)),
      ...list.filter(isEnded).slice(0, shownEnded),
    ];
    this.#error = this.refused ?? (jobs.list === undefined ? jobs.error : undefined);
    // Takes no room, not even the gap of a grid, while there is nothing to show.
    this.hidden = this.#shown.length === 0 && this.#error === undefined;
  }

  override render() {
    if (this.hidden) return nothing;
    const jobs = jobsOf(this.app);
    const shown = this.#shown;
    return html`
      <section class="stack" aria-labelledby="heading">
        <h2 id="heading" tabindex="-1">Downloads and checks</h2>
        <bkg-error-notice
          heading=${this.refused === undefined ? "They could not be listed" : "That did not work"}
          .error=${this.#error}
          .retry=${this.refused === undefined ? () => void jobs.load() : undefined}
          .dismiss=${this.refused === undefined ? undefined : () => this.refused = undefined}
        ></bkg-error-notice>
        ${shown.length === 0 ? nothing : html`
          <div
            class="card"
            @bkg-pause=${this.#control("pause")}
            @bkg-resume=${this.#control("resume")}
            @bkg-cancel=${this.#control("cancel")}
            @bkg-retry=${({ detail }: CustomEvent<Job>) => this.#attempt(() => jobs.retry(detail))}
            @bkg-forget=${({ detail }: CustomEvent<Job>) => this.#forget(detail)}
          >
            <ul class="jobs" aria-label="Downloads and checks">
              ${repeat(shown, ({ id }) => id, (job) => this.#job(job))}
            </ul>
          </div>
        `}
      </section>
    `;
  }

  #job(job: Job) {
    const model = modelsOf(this.app).list?.find(({ id }) => id === job.modelId);
    const files = job.status === "done" ? verifiedFiles(job) : [];
    return html`
      <li>
        <bkg-pull-progress .job=${job} ?readonly=${this.readonly}></bkg-pull-progress>
        ${files.length === 0 ? nothing : this.#files(files)}
        ${job.kind !== "model.pull" || job.status !== "done" || model === undefined ||
            !writesText(model)
          ? nothing
          : html`
            <div class="row">
              <wa-button size="s" variant="brand" @click=${() => openChatWith(model.id)}>
                <wa-icon slot="start" name="message"></wa-icon>Chat<span class="visually-hidden">
                  with ${capText(model.id, 100)}</span>
              </wa-button>
            </div>
          `}
      </li>
    `;
  }

  /** What a verification found, each file. */
  #files(files: readonly { name: string; ok: boolean }[]) {
    const bad = files.filter(({ ok }) => !ok);
    return html`
      <details class="small">
        <summary>${bad.length === 0
          ? `${formatPlural(files.length, "file")} checked`
          : `${formatPlural(bad.length, "file")} of ${files.length} damaged`}</summary>
        <ul>
          ${[...bad, ...files.filter(({ ok }) => ok)].slice(0, shownFiles).map(({ name, ok }) =>
            html`
              <li class=${ok ? "quiet" : "bad"}>
                <span class="mono wrap isolate" dir="auto">${capText(name, 200)}</span>
                ${ok ? "is whole" : "is damaged: pull the model again"}
              </li>
            `
          )}
        </ul>
      </details>
    `;
  }

  #control(act: "pause" | "resume" | "cancel") {
    return ({ detail }: CustomEvent<Job>) =>
      this.#attempt(() => jobsOf(this.app).control(detail.id, act));
  }

  /** Its button goes with it: the focus stays on the list, or is the page's to give. */
  async #forget(job: Job): Promise<void> {
    await this.#attempt(() => jobsOf(this.app).forget(job.id));
    await this.updateComplete;
    const heading = this.renderRoot.querySelector("h2");
    if (heading === null) this.dispatchEvent(new CustomEvent("bkg-emptied"));
    else heading.focus();
  }

  async #attempt(act: () => Promise<unknown>): Promise<void> {
    this.refused = undefined;
    try {
      await act();
    } catch (error) {
      this.refused = error;
    }
  }
}

const shownEnded = 5;
const shownFiles = 100;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-model-jobs": BkgModelJobs;
  }
}
