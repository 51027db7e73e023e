// A model by its name or address: brought to the server. What is wrong with the name is told at the field, before and
// after the server was asked.

import { consume } from "@lit/context";
import { css, html, LitElement } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import { parseSource } from "../../models/source.ts";
import { type App, appContext } from "../app.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { isEnded, jobsOf } from "../stores/jobs.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText } from "./format.ts";
import "./icons.ts";

@customElement("bkg-model-pull")
export class BkgModelPull extends LitElement {
  /** Why nothing can be pulled now. */
  @property({ attribute: false })
  accessor hindrance: string | undefined;
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor source = "";
  @state()
  private accessor problem = "";
  /** The id of the model that is here already. */
  @state()
  private accessor present: string | undefined;
  @state()
  private accessor busy = false;
  @state()
  private accessor words = "";
  @query("wa-input")
  private accessor input!: HTMLElement;

  /** The pull that was begun here, until it is known that there is such a model. */
  #begun: { jobId: string; source: string } | undefined;

  static override styles = [
    sharedStyles,
    css`
      form {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: var(--wa-space-2xs) var(--wa-space-s);
        align-items: end;
      }
      .below {
        grid-column: 1 / -1;
        min-height: 1.5em;
        overflow-wrap: anywhere;
      }
      .problem {
        color: var(--wa-color-danger-on-quiet);
      }
      .present {
        display: inline;
        padding: 0;
        border: 0;
        background: none;
        color: var(--wa-color-text-link);
        font: inherit;
        text-decoration: underline;
        cursor: pointer;
        min-height: 1.5rem;
      }
      wa-input::part(input) {
        font-family: var(--wa-font-family-code);
      }
      @media (max-width: 36rem) {
        form {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [jobsOf(this.app)]);
  }

  /** A name that the hub does not know is told where it was written. */
  override willUpdate(): void {
    const begun = this.#begun;
    const job = begun && jobsOf(this.app).byId(begun.jobId);
    if (begun === undefined || job === undefined) return;
    if (job.status !== "failed") {
      if (job.doneBytes > 0 || isEnded(job)) this.#begun = undefined;
      return;
    }
    this.#begun = undefined;
    if (this.source !== "") return;
    this.source = begun.source;
    this.problem = sentence(job.error?.message ?? "It did not come through");
  }

  override render() {
    return html`
      <form class="card" novalidate @submit=${this.#pull}>
        <wa-input
          label="Pull a model by its name"
          placeholder="owner/name:quant, or an address"
          autocomplete="off" autocapitalize="off" autocorrect="off" .spellcheck=${false}
          ?disabled=${this.hindrance !== undefined}
          .value=${live(this.source)}
          @input=${this.#typed}
          @keydown=${this.#key}
        ></wa-input>
        <wa-button
          type="submit" variant="brand" ?loading=${this.busy}
          ?disabled=${this.hindrance !== undefined}
        ><wa-icon slot="start" name="download"></wa-icon>Pull</wa-button>
        <div class="below small">${this.#below()}</div>
      </form>
      <div class="visually-hidden" role="status">${this.words}</div>
    `;
  }

  #below() {
    if (this.hindrance !== undefined) return html`<span class="quiet">${this.hindrance}</span>`;
    if (this.present !== undefined) {
      return html`
        <span role="alert">It is here already:
          <button type="button" class="present mono" @click=${this.#show}>${capText(
            this.present,
            200,
          )}</button>
        </span>
      `;
    }
    return this.problem === ""
      ? html`
        <span class="quiet">For example <code>Qwen/Qwen2-0.5B-Instruct-GGUF:Q4_K_M</code>, or the
          https address of a GGUF, ONNX or safetensors file.</span>
      `
      : html`<span class="problem wrap isolate" role="alert" dir="auto">${this.problem}</span>`;
  }

  #typed(event: Event): void {
    this.source = (event.target as HTMLInputElement).value ?? "";
    this.problem = "";
    this.present = undefined;
  }

  #key(event: KeyboardEvent): void {
    if (event.key === "Enter" && !event.isComposing) void this.#pull(event);
  }

  #show(): void {
    this.dispatchEvent(new CustomEvent("bkg-show-model", { detail: this.present, bubbles: true }));
  }

  async #pull(event: Event): Promise<void> {
    event.preventDefault();
    if (this.busy) return;
    this.present = undefined;
    this.words = "";
    const source = this.source.trim();
    this.problem = explainSource(source) ?? "";
    if (this.problem !== "") return this.input.focus();
    this.busy = true;
    try {
      const job = await jobsOf(this.app).pull(source);
      this.words = `${capText(job.title, 100)} is on its way`;
      this.#begun = { jobId: job.id, source };
      if (this.source.trim() === source) this.source = "";
    } catch (error) {
      this.present = presentModel(error);
      if (this.present === undefined) this.problem = sentence(toAppError(error).message);
      this.input.focus();
    } finally {
      this.busy = false;
    }
  }
}

/** What is wrong with a source, as a sentence; undefined when the server may be asked. */
function explainSource(source: string): string | undefined {
  if (source === "") return "Write which model, such as owner/name:Q4_K_M.";
  try {
    parseSource(source);
    return undefined;
  } catch (error) {
    return sentence(toAppError(error).message);
  }
}

/** The id of a model that a refused pull would have made. */
function presentModel(error: unknown): string | undefined {
  if (!(error instanceof AppError) || error.code !== "CONFLICT") return undefined;
  const { modelId } = (error.details ?? {}) as { modelId?: unknown };
  return typeof modelId === "string" ? modelId : undefined;
}

function sentence(message: string): string {
  const text = capText(message, 600);
  return /[.!?…]$/.test(text) || text === "" ? text : `${text}.`;
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-model-pull": BkgModelPull;
  }
}
