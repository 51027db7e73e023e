// The models that this browser holds: what they take of its room, and the way to let one go. Shown where some are.

import { consume } from "@lit/context";
import { Task } from "@lit/task";
import { css, html, LitElement, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { type App, appContext } from "../app.ts";
import { StoreController } from "../controllers/store_controller.ts";
import type { LocalStorage } from "../local/local_host.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-error-notice.ts";
import { capText, formatAgo, formatBytes } from "./format.ts";
import "./icons.ts";

type Held = LocalStorage["models"][number];

@customElement("bkg-browser-models")
export class BkgBrowserModels extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  /** Why the last one was not removed. */
  @state()
  private accessor refused: unknown;

  /** The page's host is a large script: it is loaded for this only where the browser holds something. */
  readonly #storage = new Task(this, {
    args: () => [this.app.homes.local, this.app.homes.local?.downloads.size] as const,
    task: async ([loaded]) => {
      if (loaded === undefined && !holdsModels()) return undefined;
      const local = await this.app.homes.loadLocal();
      return await local.storage();
    },
  });

  static override styles = [
    sharedStyles,
    css`
      .card {
        padding: 0;
        overflow: hidden;
      }
      ul {
        padding: 0;
        list-style: none;
      }
      li {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: space-between;
        gap: var(--wa-space-2xs) var(--wa-space-l);
        padding: var(--wa-space-s) var(--bkg-card-padding);
      }
      li + li {
        border-block-start: var(--bkg-card-border);
      }
      li .mono {
        flex: 1 1 12rem;
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.app.homes, this.app.homes.local]);
  }

  override render() {
    const storage = this.#storage.value;
    if (storage === undefined || storage.models.length === 0) return nothing;
    const { persisted, models } = storage;
    return html`
      <section class="stack" aria-labelledby="heading">
        <div>
          <h2 id="heading">Models in this browser</h2>
          <p class="quiet small number">
            ${room(storage)} ${persisted
              ? "The browser promised to keep them."
              : "The browser may clear them when room is short; they can be fetched again."}
          </p>
        </div>
        ${this.refused === undefined ? nothing : html`
          <bkg-error-notice heading="It was not removed" .error=${this.refused}></bkg-error-notice>
        `}
        <div class="card"><ul>${models.map((model) => this.#row(model))}</ul></div>
      </section>
    `;
  }

  #row({ id, bytes, complete, lastUsedAtMs, inUse }: Held) {
    const name = capText(id, 100);
    return html`
      <li>
        <span class="mono wrap isolate" dir="auto">${name}</span>
        <span class="quiet small number">
          ${formatBytes(bytes)}${complete ? "" : ", not complete"},
          ${inUse ? "in use" : `used ${formatAgo(lastUsedAtMs, Date.now())}`}
        </span>
        <wa-button
          size="s"
          appearance="outlined"
          ?disabled=${inUse}
          @click=${() => this.#evict(id)}
        >Remove<span class="visually-hidden"> ${name} from this browser</span></wa-button>
      </li>
    `;
  }

  async #evict(id: string): Promise<void> {
    this.refused = undefined;
    try {
      await (await this.app.homes.loadLocal()).evict(id);
    } catch (error) {
      this.refused = error;
    }
    await this.#storage.run();
  }
}

function room({ usedBytes, quotaBytes }: LocalStorage): string {
  if (usedBytes === undefined || quotaBytes === undefined) return "";
  return `${formatBytes(usedBytes)} in use; the browser allows about ${formatBytes(quotaBytes)}.`;
}

function holdsModels(): boolean {
  try {
    return Object.keys(localStorage).some((key) => key.startsWith("bkg.model."));
  } catch {
    return false;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-browser-models": BkgBrowserModels;
  }
}
