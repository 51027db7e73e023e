// One model that a newcomer may take: what it is, whether it fits, and the way from here to a chat with it.
// Its pull emits `bkg-begin` and `bkg-act`.

import { css, html, LitElement, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { parseParameters } from "../../models/fit/guess.ts";
import type { Machine } from "../api/machine.ts";
import { openChatWith } from "../controllers/new_chat.ts";
import type { Choice, ChoiceRole } from "../stores/welcome.ts";
import type { PullState } from "../stores/welcome_pulls.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { describeFit } from "./fit_words.ts";
import { capText } from "./format.ts";
import { downloadSize } from "./model_words.ts";
import "./bkg-welcome-pull.ts";
import { paceOf, paceWords } from "./welcome_words.ts";
import "./icons.ts";

@customElement("bkg-welcome-model")
export class BkgWelcomeModel extends LitElement {
  @property({ attribute: false })
  accessor choice!: Choice;
  @property({ attribute: false })
  accessor machine!: Machine;
  @property({ attribute: false })
  accessor pull: PullState = { kind: "idle" };
  /** The one to take for who does not want to choose. */
  @property({ type: Boolean })
  accessor first = false;
  /** Whether the person may bring it here. */
  @property({ attribute: false })
  accessor mayPull = true;

  static override styles = [
    sharedStyles,
    css`
      :host,
      article {
        display: grid;
        height: 100%;
      }
      article {
        grid-template-rows: auto 1fr auto;
        gap: var(--wa-space-s);
      }
      .first {
        border-color: var(--wa-color-brand-border-loud);
      }
      h3 {
        margin-block: var(--wa-space-3xs);
        font-size: var(--wa-font-size-m);
      }
      .role {
        color: var(--wa-color-brand-on-quiet);
      }
      .facts {
        display: grid;
        align-content: start;
        gap: var(--wa-space-3xs);
      }
      .facts p {
        text-wrap: pretty;
      }
      .facts p::first-letter {
        text-transform: uppercase;
      }
      wa-button {
        width: 100%;
      }
    `,
  ];

  override render() {
    const { entry, role } = this.choice;
    return html`
      <article class="card ${this.first ? "first" : ""}" aria-labelledby="name">
        <div>
          <p class="label role">${roleWords[role]}</p>
          <h3 id="name" class="wrap isolate" dir="auto">${capText(entry.name, 80)}</h3>
          <p class="quiet small wrap isolate" dir="auto">${capText(entry.description, 200)}</p>
        </div>
        <div class="facts small quiet number">
          ${this.#facts().map((text) => html`<p class="wrap">${text}</p>`)}
        </div>
        ${this.#way()}
      </article>
    `;
  }

  #facts(): string[] {
    const { entry, fit } = this.choice;
    const { cores, availableBytes } = this.machine;
    const parameters = parseParameters(entry.parameters ?? "");
    return [
      [
        downloadSize(entry) || "size shown when it is pulled",
        entry.license === null ? "licence shown when it is pulled" : capText(entry.license, 40),
      ].join(" · "),
      ...fit === undefined ? [] : [describeFit(fit, { availableBytes })],
      ...parameters === undefined ? [] : [paceWords[paceOf(parameters, cores)]],
    ];
  }

  #way() {
    const { entry } = this.choice;
    const { installed } = entry;
    const variant = this.first ? "brand" : "neutral";
    const appearance = this.first ? "accent" : "outlined";
    if (installed !== null) {
      return html`
        <wa-button
          variant=${variant}
          appearance=${appearance}
          @click=${() => openChatWith(installed)}
        ><wa-icon slot="start" name="message"></wa-icon>Chat
          <span class="visually-hidden">with ${capText(entry.name, 80)}</span></wa-button>
      `;
    }
    if (!this.mayPull) return nothing;
    return html`
      <bkg-welcome-pull
        .source=${entry.source}
        .name=${entry.name}
        .pull=${this.pull}
        ?first=${this.first}
      ></bkg-welcome-pull>
    `;
  }
}

const roleWords: Readonly<Record<ChoiceRole, string>> = {
  modest: "Small and quick",
  middle: "In between",
  best: "Best answers",
};

declare global {
  interface HTMLElementTagNameMap {
    "bkg-welcome-model": BkgWelcomeModel;
  }
}
