// A new secret for an API key: how long the old one stays good, and then the new one, shown this once.
// Emits "bkg-made" with the key's view, and "bkg-close".

import { consume } from "@lit/context";
import { html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/dialog/dialog.js";
import { type KeyOwners, type KeyView, type NewKey, rotateKey } from "../api/api_keys.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-error-notice.ts";
import "./bkg-new-key.ts";
import { dialogStyles } from "./dialog_styles.ts";
import { capText } from "./format.ts";

@customElement("bkg-key-rotation")
export class BkgKeyRotation extends LitElement {
  /** Undefined is closed. */
  @property({ attribute: false })
  accessor key: KeyView | undefined;
  @property()
  accessor owners: KeyOwners = "own";

  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor overlapMs = dayMs;
  @state()
  private accessor busy = false;
  @state()
  private accessor error: unknown;
  @state()
  private accessor made: NewKey | undefined;
  @state()
  private accessor stored = false;
  @state()
  private accessor asksToStore = false;

  #shown: KeyView | undefined;

  static override styles = [sharedStyles, dialogStyles];

  override willUpdate(changed: Map<PropertyKey, unknown>): void {
    // The list's own copy changes with the rotation.
    if (!changed.has("key") || this.key === undefined || this.key.id === this.#openId(changed)) {
      return;
    }
    this.#shown = this.key;
    this.overlapMs = dayMs;
    this.busy = false;
    this.error = undefined;
    this.made = undefined;
    this.stored = false;
    this.asksToStore = false;
  }

  override render() {
    const shown = this.#shown;
    if (shown === undefined) return nothing;
    const { made } = this;
    return html`
      <wa-dialog
        label=${made === undefined ? `Rotate ${capText(shown.name, 60)}` : "The new key"}
        ?open=${this.key !== undefined} @wa-hide=${this.#hold} @wa-after-hide=${this.#close}
      >
        <div class="form">${made === undefined ? this.#question() : html`
          <bkg-new-key
            .made=${made} ?stored=${this.stored}
            @bkg-stored=${({ detail }: CustomEvent<boolean>) => {
              this.stored = detail;
              this.asksToStore = false;
            }}
          ></bkg-new-key>
          <p class="problem" role="alert">${this.asksToStore
            ? "Store the key first, and say so above: it cannot be shown again."
            : ""}</p>
        `}</div>
        ${made !== undefined
          ? html`
            <wa-button slot="footer" variant="brand" ?disabled=${!this.stored}
              @click=${this.#close}>Done</wa-button>
          `
          : html`
            <wa-button slot="footer" appearance="outlined" ?disabled=${this.busy}
              @click=${this.#close}>Cancel</wa-button>
            <wa-button slot="footer" variant="brand" ?loading=${this.busy}
              @click=${() => void this.#rotate()}>Make a new secret</wa-button>
          `}
      </wa-dialog>
    `;
  }

  #question() {
    return html`
      <p>The key keeps its name and rights, and gets a new secret. Meanwhile the old one</p>
      <fieldset>
        <legend class="visually-hidden">How long the old secret is good</legend>
        ${overlaps.map(({ overlapMs, label, hint }) =>
          html`
            <label class="choice">
              <input
                type="radio" name="overlap" .checked=${live(overlapMs === this.overlapMs)}
                @change=${() => this.overlapMs = overlapMs}
              >
              <span>${label}${hint === "" ? nothing : html`<small>${hint}</small>`}</span>
            </label>
          `
        )}
      </fieldset>
      <bkg-error-notice heading="Nothing was changed" .error=${this.error}></bkg-error-notice>
    `;
  }

  /** The key that was open before this change. */
  #openId(changed: Map<PropertyKey, unknown>): string | undefined {
    return (changed.get("key") as KeyView | undefined)?.id;
  }

  #hold(event: Event): void {
    if (event.target !== event.currentTarget) return;
    if (!this.busy && (this.made === undefined || this.stored)) return;
    event.preventDefault();
    this.asksToStore = this.made !== undefined;
  }

  #close(event: Event): void {
    if (event.target !== event.currentTarget || this.key === undefined) return;
    this.dispatchEvent(new CustomEvent("bkg-close"));
  }

  async #rotate(): Promise<void> {
    const { key, owners, overlapMs } = this;
    if (key === undefined || this.busy) return;
    this.busy = true;
    this.error = undefined;
    try {
      this.made = await rotateKey(this.app.api, { owners, id: key.id, overlapMs });
      this.dispatchEvent(new CustomEvent("bkg-made", { detail: this.made.view }));
    } catch (error) {
      this.error = error;
    } finally {
      this.busy = false;
    }
  }
}

const hourMs = 60 * 60_000;
const dayMs = 24 * hourMs;

const overlaps = [
  { overlapMs: 0, label: "stops working now", hint: "When it may be in the wrong hands." },
  { overlapMs: hourMs, label: "stays good for an hour", hint: "" },
  {
    overlapMs: dayMs,
    label: "stays good for a day",
    hint: "Time to change it in the programs that use it.",
  },
  { overlapMs: 7 * dayMs, label: "stays good for a week", hint: "" },
] as const;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-key-rotation": BkgKeyRotation;
  }
}
