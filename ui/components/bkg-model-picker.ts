// Which model is asked, or by which preset. Names come out of model files, and so from strangers.
// Emits, out of shadow roots, `bkg-model` and `bkg-preset` with the id, `bkg-presets` for what is done with presets.

import { html, LitElement, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/progress-bar/progress-bar.js";
import type { Progress } from "../local/local_host.ts";
import type { ChatModel } from "../stores/chat_models.ts";
import type { Preset } from "../stores/chat_presets.ts";
import type { Home } from "../stores/homes.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText, formatBytes, formatCount } from "./format.ts";
import { modelPickerStyles } from "./model_picker_styles.ts";
import "./icons.ts";

@customElement("bkg-model-picker")
export class BkgModelPicker extends LitElement {
  @property({ attribute: false })
  accessor models: readonly ChatModel[] | undefined;
  /** Undefined: there are none to choose from. */
  @property({ attribute: false })
  accessor presets: readonly Preset[] | undefined;
  /** Id of a model; a preset's own, where one is chosen. */
  @property({ attribute: false })
  accessor value: string | undefined;
  /** Id of a preset. */
  @property({ attribute: false })
  accessor preset: string | undefined;
  @property({ attribute: false })
  accessor home: Home = "server";
  @property({ attribute: false })
  accessor download: (modelId: string) => Progress | undefined = () => undefined;
  @state()
  private accessor wanted = "";
  @query("button")
  private accessor button!: HTMLButtonElement;
  @query("[popover]")
  private accessor menu!: HTMLElement;

  static override styles = [sharedStyles, modelPickerStyles];

  override render() {
    const chosen = this.models?.find(({ id }) => id === this.value);
    const model = chosen?.id ?? this.value ?? (this.models === undefined ? "" : "No model");
    const preset = this.presets?.find(({ id }) => id === this.preset);
    const name = preset?.name ?? model;
    const progress = chosen === undefined ? undefined : this.download(chosen.id);
    return html`
      <button
        type="button"
        class="current"
        popovertarget="menu"
        aria-haspopup="true"
        aria-label="${preset === undefined ? "Model" : "Preset"}: ${name || "loading"}"
        title=${preset === undefined ? name : `${name}, a preset of ${model}`}
        ?disabled=${this.models === undefined || this.models.length === 0}
      >
        <span class="clip isolate" dir="auto">${name === ""
          ? html`<i class="wait"></i>`
          : name}</span>
        ${this.home === "browser" && chosen !== undefined && !chosen.here && progress === undefined
          ? html`<small class="quiet">${formatBytes(chosen.size)} to download</small>`
          : nothing}
        ${progress === undefined
          ? nothing
          : html`<small class="quiet number">${share(progress)}</small>`}
        <wa-icon name="chevron-down"></wa-icon>
      </button>
      <div id="menu" class="menu" popover @beforetoggle=${this.#place} @toggle=${this.#toggled}>
        ${(this.models?.length ?? 0) + (this.presets?.length ?? 0) > manyModels
          ? html`
            <input
              type="search"
              class="search"
              placeholder="Find a model or preset"
              aria-label="Find a model or preset"
              .value=${this.wanted}
              @input=${(event: InputEvent) =>
                this.wanted = (event.target as HTMLInputElement).value}
            >
          `
          : nothing}
        ${this.#presetOptions()}
        <fieldset>
          <legend class="label">${this.presets === undefined ? "Model" : "Models"}</legend>
          ${this.#options()}
        </fieldset>
        ${this.presets === undefined ? nothing : html`
          <button type="button" class="manage" @click=${this.#manage}>
            <wa-icon name="sparkles"></wa-icon>${this.presets.length === 0
              ? "Make a preset"
              : "Edit presets"}
          </button>
        `}
      </div>
    `;
  }

  #presetOptions() {
    const found = (this.presets ?? []).filter(({ name }) =>
      name.toLowerCase().includes(this.#wanted)
    );
    if (found.length === 0) return nothing;
    return html`
      <fieldset>
        <legend class="label">Presets</legend>
        ${repeat(found.slice(0, maxShown), ({ id }) => id, (preset) => this.#presetOption(preset))}
      </fieldset>
    `;
  }

  #presetOption({ id, name, model, own, shared }: Preset) {
    return html`
      <label @click=${this.#picked}>
        <input
          type="radio"
          name="model"
          .value=${id}
          .checked=${id === this.preset}
          @change=${() => this.#emit("bkg-preset", id)}
          @keydown=${this.#key}
        >
        <span class="option">
          <span class="name wrap">${name}</span>
          <span class="quiet small wrap isolate" dir="auto">${capText(model, 120)}</span>
        </span>
        ${own && !shared ? nothing : html`<span class="badge plain">shared</span>`}
      </label>
    `;
  }

  get #wanted(): string {
    return this.wanted.trim().toLowerCase();
  }

  #options() {
    const wanted = this.#wanted;
    const found = (this.models ?? []).filter(({ id, name = "" }) =>
      `${id} ${name}`.toLowerCase().includes(wanted)
    );
    if (found.length === 0) {
      return html`<p class="quiet small none">No model has this in its name.</p>`;
    }
    return repeat(found.slice(0, maxShown), ({ id }) => id, (model) => this.#option(model));
  }

  #option(model: ChatModel) {
    const { id, size, contextLength, chatTemplate, here } = model;
    const progress = this.download(id);
    return html`
      <label @click=${this.#picked}>
        <input
          type="radio"
          name="model"
          .value=${id}
          .checked=${this.preset === undefined && id === this.value}
          @change=${() => this.#emit("bkg-model", id)}
          @keydown=${this.#key}
        >
        <span class="option">
          <span class="name wrap isolate" dir="auto">${capText(id, 120)}</span>
          <span class="quiet small">
            ${formatBytes(size)}${contextLength === undefined ? nothing : html`
              · ${formatCount(contextLength)} tokens of context
            `}${this.home === "browser"
              ? here ? " · in this browser" : " · will be downloaded"
              : nothing}
          </span>
          ${progress === undefined ? nothing : this.#progress(progress)}
        </span>
        ${chatTemplate ? html`<span class="badge">chat</span>` : html`
          <span class="badge plain"
            title="It has no chat template: it is given the text of the conversation as it is">text only</span>
        `}
      </label>
    `;
  }

  #progress({ step, done, total }: Progress) {
    const known = done !== undefined && total !== undefined && total > 0;
    return html`
      <span class="progress small number">
        <wa-progress-bar
          label=${step}
          .value=${known ? 100 * done / total : 0}
          ?indeterminate=${!known}
        ></wa-progress-bar>
        ${known ? html`${formatBytes(done)} of ${formatBytes(total)}` : step}
      </span>
    `;
  }

  /** Below its button, and never out of the window. */
  #place(event: ToggleEvent): void {
    if (event.newState !== "open") return;
    const { left, bottom } = this.button.getBoundingClientRect();
    const { clientWidth } = document.documentElement;
    const width = Math.min(menuWidth, clientWidth - 16);
    this.menu.style.width = `${width}px`;
    this.menu.style.left = `${Math.max(8, Math.min(left, clientWidth - width - 8))}px`;
    this.menu.style.top = `${bottom + 6}px`;
    this.menu.style.maxHeight = `${Math.max(160, innerHeight - bottom - 24)}px`;
  }

  #toggled(event: ToggleEvent): void {
    if (event.newState !== "open") return;
    this.menu.querySelector<HTMLInputElement>("input:checked, input")?.focus();
  }

  #manage(): void {
    this.menu.hidePopover();
    this.#emit("bkg-presets");
  }

  #emit(name: string, detail?: string): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  /** A click picks and closes; arrow keys pick and go on. `detail` is 0 for a click by keyboard. */
  #picked(event: MouseEvent): void {
    if (event.detail > 0) this.menu.hidePopover();
  }

  #key(event: KeyboardEvent): void {
    if (event.key !== "Enter") return;
    event.preventDefault();
    this.menu.hidePopover();
    this.button.focus();
  }
}

/** How far it is, in few characters. */
function share({ done, total }: Progress): string {
  return done === undefined || !total
    ? "downloading"
    : `downloading, ${Math.floor(100 * done / total)}%`;
}

const menuWidth = 380;
const manyModels = 8;
const maxShown = 200;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-model-picker": BkgModelPicker;
  }
}
