// One capability: a form made from its input schema, a way to run it wherever its plugin runs, and the same call as
// an example to copy. What it answers is text, capped on the screen and whole in a download.

import { consume } from "@lit/context";
import { html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/textarea/textarea.js";
import type { Capability } from "../../plugins/runtime/contract/capability.ts";
import { toAppError } from "../../plugins/runtime/contract/error.ts";
import type { SchemaIssue } from "../../plugins/runtime/contract/schema.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-call-examples.ts";
import "./bkg-copy-button.ts";
import "./bkg-error-notice.ts";
import type { BkgSchemaForm, FormChange } from "./bkg-schema-form.ts";
import "./bkg-schema-form.ts";
import { type CallProgress, createCallProgress, maxShownItems } from "./call_progress.ts";
import { capabilityStyles } from "./capability_styles.ts";
import { issuesOf } from "./error_issues.ts";
import { foldStyles } from "./fold_styles.ts";
import { initialValue, parseJsonText } from "./form_values.ts";
import { capText, formatBytes, formatDuration, formatPlural } from "./format.ts";
import { describeForm } from "./schema_form_model.ts";
import { segmentedStyles } from "./segmented_styles.ts";
import "./icons.ts";

type Mode = "form" | "json" | "code";

@customElement("bkg-capability")
export class BkgCapability extends LitElement {
  @property({ attribute: false })
  accessor capability!: Capability;

  @consume({ context: appContext })
  accessor app!: App;

  @state()
  private accessor mode: Mode = "form";
  @state()
  private accessor input: unknown = {};
  /** JSON that was typed and is not read yet. */
  @state()
  private accessor jsonText: string | undefined;
  @state()
  private accessor issues: readonly SchemaIssue[] = [];
  @state()
  private accessor progress: CallProgress | undefined;
  @query("bkg-schema-form")
  private accessor form!: BkgSchemaForm | null;

  #calling: AbortController | undefined;
  #frame: number | undefined;

  static override styles = [sharedStyles, segmentedStyles, foldStyles, capabilityStyles];

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#calling?.abort();
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
  }

  override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get("capability");
    if (!changed.has("capability") || before?.id === this.capability.id) return;
    this.#calling?.abort();
    this.progress = undefined;
    this.#setInput(
      this.capability.examples[0]?.input ?? initialValue(describeForm(this.capability.inputSchema)),
    );
  }

  override render() {
    const { capability } = this;
    return html`
      <div class="stack">
        ${capability.description === ""
          ? nothing
          : html`<p class="quiet wrap about" dir="auto">${
            capText(capability.description, 2000)
          }</p>`}
        <div class="row spread">
          <fieldset class="segments">
            <legend class="visually-hidden">How to write the input</legend>
            ${modes.map(({ mode, label }) =>
              html`
                <label>
                  <input
                    type="radio" name="mode" .checked=${mode === this.mode}
                    @change=${() => this.mode = mode}
                  >
                  <span>${label}</span>
                </label>
              `
            )}
          </fieldset>
          ${this.#renderPresets()}
        </div>
        ${this.mode === "code" ? this.#renderCode() : this.#renderInput()}
        ${this.#renderProgress()}
      </div>
    `;
  }

  #renderPresets() {
    const { examples } = this.capability;
    if (examples.length === 0 || this.mode === "code") return nothing;
    return html`
      <div class="row" role="group" aria-label="Examples">
        <span class="quiet small">Fill in</span>
        ${examples.slice(0, maxPresets).map(({ title, input }) =>
          html`
            <wa-button
              size="xs" appearance="outlined" @click=${() => this.#setInput(input)}
            ><span class="isolate" dir="auto">${capText(title, 40)}</span></wa-button>
          `
        )}
      </div>
    `;
  }

  #renderInput() {
    const running = this.#calling !== undefined;
    return html`
      <form class="stack" novalidate @submit=${this.#onSubmit} @keydown=${this.#onKey}>
        ${this.mode === "form" ? this.#renderForm() : this.#renderJson()}
        <div class="row">
          <wa-button
            variant="brand" ?loading=${running}
            ?disabled=${this.#jsonIssue() !== undefined} @click=${() => void this.#run()}
          ><wa-icon slot="start" name="play"></wa-icon>Run</wa-button>
          <wa-button appearance="outlined" ?disabled=${!running} @click=${() =>
            this.#calling?.abort()}
          ><wa-icon slot="start" name="stop"></wa-icon>Stop</wa-button>
          <span class="quiet small keys">Ctrl + Enter runs it</span>
        </div>
      </form>
    `;
  }

  #renderForm() {
    return html`
      <bkg-schema-form
        .schema=${this.capability.inputSchema} .value=${this.input} .issues=${this.issues}
        @bkg-form-change=${(event: CustomEvent<FormChange>) => {
          this.input = event.detail.value;
          this.jsonText = undefined;
        }}
      ></bkg-schema-form>
    `;
  }

  #renderJson() {
    const issue = this.#jsonIssue();
    return html`
      <wa-textarea
        class="code" rows="10" resize="vertical" spellcheck="false" label="Input as JSON"
        .value=${this.jsonText ?? JSON.stringify(this.input, undefined, 2) ?? ""}
        @input=${(event: Event) => {
          this.jsonText = String((event.target as HTMLInputElement).value ?? "");
          const parsed = parseJsonText(this.jsonText);
          if ("value" in parsed) this.input = parsed.value;
        }}
      >
        <div slot="hint">${issue === undefined
          ? nothing
          : html`<span class="issue">It ${issue}.</span>`}</div>
      </wa-textarea>
    `;
  }

  #renderCode() {
    const { id, streaming } = this.capability;
    return html`
      <bkg-call-examples
        capability=${id} .input=${this.input} ?streaming=${streaming}
      ></bkg-call-examples>
    `;
  }

  #renderProgress() {
    const { progress } = this;
    if (progress === undefined || this.mode === "code") return nothing;
    const { state, items, result, error } = progress;
    return html`
      <div class="answer stack" role="group" aria-label="Answer">
        <div class="row spread">
          <h3>${stateWords[state]}</h3>
          <span class="quiet small number" role=${state === "running" ? nothing : "status"}>${this
            .#figures(progress)}</span>
        </div>
        ${items === 0 ? nothing : html`
          <details class="fold" ?open=${state === "running"}>
            ${fold(
              `${formatPlural(items, "item")}${
                items > maxShownItems ? `, the last ${maxShownItems}` : ""
              }`,
            )}
            <div class="inside">${output("Items", progress.itemsText)}</div>
          </details>
        `}
        ${result === undefined ? nothing : html`
          <details class="fold" open>
            ${fold(`Result, ${formatBytes(result.bytes)}`)}
            <div class="inside">
              ${output("Result", result.shown)}
              ${result.cut
                ? html`<p class="quiet small">This is its start; a download has all of it.</p>`
                : nothing}
              <div class="row">
                <bkg-copy-button label="Copy the result" .text=${result.text}></bkg-copy-button>
                <wa-button size="s" appearance="plain" @click=${() => this.#download(result.text)}>
                  <wa-icon slot="start" name="download"></wa-icon>Download</wa-button>
              </div>
            </div>
          </details>
        `}
        <bkg-error-notice heading="The call failed" .error=${error}>${progress.details === undefined
          ? nothing
          : html`
            <details class="fold">
              ${fold("Details")}
              <div class="inside">${output("Details", progress.details)}</div>
            </details>
          `}</bkg-error-notice>
      </div>
    `;
  }

  #figures({ startedAtMs, firstAtMs, endedAtMs, nowMs }: CallProgress): string {
    const total = formatSeconds((endedAtMs ?? nowMs) - startedAtMs);
    return firstAtMs === undefined
      ? total
      : `${total}, first item after ${formatSeconds(firstAtMs - startedAtMs)}`;
  }

  #jsonIssue(): string | undefined {
    if (this.mode !== "json" || this.jsonText === undefined) return undefined;
    const parsed = parseJsonText(this.jsonText);
    return "issue" in parsed ? parsed.issue : undefined;
  }

  #setInput(input: unknown): void {
    this.input = structuredClone(input);
    this.jsonText = undefined;
    this.issues = [];
  }

  #onSubmit = (event: Event): void => event.preventDefault();

  #onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void this.#run();
  };

  async #run(): Promise<void> {
    if (this.#calling !== undefined || this.#jsonIssue() !== undefined) return;
    if (this.mode === "form" && await this.form?.validate() === false) return;
    if (this.#calling !== undefined) return;
    const calling = this.#calling = new AbortController();
    const progress = this.progress = createCallProgress(() => performance.now());
    this.issues = [];
    try {
      const { signal } = calling;
      const { id, streaming, resultSchema } = this.capability;
      const items = this.app.homes.stream(id, this.input, { signal });
      // What does not stream gives its one value as an item.
      let answer: unknown;
      let next = await items.next();
      for (; next.done !== true; next = await items.next()) {
        if (streaming) progress.item(next.value);
        else answer = next.value;
        this.#schedule();
      }
      progress.end(resultSchema === undefined ? answer : next.value);
    } catch (thrown) {
      const error = toAppError(thrown);
      progress.fail(error, calling.signal.aborted);
      if (this.progress === progress) this.issues = issuesOf(error);
    } finally {
      if (this.#calling === calling) this.#calling = undefined;
      this.requestUpdate();
    }
  }

  #schedule(): void {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      this.requestUpdate();
    });
  }

  #download(text: string): void {
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `${this.capability.id}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

const modes: readonly { mode: Mode; label: string }[] = [
  { mode: "form", label: "Form" },
  { mode: "json", label: "JSON" },
  { mode: "code", label: "Code" },
];

const stateWords: Readonly<Record<CallProgress["state"], string>> = {
  running: "Running",
  done: "Done",
  stopped: "Stopped",
  failed: "Failed",
};

const maxPresets = 8;

function fold(text: string) {
  return html`<summary>${text}<wa-icon class="chevron" name="chevron-down"></wa-icon></summary>`;
}

function output(label: string, text: string) {
  return html`<pre tabindex="0" role="group" aria-label=${label} dir="auto">${text}</pre>`;
}

function formatSeconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(2)} s` : formatDuration(ms);
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-capability": BkgCapability;
  }
}
