// What an offline server's newcomer is told: what works all the same, and how models come here by hand.
// Emits `bkg-again` when the folders shall be looked at again.

import { css, html, LitElement } from "lit";
import { customElement, property } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./icons.ts";

@customElement("bkg-welcome-offline")
export class BkgWelcomeOffline extends LitElement {
  @property({ type: Boolean })
  accessor looking = false;

  static override styles = [
    sharedStyles,
    css`
      .card {
        display: grid;
        gap: var(--wa-space-s);
      }
      h2 {
        display: flex;
        align-items: center;
        gap: var(--wa-space-xs);
      }
      p,
      ul {
        max-width: var(--bkg-reading-width);
      }
      ul {
        display: grid;
        gap: var(--wa-space-2xs);
        padding-inline-start: 1.25em;
      }
    `,
  ];

  override render() {
    return html`
      <section class="card" aria-labelledby="offline">
        <h2 id="offline"><wa-icon name="wifi-off"></wa-icon>This server is offline</h2>
        <p>
          It was started with <code>BKG_OFFLINE</code>: nothing is downloaded. Everything else works:
          chats with the models that are here, plugins, and running them in this browser.
        </p>
        <p>Models come here as files:</p>
        <ul>
          <li>Put GGUF files into the folder <code>models</code> of the server's data folder.</li>
          <li>Or name other folders in <code>BKG_MODEL_PATHS</code> when you start the server.</li>
          <li>
            What Hugging Face's programs or Ollama have downloaded to this machine is found by itself;
            <code>BKG_MODEL_CACHES</code> names other places.
          </li>
        </ul>
        <div>
          <wa-button appearance="outlined" ?loading=${this.looking} @click=${this.#again}>
            <wa-icon slot="start" name="refresh"></wa-icon>Look again
          </wa-button>
        </div>
      </section>
    `;
  }

  #again(): void {
    this.dispatchEvent(new CustomEvent("bkg-again"));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-welcome-offline": BkgWelcomeOffline;
  }
}
