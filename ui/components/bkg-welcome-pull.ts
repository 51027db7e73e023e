// The way from a model's name to a chat with it: a button, then the pull's progress, or why it failed and what helps.
// Emits, out of shadow roots, `bkg-begin` and `bkg-act` with the source.

import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { WireError } from "../../plugins/runtime/contract/error.ts";
import type { PullAct, PullState } from "../stores/welcome_pulls.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-error-notice.ts";
import "./bkg-pull-progress.ts";
import { capText } from "./format.ts";
import "./icons.ts";
import { advise } from "./welcome_words.ts";

export interface PullActDetail {
  source: string;
  act: PullAct;
}

@customElement("bkg-welcome-pull")
export class BkgWelcomePull extends LitElement {
  @property({ attribute: false })
  accessor source = "";
  /** For screen readers, where there are many such buttons. */
  @property({ attribute: false })
  accessor name = "";
  @property({ attribute: false })
  accessor pull: PullState = { kind: "idle" };
  @property({ type: Boolean })
  accessor first = false;
  /** Shows nothing while nothing is pulled: another button begins it. */
  @property({ type: Boolean })
  accessor quiet = false;

  /** Whether what had the focus is about to be replaced. */
  #hadFocus = false;

  static override styles = [
    sharedStyles,
    css`
      .way {
        display: grid;
        gap: var(--wa-space-xs);
        border-radius: var(--wa-border-radius-s);
      }
      .way:focus:not(:focus-visible) {
        outline: none;
      }
      wa-button {
        width: 100%;
      }
    `,
  ];

  override willUpdate(changed: PropertyValues<this>): void {
    const previous = changed.get("pull");
    this.#hadFocus = previous !== undefined && shapeOf(previous) !== shapeOf(this.pull) &&
      this.shadowRoot?.activeElement != null;
  }

  override render() {
    const { pull } = this;
    const empty = this.quiet && (pull.kind === "idle" || pull.kind === "asking");
    this.hidden = empty;
    if (empty) return nothing;
    return html`
      <div class="way" tabindex="-1" role="group" aria-label=${`Pull ${capText(this.name, 80)}`}>
        ${this.#content()}
      </div>
    `;
  }

  override updated(): void {
    if (this.#hadFocus) this.renderRoot.querySelector<HTMLElement>(".way")?.focus();
  }

  #content() {
    const { pull } = this;
    if (pull.kind === "idle" || pull.kind === "asking") return this.#button(pull.kind === "asking");
    if (pull.kind === "refused") return this.#failed(pull.error);
    const { job } = pull;
    if (job.status === "failed") {
      return this.#failed(
        job.error ?? { code: "INTERNAL", message: "Nothing tells why", retryable: true },
      );
    }
    return html`
      <bkg-pull-progress
        .job=${job}
        @bkg-pause=${this.#act("pause")}
        @bkg-resume=${this.#act("resume")}
        @bkg-cancel=${this.#act("cancel")}
        @bkg-retry=${this.#act("retry")}
        @bkg-forget=${this.#act("forget")}
      ></bkg-pull-progress>
      <p class="small quiet">${job.status === "done"
        ? "It is here."
        : job.status === "paused"
        ? "It waits for you; what came so far is kept."
        : "The chat opens when it is here."}</p>
    `;
  }

  #button(asking: boolean) {
    return html`
      <wa-button
        variant=${this.first ? "brand" : "neutral"}
        appearance=${this.first ? "accent" : "outlined"}
        ?loading=${asking}
        @click=${this.#begin}
      >
        <wa-icon slot="start" name="download"></wa-icon>Pull and chat
        <span class="visually-hidden">with ${capText(this.name, 80)}</span>
      </wa-button>
    `;
  }

  #failed(error: WireError) {
    const advice = advise(error, { typed: this.quiet });
    return html`
      <bkg-error-notice
        heading="It could not be pulled"
        .error=${error}
        .retry=${this.#begin}
      >${advice === undefined ? nothing : html`<p class="small">${advice}</p>`}</bkg-error-notice>
    `;
  }

  readonly #begin = () => {
    this.dispatchEvent(
      new CustomEvent("bkg-begin", { detail: this.source, bubbles: true, composed: true }),
    );
  };

  #act(act: PullAct) {
    return (event: Event) => {
      // Whoever else hears of pulls would do it a second time.
      event.stopPropagation();
      const detail: PullActDetail = { source: this.source, act };
      this.dispatchEvent(new CustomEvent("bkg-act", { detail, bubbles: true, composed: true }));
    };
  }
}

/** What is shown; the focus stays where this stays. */
function shapeOf(pull: PullState): string {
  if (pull.kind === "asking") return "idle";
  return pull.kind === "job" && pull.job.status === "failed" ? "refused" : pull.kind;
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-welcome-pull": BkgWelcomePull;
  }
}
