// The form of one preset. Emits `bkg-saved` with it, `bkg-cancel`.

import { html, LitElement, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/switch/switch.js";
import { toAppError } from "../../plugins/runtime/contract/error.ts";
import { type Sampling, samplingKeys } from "../stores/chat.ts";
import type { ChatModel } from "../stores/chat_models.ts";
import type { Preset, PresetDraft, PresetParameters, Presets } from "../stores/chat_presets.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-error-notice.ts";
import "./bkg-sampling.ts";
import { capText } from "./format.ts";
import { presetStyles } from "./preset_styles.ts";

@customElement("bkg-preset-editor")
export class BkgPresetEditor extends LitElement {
  @property({ attribute: false })
  accessor presets!: Presets;
  @property({ attribute: false })
  accessor models: readonly ChatModel[] = [];
  /** What the form begins with. */
  @property({ attribute: false })
  accessor draft!: PresetDraft;
  /** The preset that is changed; undefined makes one. */
  @property({ attribute: false })
  accessor presetId: string | undefined;
  @state()
  private accessor saving = false;
  @state()
  private accessor error: unknown;
  /** What the name is refused for. */
  @state()
  private accessor nameProblem: string | undefined;
  @query("#name")
  private accessor nameField!: HTMLInputElement;

  static override styles = [sharedStyles, presetStyles];

  override focus(): void {
    this.nameField.focus();
  }

  override firstUpdated(): void {
    this.focus();
  }

  override render() {
    const { name, model, systemPrompt, parameters, shared } = this.draft;
    const isKnown = this.models.some(({ id }) => id === model);
    return html`
      <div class="field">
        <label for="name">Name</label>
        <input
          id="name"
          maxlength="100"
          autocomplete="off"
          autocapitalize="none"
          spellcheck="false"
          placeholder="story-teller"
          aria-describedby="name-hint"
          aria-invalid=${this.nameProblem === undefined ? nothing : "true"}
          .value=${name}
          @input=${(event: InputEvent) => this.#named((event.target as HTMLInputElement).value)}
        >
        <span id="name-hint" class="hint ${this.nameProblem === undefined ? "" : "refused"}">
          ${this.nameProblem ?? "Programs name it as their model. A-Z a-z 0-9 . _ : -"}
        </span>
      </div>
      <div class="field">
        <label for="model">Model</label>
        <select
          id="model"
          @change=${(event: Event) =>
            this.#change({ model: (event.target as HTMLSelectElement).value })}
        >
          ${isKnown
            ? nothing
            : html`<option value=${model} selected>${capText(model, 120)}</option>`}
          ${this.models.map(({ id }) =>
            html`<option value=${id} ?selected=${id === model}>${capText(id, 120)}</option>`
          )}
        </select>
      </div>
      <bkg-sampling
        .sampling=${toSampling(systemPrompt, parameters)}
        @bkg-sampling=${(event: CustomEvent<Sampling>) => this.#sampled(event.detail)}
      ></bkg-sampling>
      <wa-switch
        .checked=${shared}
        @change=${(event: Event) =>
          this.#change({ shared: (event.target as HTMLInputElement).checked })}
      >Share with everyone on this server
        <span slot="hint">They can use it and read its system prompt; only you can change it.</span>
      </wa-switch>
      <bkg-error-notice heading="Nothing was saved" .error=${this.error}></bkg-error-notice>
      <div class="row bar">
        <wa-button variant="brand" ?loading=${this.saving} @click=${() => void this.#save()}>
          <wa-icon slot="start" name="save"></wa-icon>Save preset
        </wa-button>
        <wa-button appearance="plain" @click=${() =>
          this.dispatchEvent(new CustomEvent("bkg-cancel"))}
        >Cancel</wa-button>
      </div>
    `;
  }

  #named(name: string): void {
    this.#change({ name });
    if (this.nameProblem !== undefined) this.nameProblem = problemOf(name);
  }

  /** What the form does not show, such as stop strings, stays as it is. */
  #sampled({ system = "", ...numbers }: Sampling): void {
    const rest = Object.entries(this.draft.parameters)
      .filter(([key]) => !(samplingKeys as readonly string[]).includes(key));
    const given = Object.entries(numbers).filter(([, value]) => value !== undefined);
    const parameters: PresetParameters = Object.fromEntries([...rest, ...given]);
    this.#change({ systemPrompt: system, parameters });
  }

  #change(change: Partial<PresetDraft>): void {
    this.draft = { ...this.draft, ...change };
  }

  async #save(): Promise<void> {
    this.error = undefined;
    this.nameProblem = problemOf(this.draft.name);
    if (this.nameProblem !== undefined) return this.focus();
    this.saving = true;
    try {
      const { name, model, systemPrompt, parameters, shared } = this.draft;
      const draft = { name, model, systemPrompt, parameters, shared };
      const saved = await this.presets.save(draft, this.presetId);
      this.dispatchEvent(new CustomEvent<Preset>("bkg-saved", { detail: saved }));
    } catch (thrown) {
      const error = toAppError(thrown);
      const { field } = (error.details ?? {}) as { field?: string };
      if (field === "name") {
        this.nameProblem = error.message;
        this.focus();
      } else this.error = error;
    } finally {
      this.saving = false;
    }
  }
}

function toSampling(system: string, parameters: PresetParameters): Sampling {
  const numbers = samplingKeys.map((key) => [key, parameters[key]]);
  return { ...Object.fromEntries(numbers), system: system === "" ? undefined : system };
}

function problemOf(name: string): string | undefined {
  if (name === "") return "It needs a name";
  return /^[A-Za-z0-9._:-]+$/.test(name) ? undefined : "Only A-Z a-z 0-9 . _ : - and no spaces";
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-preset-editor": BkgPresetEditor;
  }
}
