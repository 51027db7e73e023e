// A model of the catalogue: what it is for, whether it fits, and the way to have it. Emits `bkg-pull-model` with its
// entry, `bkg-show-model` with an id.

import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { CatalogEntry } from "../api/models.ts";
import type { Machine } from "../api/machine.ts";
import { openChatWith } from "../controllers/new_chat.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-pull-progress.ts";
import { describeFit, gradeFit, gradeWords } from "./fit_words.ts";
import { capText } from "./format.ts";
import { bestFit, downloadSize, formatContext } from "./model_words.ts";
import "./icons.ts";

@customElement("bkg-model-card")
export class BkgModelCard extends LitElement {
  @property({ attribute: false })
  accessor entry!: CatalogEntry;
  @property({ attribute: false })
  accessor machine!: Machine;
  /** What brings it here now, or failed to. */
  @property({ attribute: false })
  accessor job: Job | undefined;
  @property({ type: Boolean })
  accessor readonly = false;
  /** Why it was not begun. */
  @property()
  accessor refusal = "";

  #wasPulled = false;

  static override styles = [
    sharedStyles,
    css`
      :host {
        display: grid;
      }
      article {
        display: grid;
        grid-template-rows: auto 1fr auto;
        gap: var(--wa-space-s);
        padding: var(--wa-space-m);
      }
      h3 {
        font-size: var(--wa-font-size-m);
        overflow-wrap: anywhere;
      }
      .head {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: var(--wa-space-3xs) var(--wa-space-xs);
      }
      .facts {
        display: flex;
        flex-wrap: wrap;
        gap: 0 var(--wa-space-m);
      }
      .about {
        display: grid;
        gap: var(--wa-space-2xs);
        align-content: start;
      }
      .fit {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: var(--wa-space-2xs);
        align-items: baseline;
      }
      .fit wa-icon {
        translate: 0 0.125em;
      }
      .fit.comfortable wa-icon {
        color: var(--wa-color-success-on-quiet);
      }
      .fit.tight wa-icon {
        color: var(--wa-color-warning-on-quiet);
      }
      .fit.large wa-icon,
      .refusal {
        color: var(--wa-color-danger-on-quiet);
      }
      .end {
        display: grid;
        gap: var(--wa-space-2xs);
        min-height: 2.25rem;
        align-content: end;
      }
      .here {
        display: inline-flex;
        align-items: center;
        gap: var(--wa-space-2xs);
        color: var(--wa-color-success-on-quiet);
        font-weight: var(--wa-font-weight-semibold);
      }
    `,
  ];

  /** Who pressed "Pull" goes on from the progress that took its place. */
  override updated(changed: PropertyValues<this>): void {
    if (!changed.has("job") || changed.get("job") !== undefined || !this.#wasPulled) return;
    this.#wasPulled = false;
    const progress = this.renderRoot.querySelector("bkg-pull-progress");
    void progress?.updateComplete.then(() => progress.focus());
  }

  override render() {
    const { entry } = this;
    const context = formatContext(entry.contextLength ?? undefined);
    return html`
      <article class="card" aria-labelledby="name">
        <div class="head">
          <h3 id="name">${capText(entry.name, 100)}</h3>
          ${entry.recommended ? html`<span class="tag">recommended</span>` : nothing}
        </div>
        <div class="about small">
          <p class="wrap">${capText(entry.description, 400)}</p>
          <p class="facts quiet number">
            ${[
              entry.parameters === undefined ? "" : `${entry.parameters} parameters`,
              downloadSize(entry),
              context === "" ? "" : `${context} of context`,
              entry.license ?? "",
            ].map((text) => text === "" ? nothing : html`<span>${capText(text, 60)}</span>`)}
          </p>
          ${this.#fit()}
        </div>
        <div class="end">
          ${this.#end()}
          ${this.refusal === "" ? nothing : html`
            <p class="refusal small wrap isolate" role="alert" dir="auto">${this.refusal}</p>
          `}
        </div>
      </article>
    `;
  }

  #fit() {
    const fit = bestFit(this.entry.fits);
    if (fit === undefined) return nothing;
    const grade = gradeFit(fit, this.machine);
    const { icon, look } = gradeLooks[grade];
    return html`
      <p class="fit ${look}">
        <wa-icon name=${icon}></wa-icon>
        <span><strong>${gradeWords[grade]}:</strong> ${describeFit(fit, this.machine)}.</span>
      </p>
    `;
  }

  #end() {
    const { entry, job } = this;
    if (job !== undefined && job.status !== "done") {
      return html`
        <bkg-pull-progress terse .job=${job} ?readonly=${this.readonly}></bkg-pull-progress>
      `;
    }
    const { installed } = entry;
    if (installed !== null) {
      return html`
        <div class="row">
          <span class="here small"><wa-icon name="circle-check"></wa-icon>Is here</span>
          ${entry.task === "chat" && entry.engine === "wllama"
            ? html`
              <wa-button size="s" variant="brand" @click=${() => openChatWith(installed)}>
                <wa-icon slot="start" name="message"></wa-icon>Chat<span class="visually-hidden">
                  with ${entry.name}</span>
              </wa-button>
            `
            : nothing}
          <wa-button
            size="s" appearance="plain" @click=${() => this.#emit("show", installed)}
          >Details<span class="visually-hidden"> of ${entry.name}</span></wa-button>
        </div>
      `;
    }
    if (this.readonly) return html`<span class="quiet small">Not on this server</span>`;
    return html`
      <div class="row">
        <wa-button
          size="s" appearance="outlined" ?disabled=${this.machine.offline}
          @click=${() => {
            this.#wasPulled = true;
            this.#emit("pull", entry);
          }}
        >
          <wa-icon slot="start" name="download"></wa-icon>Pull<span class="visually-hidden">
            ${entry.name}</span>
        </wa-button>
      </div>
    `;
  }

  #emit(act: string, detail: unknown): void {
    this.dispatchEvent(
      new CustomEvent(`bkg-${act}-model`, { detail, bubbles: true, composed: true }),
    );
  }
}

const gradeLooks = {
  comfortable: { icon: "circle-check", look: "comfortable" },
  tight: { icon: "warning", look: "tight" },
  "too large": { icon: "circle-x", look: "large" },
} as const;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-model-card": BkgModelCard;
  }
}
