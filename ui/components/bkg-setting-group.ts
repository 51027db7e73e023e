// Some of the server's settings, saved together: each with its value, from where it comes and when a change holds.
// Slot: how what they are about goes. Emits "bkg-saved" with what the server answered: all settings.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import type { JsonSchema } from "../../plugins/runtime/contract/capability.ts";
import type { SchemaIssue } from "../../plugins/runtime/contract/schema.ts";
import { changeSettings, type SettingView } from "../api/settings.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-error-notice.ts";
import type { BkgSchemaForm, FormChange } from "./bkg-schema-form.ts";
import "./bkg-schema-form.ts";
import { issueAt } from "./error_issues.ts";
import { sameJson } from "./form_values.ts";
import "./icons.ts";

interface Draft {
  /** As the form has it: the setting's name, and its value where there is one. */
  form: unknown;
  secrets: FormChange["secrets"];
  incomplete: boolean;
}

@customElement("bkg-setting-group")
export class BkgSettingGroup extends LitElement {
  @property()
  accessor heading = "";
  @property({ attribute: false })
  accessor settings: readonly SettingView[] = [];

  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  /** What was changed and is not saved, by name. */
  @state()
  private accessor drafts: ReadonlyMap<string, Draft> = new Map();
  @state()
  private accessor saving = false;
  @state()
  private accessor error: unknown;
  @state()
  private accessor said = "";

  /** Of each setting, made once: a form begins anew with another one. */
  readonly #forms = new Map<string, { of: SettingView; schema: JsonSchema; value: unknown }>();
  #issues = new Map<string, readonly SchemaIssue[]>();

  static override styles = [
    sharedStyles,
    css`
      .card {
        padding: 0;
      }
      .head {
        display: grid;
        gap: var(--wa-space-2xs);
        padding: var(--wa-space-m) var(--bkg-card-padding);
      }
      .setting {
        display: grid;
        grid-template-columns: minmax(0, 1fr) 15rem;
        gap: var(--wa-space-s) var(--wa-space-xl);
        align-items: start;
        padding: var(--wa-space-m) var(--bkg-card-padding);
        border-block-start: var(--bkg-card-border);
      }
      .facts {
        display: grid;
        justify-items: start;
        gap: var(--wa-space-2xs);
        font-size: var(--wa-font-size-s);
      }
      .facts p {
        overflow-wrap: anywhere;
      }
      .value {
        display: block;
        margin-block-start: var(--wa-space-2xs);
        overflow-wrap: anywhere;
        white-space: pre-wrap;
        unicode-bidi: isolate;
      }
      .bar {
        padding: var(--wa-space-s) var(--bkg-card-padding);
        border-block-start: var(--bkg-card-border);
      }
      bkg-error-notice:not([hidden]) {
        margin: 0 var(--bkg-card-padding) var(--wa-space-m);
      }
      .saved {
        color: var(--wa-color-success-on-quiet);
        font-size: var(--wa-font-size-s);
        font-weight: var(--wa-font-weight-semibold);
      }
      @media (max-width: 52rem) {
        .setting {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("settings")) return;
    for (const setting of this.settings) {
      if (this.#forms.get(setting.name)?.of === setting) continue;
      this.#forms.set(setting.name, {
        of: setting,
        schema: schemaOf(setting),
        value: formValue(setting),
      });
    }
  }

  override render() {
    const editable = this.settings.some((setting) => setting.editable);
    const changed = this.drafts.size > 0;
    const unplaced = this.error !== undefined && this.#issues.size === 0;
    return html`
      <section class="card" aria-labelledby="title">
        <div class="head"><h2 id="title">${this.heading}</h2><slot></slot></div>
        ${this.settings.map((setting) => this.#setting(setting))}
        <bkg-error-notice
          heading="Nothing was saved"  .error=${unplaced ? this.error : undefined}
        ></bkg-error-notice>
        ${!editable ? nothing : html`
          <div class="row bar">
            <wa-button
              size="s" variant="brand" ?loading=${this.saving} ?disabled=${!changed}
              @click=${() => void this.#save()}
            ><wa-icon slot="start" name="save"></wa-icon>Save<span class="visually-hidden"> ${this
              .heading}</span></wa-button>
            <wa-button
              size="s" appearance="plain" ?disabled=${!changed || this.saving}
              @click=${this.#discard}
            >Discard changes</wa-button>
            <span class="saved" role="status">${this.said}</span>
          </div>
        `}
      </section>
    `;
  }

  #setting(setting: SettingView) {
    const { name } = setting;
    const form = this.#forms.get(name);
    if (form === undefined) return nothing;
    const draft = this.drafts.get(name);
    const plain = !setting.editable && (setting.secret === true || setting.schema === undefined);
    return html`
      <div class="setting">
        ${plain ? this.#plain(setting) : html`
          <bkg-schema-form
            id=${name} .schema=${form.schema} .value=${draft?.form ?? form.value}
            .baseline=${form.value} .issues=${this.#issues.get(name) ?? noIssues}
            .secrets=${setting.secret === true
              ? { stored: setting.value === null ? [] : [name], changes: draft?.secrets ?? {} }
              : undefined}
            ?disabled=${!setting.editable || this.saving}
            @bkg-form-change=${({ detail }: CustomEvent<FormChange>) => this.#take(setting, detail)}
          ></bkg-schema-form>
        `}
        <div class="facts">
          <p class="quiet">${sourceWords(setting)}</p>
          ${setting.restart ? html`<span class="tag">holds after a restart</span>` : nothing}
          ${setting.editable && setting.source === "stored" && draft === undefined
            ? html`
              <wa-button
                size="xs" appearance="outlined" ?disabled=${this.saving}
                @click=${() => void this.#send({ [name]: null })}
              ><wa-icon slot="start" name="restart"></wa-icon>Use the default<span
                  class="visually-hidden"> of ${setting.title}</span></wa-button>
            `
            : nothing}
        </div>
      </div>
    `;
  }

  #plain({ title, description, value, secret }: SettingView) {
    const text = secret === true && value !== null ? "Set; it is never shown" : plainText(value);
    return html`
      <div>
        <strong>${title}</strong>
        <p class="quiet small">${description}</p>
        <code class="value">${text.slice(0, 1000)}</code>
      </div>
    `;
  }

  #take(setting: SettingView, { value, secrets, incomplete }: FormChange): void {
    const drafts = new Map(this.drafts);
    const same = sameJson(value, this.#forms.get(setting.name)?.value) &&
      Object.keys(secrets).length === 0 && !incomplete;
    if (same) drafts.delete(setting.name);
    else drafts.set(setting.name, { form: value, secrets, incomplete });
    this.drafts = drafts;
    this.said = "";
  }

  #discard(): void {
    this.drafts = new Map();
    this.error = undefined;
    this.#issues = new Map();
  }

  async #save(): Promise<void> {
    const names = [...this.drafts.keys()];
    const forms = names.map((name) => this.#formOf(name));
    for (const form of forms) if (await form?.validate() === false) return;
    await this.#send(Object.fromEntries([...this.drafts].map(([name, { form, secrets }]) => [
      name,
      Object.hasOwn(secrets, name)
        ? secrets[name]
        : (form as Record<string, unknown>)[name] ?? null,
    ])));
  }

  async #send(changes: Readonly<Record<string, unknown>>): Promise<void> {
    if (this.saving) return;
    this.saving = true;
    this.error = undefined;
    this.#issues = new Map();
    this.said = "";
    try {
      const detail = await changeSettings(this.app.api, changes);
      this.drafts = new Map(
        [...this.drafts].filter(([name]) => !Object.hasOwn(changes, name)),
      );
      const later = this.settings.some(({ name, restart }) =>
        restart && Object.hasOwn(changes, name)
      );
      this.said = later ? "Saved; it holds after the next restart" : "Saved, and in force";
      this.dispatchEvent(new CustomEvent("bkg-saved", { detail }));
    } catch (error) {
      this.error = error;
      this.#place(error, Object.keys(changes));
    } finally {
      this.saving = false;
    }
  }

  /** At the field that each is of. */
  #place(error: unknown, names: readonly string[]): void {
    for (const name of names) {
      const message = issueAt(error, name)?.replace(/\.$/, "");
      if (message !== undefined) this.#issues.set(name, [{ path: `/${name}`, message }]);
    }
    const [first] = this.#issues.keys();
    if (first === undefined) return;
    void this.updateComplete.then(() => this.#formOf(first)?.focusIssue());
  }

  #formOf(name: string): BkgSchemaForm | null {
    return this.renderRoot.querySelector<BkgSchemaForm>(`bkg-schema-form#${CSS.escape(name)}`);
  }
}

const noIssues: readonly SchemaIssue[] = [];

/** A form of this one setting, with the words of the list. */
function schemaOf({ name, schema = {}, title, description, secret }: SettingView): JsonSchema {
  const { default: _, ...field } = schema as Record<string, unknown>;
  return {
    type: "object",
    properties: {
      [name]: { ...field, title, description, ...(secret === true ? { writeOnly: true } : {}) },
    },
  };
}

function formValue({ name, value, secret }: SettingView): unknown {
  return secret === true || value === null || value === undefined ? {} : { [name]: value };
}

/** One line an item. */
function plainText(value: unknown): string {
  if (value === null || value === undefined || value === "") return "Not set";
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (Array.isArray(value)) return value.length === 0 ? "None" : value.map(plainText).join("\n");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function sourceWords({ source, variable, editable }: SettingView) {
  switch (source) {
    case "environment":
      return html`Set by <code>${variable ?? "the environment"}</code>, which wins over this page.
        Change it there and start the server again.`;
    case "stored":
      return "Set here.";
    case "default":
      return editable || variable === undefined
        ? "The default."
        : html`The default. It can be set by <code>${variable}</code> in the server's environment.`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-setting-group": BkgSettingGroup;
  }
}
