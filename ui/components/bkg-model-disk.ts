// The room that models take on the server's disk, and the way to get some back: first what would go, then it goes.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { Garbage } from "../../models/model.ts";
import { collectGarbage, type DiskUse } from "../api/models.ts";
import { type App, appContext } from "../app.ts";
import { modelsOf } from "../stores/models.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-confirm.ts";
import type { Question } from "./bkg-confirm.ts";
import "./bkg-error-notice.ts";
import { formatBytes, formatPlural } from "./format.ts";
import "./icons.ts";

@customElement("bkg-model-disk")
export class BkgModelDisk extends LitElement {
  @property({ attribute: false })
  accessor disk!: DiskUse;
  @property({ type: Boolean })
  accessor readonly = false;
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor question: Question | undefined;
  @state()
  private accessor looking = false;
  @state()
  private accessor failure: unknown;
  @state()
  private accessor outcome = "";

  static override styles = [
    sharedStyles,
    css`
      .card {
        display: grid;
        gap: var(--wa-space-s);
      }
      .bar {
        display: flex;
        height: 0.625rem;
        border-radius: var(--wa-border-radius-pill);
        background: var(--bkg-selected);
        overflow: hidden;
      }
      .bar i {
        min-width: 0;
      }
      .kept,
      .key.kept::before {
        background: var(--wa-color-brand-fill-loud);
      }
      .reclaimable,
      .key.reclaimable::before {
        background: var(--wa-color-yellow-60);
      }
      .others,
      .key.others::before {
        background: var(--bkg-status-stopped);
      }
      .keys {
        display: flex;
        flex-wrap: wrap;
        gap: var(--wa-space-3xs) var(--wa-space-m);
      }
      .key.key {
        background: none;
      }
      .key::before {
        content: "";
        display: inline-block;
        width: 0.625rem;
        height: 0.625rem;
        margin-inline-end: var(--wa-space-2xs);
        border-radius: 0.125rem;
        background: var(--bkg-selected);
      }
    `,
  ];

  override render() {
    const { reclaimableBytes, freeBytes, totalBytes, models } = this.disk;
    const { kept, others } = partsOf(this.disk);
    return html`
      <section class="stack" aria-labelledby="heading">
        <h2 id="heading">Disk</h2>
        <div class="card">
          <div class="bar" aria-hidden="true">
            <i class="kept"></i><i class="reclaimable"></i><i class="others"></i>
          </div>
          <div class="row spread">
            <div class="keys small number">
              <span class="key kept">${formatBytes(kept)} in ${formatPlural(
                models,
                "model",
              )} of bkg's store</span>
              <span class="key reclaimable">${formatBytes(
                reclaimableBytes,
              )} can be cleaned up</span>
              <span class="key others">${formatBytes(others)} of other things</span>
              <span class="key">${formatBytes(freeBytes)} free of ${formatBytes(totalBytes)}</span>
            </div>
            ${this.readonly ? nothing : html`
              <wa-button
                size="s" appearance="outlined" ?loading=${this.looking}
                ?disabled=${reclaimableBytes === 0} @click=${this.#look}
              >Clean up</wa-button>
            `}
          </div>
          <bkg-error-notice
            heading="It could not be found out what can go" .error=${this.failure}
            .retry=${() => void this.#look()}
          ></bkg-error-notice>
          <p class="small" role="status" ?hidden=${this.outcome === ""}>${this.outcome}</p>
        </div>
      </section>
      <bkg-confirm
        .question=${this.question} @bkg-close=${() => this.question = undefined}
      ></bkg-confirm>
    `;
  }

  override updated(): void {
    const { totalBytes } = this.disk;
    for (const [name, bytes] of Object.entries(partsOf(this.disk))) {
      const share = totalBytes > 0 ? 100 * bytes / totalBytes : 0;
      this.renderRoot.querySelector<HTMLElement>(`.bar .${name}`)
        ?.style.setProperty("flex", `0 0 ${Math.min(100, share)}%`);
    }
  }

  async #look(): Promise<void> {
    this.looking = true;
    this.failure = undefined;
    this.outcome = "";
    try {
      const found = await collectGarbage(this.app.api, { dryRun: true });
      if (found.blobs + found.partials === 0) this.outcome = "There is nothing to clean up.";
      else this.#ask(found);
    } catch (error) {
      this.failure = error;
    } finally {
      this.looking = false;
    }
  }

  #ask(found: Garbage): void {
    this.question = {
      heading: "Clean up the disk?",
      text: html`
        <p>This removes ${describeGarbage(found)}: ${formatBytes(found.freedBytes)} in all.</p>
        <p class="quiet">Models stay as they are, and so do downloads that are paused.</p>
      `,
      label: "Clean up",
      run: async () => {
        const done = await collectGarbage(this.app.api, { dryRun: false });
        this.outcome = `${formatBytes(done.freedBytes)} came free.`;
        modelsOf(this.app).load();
      },
    };
  }
}

/** What takes the disk's room, bytes: three parts that do not overlap. */
function partsOf({ storeBytes, reclaimableBytes, freeBytes, totalBytes }: DiskUse) {
  return {
    kept: Math.max(0, storeBytes - reclaimableBytes),
    reclaimable: reclaimableBytes,
    others: Math.max(0, totalBytes - freeBytes - storeBytes),
  };
}

function describeGarbage({ blobs, partials }: Garbage): string {
  return [
    blobs === 0 ? "" : `${formatPlural(blobs, "file")} that no model needs`,
    partials === 0 ? "" : `what is left of ${formatPlural(partials, "broken-off download")}`,
  ].filter((text) => text !== "").join(" and ");
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-model-disk": BkgModelDisk;
  }
}
