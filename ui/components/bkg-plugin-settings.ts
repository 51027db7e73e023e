// What the operator sets of a plugin: its settings, by its own schema, and its limits. Saving swaps a running plugin.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/skeleton/skeleton.js";
import "@awesome.me/webawesome/dist/components/switch/switch.js";
import type { Limits } from "../../plugins/runtime/contract/manifest.ts";
import type { SchemaIssue } from "../../plugins/runtime/contract/schema.ts";
import type {
  PluginConfig,
  PluginConfigChange,
  PluginView,
} from "../../plugins/runtime/host/host.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-error-notice.ts";
import type { BkgSchemaForm, FormChange } from "./bkg-schema-form.ts";
import "./bkg-schema-form.ts";
import { issuesOf } from "./error_issues.ts";
import { sameJson } from "./form_values.ts";
import { limitsSchema } from "./limits_schema.ts";
import "./icons.ts";

type Part = "settings" | "limits";

interface Failure {
  part: Part | "autostart";
  error: unknown;
  issues: readonly SchemaIssue[];
}

@customElement("bkg-plugin-settings")
export class BkgPluginSettings extends LitElement {
  @property({ attribute: false })
  accessor plugin!: PluginView;

  @consume({ context: appContext })
  accessor app!: App;

  @state()
  private accessor config: PluginConfig | undefined;
  @state()
  private accessor loadError: unknown;
  @state()
  private accessor settings: unknown = {};
  @state()
  private accessor secrets: FormChange["secrets"] = {};
  @state()
  private accessor limits: unknown = {};
  /** What was typed into these is no value yet. */
  @state()
  private accessor incomplete: Readonly<Partial<Record<Part, boolean>>> = {};
  @state()
  private accessor saving: Part | "autostart" | undefined;
  @state()
  private accessor failed: Failure | undefined;
  @state()
  private accessor saved: Part | undefined;
  @query("#settings")
  private accessor settingsForm!: BkgSchemaForm | null;
  @query("#limits")
  private accessor limitsForm!: BkgSchemaForm | null;

  #loaded = "";
  #limitsSchema: { of: Limits; schema: ReturnType<typeof limitsSchema> } | undefined;

  static override styles = [
    sharedStyles,
    css`
      .card {
        display: grid;
        gap: var(--wa-space-l);
        grid-template-columns: minmax(0, 1fr);
      }
      .intro {
        display: grid;
        gap: var(--wa-space-2xs);
        max-width: var(--bkg-reading-width);
      }
      .bar {
        padding-block-start: var(--bkg-gap);
        border-block-start: var(--bkg-card-border);
      }
      .saved {
        color: var(--wa-color-success-on-quiet);
        font-weight: var(--wa-font-weight-semibold);
      }
      wa-skeleton {
        --border-radius: var(--bkg-card-radius);
        height: 18rem;
      }
    `,
  ];

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("plugin") && this.plugin.id !== this.#loaded) void this.#load();
  }

  override render() {
    if (this.loadError !== undefined) {
      return html`
        <bkg-error-notice
          heading="The settings could not be loaded" .error=${this.loadError}
          .retry=${() => void this.#load()}
        ></bkg-error-notice>
      `;
    }
    const { config } = this;
    if (config === undefined) {
      return html`
        <div class="stack">
          <wa-skeleton></wa-skeleton>
        </div>
      `;
    }
    return html`
      <div class="stack">
        ${this.#renderSettings(config)} ${this.#renderLimits(config)} ${this.#renderStart(config)}
      </div>
    `;
  }

  #renderSettings(config: PluginConfig) {
    const { properties } = config.settingsSchema;
    const hasNone = typeof properties !== "object" || properties === null ||
      Object.keys(properties).length === 0;
    return html`
      <section class="card" aria-labelledby="settings-title">
        <div class="intro">
          <h2 id="settings-title">Settings</h2>
          <p class="quiet">${hasNone ? "This plugin has no settings." : this.#swapWords()}</p>
        </div>
        ${hasNone ? nothing : html`
          <bkg-schema-form
            id="settings" .schema=${config.settingsSchema} .value=${this.settings}
            .baseline=${config.settings} .issues=${this.#issuesFor("settings")}
            .secrets=${{ stored: config.secretsSet, changes: this.secrets }}
            ?disabled=${this.saving !== undefined}
            @bkg-form-change=${({ detail }: CustomEvent<FormChange>) => {
              this.settings = detail.value;
              this.secrets = detail.secrets;
              this.#markIncomplete("settings", detail);
              this.saved = undefined;
            }}
          ></bkg-schema-form>
          ${this.#renderBar("settings", {
            changed: !sameJson(this.settings, config.settings) ||
              Object.keys(this.secrets).length > 0,
            discard: () => {
              this.settings = structuredClone(config.settings);
              this.secrets = {};
            },
          })}
        `}
      </section>
    `;
  }

  #renderLimits(config: PluginConfig) {
    if (this.#limitsSchema?.of !== config.defaultLimits) {
      this.#limitsSchema = {
        of: config.defaultLimits,
        schema: limitsSchema(config.defaultLimits),
      };
    }
    return html`
      <section class="card" aria-labelledby="limits-title">
        <div class="intro">
          <h2 id="limits-title">Limits</h2>
          <p class="quiet">How much the plugin may take. Defaults are what its author asks for.</p>
        </div>
        <bkg-schema-form
          id="limits" .schema=${this.#limitsSchema.schema} .value=${this.limits}
          .baseline=${config.limits} .issues=${this.#issuesFor("limits")}
          ?disabled=${this.saving !== undefined}
          @bkg-form-change=${({ detail }: CustomEvent<FormChange>) => {
            this.limits = detail.value;
            this.#markIncomplete("limits", detail);
            this.saved = undefined;
          }}
        ></bkg-schema-form>
        ${this.#renderBar("limits", {
          changed: !sameJson(this.limits, config.limits),
          discard: () => this.limits = { ...config.limits },
        })}
      </section>
    `;
  }

  #renderBar(part: Part, options: { changed: boolean; discard: () => void }) {
    const { failed } = this;
    const changed = options.changed || this.incomplete[part] === true;
    return html`
      <bkg-error-notice
        heading="Nothing was saved" .error=${failed?.part === part ? failed.error : undefined}
      ></bkg-error-notice>
      <div class="row bar">
        <wa-button
          variant="brand" ?loading=${this.saving === part}
          ?disabled=${!changed || (this.saving !== undefined && this.saving !== part)}
          @click=${() => void this.#savePart(part)}
        ><wa-icon slot="start" name="save"></wa-icon>Save ${part}</wa-button>
        <wa-button
          appearance="plain" ?disabled=${!changed || this.saving !== undefined}
          @click=${() => {
            options.discard();
            this.incomplete = { ...this.incomplete, [part]: false };
            this.failed = undefined;
          }}
        >Discard changes</wa-button>
        <span class="saved" role="status">${this.saved === part ? "Saved" : ""}</span>
      </div>
    `;
  }

  #renderStart({ autostart }: PluginConfig) {
    return html`
      <section class="card" aria-labelledby="start-title">
        <h2 id="start-title">Start</h2>
        <wa-switch
          .checked=${autostart} ?disabled=${this.saving !== undefined}
          @change=${(event: Event) => {
            const { checked } = event.target as HTMLInputElement;
            void this.#save("autostart", { autostart: checked });
          }}
        >Start with the server
          <span slot="hint">Otherwise it starts with its first call, which then waits for it.</span>
        </wa-switch>
        <bkg-error-notice
          heading="Nothing was saved"
          .error=${this.failed?.part === "autostart" ? this.failed.error : undefined}
        ></bkg-error-notice>
      </section>
    `;
  }

  #swapWords(): string {
    const { status } = this.plugin;
    return status === "running" || status === "starting"
      ? "Saving swaps the running plugin: a new one starts with these values and takes over when it " +
        "answers, while the old one finishes its calls. If the new one does not start, the old one stays."
      : "They are used at the next start.";
  }

  #markIncomplete(part: Part, { incomplete }: FormChange): void {
    if (this.incomplete[part] !== incomplete) {
      this.incomplete = { ...this.incomplete, [part]: incomplete };
    }
  }

  #issuesFor(part: Part): readonly SchemaIssue[] {
    return this.failed?.part === part ? this.failed.issues : noIssues;
  }

  async #savePart(part: Part): Promise<void> {
    const form = part === "settings" ? this.settingsForm : this.limitsForm;
    if (await form?.validate() === false) return;
    const change: PluginConfigChange = part === "limits" ? { limits: this.limits as Limits } : {
      settings: this.settings as Record<string, unknown>,
      ...(Object.keys(this.secrets).length > 0 ? { secrets: { ...this.secrets } } : {}),
    };
    await this.#save(part, change);
    if (this.failed?.part === part) form?.focusIssue();
  }

  async #save(part: Part | "autostart", change: PluginConfigChange): Promise<void> {
    this.saving = part;
    this.failed = undefined;
    this.saved = undefined;
    const { id } = this.plugin;
    try {
      const config = await this.app.api.send<PluginConfig>("POST", this.#path(id), {
        body: change,
      });
      if (this.#loaded !== id) return;
      this.#take(config, part);
      if (part !== "autostart") this.saved = part;
    } catch (error) {
      if (this.#loaded === id) this.failed = { part, error, issues: issuesOf(error, part) };
    } finally {
      this.saving = undefined;
    }
  }

  async #load(): Promise<void> {
    const { id } = this.plugin;
    this.#loaded = id;
    this.config = undefined;
    this.loadError = undefined;
    this.failed = undefined;
    try {
      const config = await this.app.api.get<PluginConfig>(this.#path(id));
      if (this.#loaded === id) this.#take(config);
    } catch (error) {
      if (this.#loaded === id) this.loadError = error;
    }
  }

  /** What was typed into the other form stays there. */
  #take(config: PluginConfig, part?: Part | "autostart"): void {
    this.config = config;
    if (part === undefined || part === "settings") {
      this.settings = structuredClone(config.settings);
      this.secrets = {};
    }
    if (part === undefined || part === "limits") this.limits = { ...config.limits };
  }

  #path(id: string): string {
    return `/api/plugins/${encodeURIComponent(id)}/config`;
  }
}

/** One list, as the form takes another one for a change. */
const noIssues: readonly SchemaIssue[] = [];

declare global {
  interface HTMLElementTagNameMap {
    "bkg-plugin-settings": BkgPluginSettings;
  }
}
