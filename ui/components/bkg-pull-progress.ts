// How far a pull or a verification is, and what can be done with it. Emits `bkg-pause`, `bkg-resume`, `bkg-cancel`,
// `bkg-retry` and `bkg-forget` with the job, out of shadow roots. Titles, steps and errors are strangers' texts.

import { css, html, LitElement, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import { iconButtonStyles } from "../theme/icon_button_styles.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText } from "./format.ts";
import {
  damaged,
  jobAmount,
  jobMilestone,
  jobPercent,
  jobRate,
  jobState,
  jobTimeLeft,
} from "./job_words.ts";
import "./icons.ts";

@customElement("bkg-pull-progress")
export class BkgPullProgress extends LitElement {
  @property({ attribute: false })
  accessor job!: Job;
  /** Only shows: the person may not control it. */
  @property({ type: Boolean })
  accessor readonly = false;
  /** Without the title and without words for screen readers: another place tells of the same job. */
  @property({ type: Boolean })
  accessor terse = false;

  static override styles = [
    sharedStyles,
    iconButtonStyles,
    css`
      .job {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        align-items: center;
        gap: var(--wa-space-3xs) var(--wa-space-s);
      }
      .title {
        font-weight: var(--wa-font-weight-semibold);
      }
      .controls {
        display: flex;
        justify-content: flex-end;
        min-height: 2rem;
      }
      .track {
        grid-column: 1 / -1;
        height: 0.375rem;
        border-radius: var(--wa-border-radius-pill);
        background: var(--bkg-selected);
        overflow: hidden;
      }
      .track i {
        display: block;
        width: 100%;
        height: 100%;
        border-radius: inherit;
        background: var(--wa-color-brand-fill-loud);
        transform-origin: left;
        transition: transform 0.3s linear;
      }
      .track.paused i,
      .track.cancelled i {
        background: var(--bkg-status-stopped);
      }
      .track.failed i,
      .track.damaged i {
        background: var(--bkg-status-error);
      }
      .track.done i {
        background: var(--bkg-status-running);
      }
      .track.unknown.running i {
        transform: none;
        width: 30%;
        animation: wander 1.6s ease-in-out infinite alternate;
      }
      @keyframes wander {
        from {
          margin-inline-start: 0;
        }
        to {
          margin-inline-start: 70%;
        }
      }
      .facts {
        grid-column: 1 / -1;
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: var(--wa-space-m);
        min-height: 1.5em;
      }
      .facts .numbers {
        display: flex;
        flex-wrap: wrap;
        gap: 0 var(--wa-space-s);
      }
      .why {
        grid-column: 1 / -1;
        color: var(--wa-color-danger-on-quiet);
        white-space: pre-wrap;
      }
    `,
  ];

  /** Moves the focus to the first thing that can be done with it. */
  override focus(options?: FocusOptions): void {
    this.renderRoot.querySelector("button")?.focus(options);
  }

  override render() {
    const { job, terse } = this;
    const percent = jobPercent(job);
    const numbers = [jobAmount(job), jobRate(job), jobTimeLeft(job)].filter((text) => text !== "");
    return html`
      <div class="job">
        <div>
          ${terse ? nothing : html`
            <div class="title mono wrap isolate" dir="auto">${capText(job.title, 200)}</div>
          `}
          <div class="quiet small wrap isolate" dir="auto">${jobState(job)}</div>
        </div>
        <div class="controls">${this.readonly ? nothing : this.#controls()}</div>
        ${this.#track(percent)}
        <div class="facts quiet small number">
          <span class="numbers">
            ${numbers.slice(0, terse ? 1 : 3).map((text) => html`<span>${text}</span>`)}
          </span>
          ${percent === undefined ? nothing : html`<span>${percent}%</span>`}
        </div>
        ${job.error === undefined ? nothing : html`
          <p class="why small wrap isolate" dir="auto">${sentence(job.error.message)}</p>
        `}
      </div>
      ${terse ? nothing : html`
        <div class="visually-hidden" role="status">${jobMilestone(job)}</div>
      `}
    `;
  }

  override updated(): void {
    // No inline style attribute: the page's policy refuses those.
    const fill = this.renderRoot.querySelector<HTMLElement>(".track i");
    const percent = jobPercent(this.job);
    fill?.style.setProperty("transform", `scaleX(${(percent ?? 0) / 100})`);
  }

  #track(percent: number | undefined) {
    const { job } = this;
    const look = `${damaged(job) ? "damaged" : job.status} ${
      percent === undefined ? "unknown" : ""
    }`;
    return html`
      <div
        class="track ${look}"
        role="progressbar"
        aria-label=${capText(job.title, 120)}
        aria-valuemin="0"
        aria-valuemax="100"
        aria-valuenow=${percent ?? nothing}
        aria-valuetext=${[jobState(job), jobAmount(job)].filter((text) => text !== "").join(", ")}
      ><i></i></div>
    `;
  }

  #controls() {
    const { status, kind } = this.job;
    const isDownload = kind !== "model.verify";
    switch (status) {
      case "queued":
      case "running":
        return [
          isDownload ? this.#button("pause", { icon: "pause", word: "Pause" }) : nothing,
          this.#button("cancel", { icon: "x", word: "Cancel" }),
        ];
      case "paused":
        return [
          this.#button("resume", { icon: "play", word: "Resume" }),
          this.#button("cancel", { icon: "x", word: "Cancel" }),
        ];
      case "failed":
      case "cancelled":
        return [
          // An engine is added anew where engines are.
          kind === "engine.add" && status === "cancelled"
            ? nothing
            : this.#button("retry", { icon: "restart", word: "Retry" }),
          this.#button("forget", { icon: "x", word: "Dismiss" }),
        ];
      case "done":
        return [this.#button("forget", { icon: "x", word: "Dismiss" })];
    }
  }

  #button(act: string, { icon, word }: { icon: string; word: string }) {
    const label = `${word} ${capText(this.job.title, 100)}`;
    return html`
      <button type="button" class="icon" aria-label=${label} title=${word}
        @click=${() => this.#emit(act)}
      ><wa-icon name=${icon}></wa-icon></button>
    `;
  }

  #emit(act: string): void {
    this.dispatchEvent(
      new CustomEvent<Job>(`bkg-${act}`, { detail: this.job, bubbles: true, composed: true }),
    );
  }
}

function sentence(message: string): string {
  const text = capText(message, 600);
  return /[.!?…]$/.test(text) || text === "" ? text : `${text}.`;
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-pull-progress": BkgPullProgress;
  }
}
