// What the server's machine and this browser have for models, and what that means.

import { Task } from "@lit/task";
import { css, html, LitElement } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { Machine } from "../api/machine.ts";
import { type MachineFeatures, readMachineHere } from "../stores/machine_here.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText, formatPlural, unknownNumber } from "./format.ts";
import { formatAbout } from "./fit_words.ts";
import {
  describeBrowserGpu,
  describeMachine,
  describeServerGpu,
  describeThreads,
  type Fact,
} from "./welcome_words.ts";

@customElement("bkg-welcome-machine")
export class BkgWelcomeMachine extends LitElement {
  @property({ attribute: false })
  accessor machine!: Machine;

  readonly #here = new Task(this, {
    args: () => [],
    task: () =>
      readMachineHere({
        crossOriginIsolated,
        hardwareConcurrency: navigator.hardwareConcurrency,
        gpu: (navigator as { gpu?: MachineFeatures["gpu"] }).gpu,
      }),
  });

  static override styles = [
    sharedStyles,
    css`
      .card {
        padding: 0;
        overflow: hidden;
      }
      .verdict {
        padding: var(--wa-space-m) var(--bkg-card-padding);
        text-wrap: pretty;
      }
      dl {
        display: grid;
        grid-template-columns: repeat(6, minmax(0, 1fr));
        border-block-start: var(--bkg-card-border);
      }
      dl > div {
        padding: var(--wa-space-s) var(--bkg-card-padding);
        /* Lines between the cells, however they wrap. */
        margin: 0 0 -1px -1px;
        border-inline-start: var(--bkg-card-border);
        border-block-end: var(--bkg-card-border);
      }
      dd {
        font-weight: var(--wa-font-weight-semibold);
        font-variant-numeric: tabular-nums;
        overflow-wrap: anywhere;
      }
      dd small {
        display: block;
        /* What the browser has to tell comes a moment later. */
        min-height: 3em;
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-xs);
        font-weight: var(--wa-font-weight-normal);
      }
      @media (max-width: 64rem) {
        dl {
          grid-template-columns: repeat(3, minmax(0, 1fr));
        }
      }
      @media (max-width: 30rem) {
        dl {
          grid-template-columns: repeat(2, minmax(0, 1fr));
        }
      }
    `,
  ];

  override render() {
    const { machine } = this;
    const here = this.#here.value;
    return html`
      <section class="card" aria-label="This machine">
        <p class="verdict">${describeMachine(machine)}</p>
        <dl>
          ${fact("Processor", { value: formatPlural(machine.cores, "core"), hint: machine.arch })}
          ${fact("Memory", {
            value: `${formatAbout(machine.availableBytes)} free`,
            hint: `of ${formatAbout(machine.memoryBytes)}`,
          })}
          ${fact("Disk", {
            value: `${formatAbout(machine.diskFreeBytes)} free`,
            hint: `of ${formatAbout(machine.diskTotalBytes)}`,
          })}
          ${fact("Server’s GPU", describeServerGpu(machine.webgpu))}
          ${fact("This browser", here && describeThreads(here))}
          ${fact("Browser’s GPU", here && describeBrowserGpu(here.webgpu))}
        </dl>
      </section>
    `;
  }
}

function fact(label: string, fact: Fact | undefined) {
  return html`
    <div>
      <dt class="label">${label}</dt>
      <dd>
        ${capText(fact?.value ?? unknownNumber, 60)}<small>${capText(
          fact?.hint ?? " ",
          120,
        )}</small>
      </dd>
    </div>
  `;
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-welcome-machine": BkgWelcomeMachine;
  }
}
