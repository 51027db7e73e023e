// One's own presets and those that others share: to use, make, change and delete.
// Emits `bkg-preset` with the id of the one to use, `bkg-made` with a new one.

import { html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { StoreController } from "../controllers/store_controller.ts";
import type { ChatModel } from "../stores/chat_models.ts";
import type { Preset, PresetDraft, Presets } from "../stores/chat_presets.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-empty-state.ts";
import "./bkg-error-notice.ts";
import "./bkg-preset-editor.ts";
import { capText } from "./format.ts";
import "./icons.ts";
import { presetStyles } from "./preset_styles.ts";

@customElement("bkg-presets")
export class BkgPresets extends LitElement {
  @property({ attribute: false })
  accessor presets!: Presets;
  @property({ attribute: false })
  accessor models: readonly ChatModel[] = [];
  /** What a new preset begins with. */
  @property({ attribute: false })
  accessor draft!: PresetDraft;
  /** Whether a new one is being made; `bkg-making` tells of a change. */
  @property({ type: Boolean })
  accessor making = false;
  @state()
  private accessor editing: Preset | undefined;
  @state()
  private accessor deleting: string | undefined;
  @state()
  private accessor failed: unknown;

  static override styles = [sharedStyles, presetStyles];

  constructor() {
    super();
    new StoreController(this, () => [this.presets]);
  }

  override render() {
    if (this.making || this.editing !== undefined) return this.#editor();
    const { list, error } = this.presets;
    if (list === undefined) {
      return html`
        <bkg-error-notice
          heading="The presets could not be read" .error=${error}
          .retry=${() => void this.presets.load()}
        ></bkg-error-notice>
        ${error === undefined
          ? html`<div class="skeleton" aria-hidden="true">&nbsp;</div>`
          : nothing}
      `;
    }
    if (list.length === 0) return this.#empty();
    return html`
      <p class="intro quiet small">
        A preset is a model with a system prompt and settings of its own. Programs name it as their
        model at <code>/v1/chat/completions</code>.
      </p>
      <bkg-error-notice
        heading="The preset was not deleted" .error=${this.failed}
        .dismiss=${() => this.failed = undefined}
      ></bkg-error-notice>
      <ul>${repeat(list, ({ id }) => id, (preset) => this.#item(preset))}</ul>
      <div class="row">
        <wa-button appearance="outlined" @click=${() => this.#make(true)}>
          <wa-icon slot="start" name="plus"></wa-icon>New preset
        </wa-button>
      </div>
    `;
  }

  #empty() {
    return html`
      <bkg-empty-state
        icon="sparkles"
        heading="No preset yet"
        text="A preset is a model with a system prompt and settings of its own, under a name that programs can use as their model."
      >
        <wa-button variant="brand" @click=${() => this.#make(true)}>
          <wa-icon slot="start" name="plus"></wa-icon>New preset
        </wa-button>
      </bkg-empty-state>
    `;
  }

  #editor() {
    const { editing } = this;
    return html`
      <bkg-preset-editor
        .presets=${this.presets}
        .models=${this.models}
        .draft=${editing ?? this.draft}
        .presetId=${editing?.id}
        @bkg-saved=${(event: CustomEvent<Preset>) => this.#saved(event.detail)}
        @bkg-cancel=${() => this.#close()}
      ></bkg-preset-editor>
    `;
  }

  #item(preset: Preset) {
    const { id, name, model, systemPrompt, own, shared } = preset;
    const isModel = this.models.some((known) => known.id === name);
    const isGone = this.models.length > 0 && !this.models.some((known) => known.id === model);
    return html`
      <li>
        <div class="head">
          <span class="name wrap">${name}</span>
          ${shared
            ? html`<span class="tag">${own ? "shared" : "by somebody else"}</span>`
            : nothing}
        </div>
        <span class="quiet small wrap isolate" dir="auto">${capText(model, 120)}</span>
        ${systemPrompt === "" ? nothing : html`
          <span class="quiet small prompt wrap isolate" dir="auto">${capText(
            systemPrompt,
            300,
          )}</span>
        `}
        ${isModel
          ? html`
            <span class="small warn">A model has this name now, and goes before it: rename the preset.</span>
          `
          : nothing}
        ${isGone
          ? html`
            <span class="small warn">Its model is no longer there: choose another one.</span>
          `
          : nothing}
        ${this.deleting === id ? this.#confirm(preset) : html`
          <div class="row">
            <wa-button size="s" appearance="outlined" @click=${() => this.#use(id)}>
              Use<span class="visually-hidden"> ${name}</span>
            </wa-button>
            ${own
              ? html`
                <wa-button size="s" appearance="plain" @click=${() => this.editing = preset}>
                  <wa-icon slot="start" name="pencil"></wa-icon>Edit<span class="visually-hidden"> ${name}</span>
                </wa-button>
                <wa-button size="s" appearance="plain" @click=${() => this.deleting = id}>
                  <wa-icon slot="start" name="trash"></wa-icon>Delete<span class="visually-hidden"> ${name}</span>
                </wa-button>
              `
              : nothing}
          </div>
        `}
      </li>
    `;
  }

  #confirm({ id, shared }: Preset) {
    return html`
      <p class="small" role="alert">
        Delete it? Chats that use it need another model then, and programs that name it are refused${shared
          ? ", also those of others"
          : ""}.
      </p>
      <div class="row">
        <wa-button size="s" variant="danger" @click=${() =>
          void this.#delete(id)}>Delete preset</wa-button>
        <wa-button size="s" appearance="plain" @click=${() =>
          this.deleting = undefined}>Keep it</wa-button>
      </div>
    `;
  }

  #use(id: string): void {
    this.dispatchEvent(new CustomEvent("bkg-preset", { detail: id }));
  }

  #make(making: boolean): void {
    this.making = making;
    this.dispatchEvent(new CustomEvent("bkg-making", { detail: making }));
  }

  #saved(preset: Preset): void {
    const made = this.editing === undefined;
    this.#close();
    if (made) this.dispatchEvent(new CustomEvent("bkg-made", { detail: preset }));
  }

  #close(): void {
    this.editing = undefined;
    this.#make(false);
  }

  async #delete(id: string): Promise<void> {
    this.failed = undefined;
    try {
      await this.presets.remove(id);
    } catch (error) {
      this.failed = error;
    } finally {
      this.deleting = undefined;
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-presets": BkgPresets;
  }
}
