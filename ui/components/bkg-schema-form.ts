// A form made from a JSON Schema. The value lives outside: "bkg-form-change" carries the next one.
// It is checked by the server's own checker; issues are shown at a field once it was left, or after validate().

import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { JsonSchema } from "../../plugins/runtime/contract/capability.ts";
import type { CheckValue, SchemaIssue } from "../../plugins/runtime/contract/schema.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import {
  type FieldPath,
  placeIssues,
  pointerOf,
  sameJson,
  valueAt,
  withValue,
} from "./form_values.ts";
import { type FieldScope, renderField } from "./schema_form_fields.ts";
import { describeForm, type FormField } from "./schema_form_model.ts";
import { schemaFormStyles } from "./schema_form_styles.ts";

/** Stored secrets are known by name alone. */
export interface FormSecrets {
  /** Those that have a value. */
  stored: readonly string[];
  /** What is to become of them: a new value, or null to remove it. */
  changes: Readonly<Record<string, string | null>>;
}

export interface FormChange {
  value: unknown;
  secrets: FormSecrets["changes"];
  /** Something was typed that is no value yet, and is not in `value`. */
  incomplete: boolean;
}

@customElement("bkg-schema-form")
export class BkgSchemaForm extends LitElement {
  @property({ attribute: false })
  accessor schema: JsonSchema = {};
  @property({ attribute: false })
  accessor value: unknown = {};
  /** What is stored: fields that differ are marked. Undefined marks none. */
  @property({ attribute: false })
  accessor baseline: unknown;
  /** What a server said of the value; shown until the field changes. */
  @property({ attribute: false })
  accessor issues: readonly SchemaIssue[] = [];
  /** Makes `writeOnly` fields of the root secrets that are never shown. */
  @property({ attribute: false })
  accessor secrets: FormSecrets | undefined;
  @property({ type: Boolean })
  accessor disabled = false;

  @state()
  private accessor found = new Map<string, string>();
  @state()
  private accessor showsAll = false;

  #form: FormField = describeForm({});
  /** Loaded apart: the checker and its regexes weigh more than the rest of the form. */
  #check: Promise<CheckValue | undefined> = Promise.resolve(undefined);
  /** What was typed and does not parse, or not as it was typed. */
  readonly #drafts = new Map<string, { text: string; issue: string | undefined }>();
  readonly #touched = new Set<string>();
  #serverIssues = new Map<string, string>();
  #emitted: unknown;
  #checkTimer: ReturnType<typeof setTimeout> | undefined;

  static override styles = [sharedStyles, schemaFormStyles];

  override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("schema")) {
      this.#form = describeForm(this.schema);
      this.#check = compile(this.schema);
      this.#startAnew();
    }
    // Another value from outside: what was typed belongs to the old one.
    if (changed.has("value") && this.value !== this.#emitted) this.#startAnew();
    if (changed.has("issues")) this.#serverIssues = placeIssues(this.issues);
    if (changed.has("value") || changed.has("secrets")) {
      clearTimeout(this.#checkTimer);
      this.#checkTimer = setTimeout(() => void this.#checkNow(), checkDelayMs);
    }
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#checkTimer);
  }

  /** Checks the value now, shows every issue and moves to the first one; whether there is none. */
  async validate(): Promise<boolean> {
    this.showsAll = true;
    await this.#checkNow();
    if (this.found.size === 0) return true;
    void this.updateComplete.then(() => this.#focusFirst());
    return false;
  }

  /** Moves to the first field with an issue. */
  focusIssue(): void {
    void this.updateComplete.then(() => this.#focusFirst());
  }

  override render() {
    const unplaced = this.#unplaced();
    return html`
      ${unplaced.length === 0 ? nothing : html`
        <p class="issue" role="alert">${unplaced.join("; ")}</p>
      `}
      ${renderField(this.#form, [], { scope: this.#scope() })}
    `;
  }

  #scope(): FieldScope {
    return {
      disabled: this.disabled,
      value: (path) => valueAt(this.value, path),
      draft: (path) => this.#drafts.get(pointerOf(path))?.text,
      issue: (path) => this.#issueAt(pointerOf(path)),
      changed: (path) =>
        this.baseline !== undefined && path.length > 0 &&
        !sameJson(valueAt(this.value, path), valueAt(this.baseline, path)),
      set: (path, value) => {
        this.#drafts.delete(pointerOf(path));
        this.#emit(path, value);
      },
      setDraft: (path, text, parsed) => {
        const issue = "issue" in parsed ? parsed.issue : undefined;
        this.#drafts.set(pointerOf(path), { text, issue });
        if ("value" in parsed) this.#emit(path, parsed.value);
        else this.#tell(this.value, this.secrets?.changes ?? {});
      },
      touch: (path) => {
        this.#touched.add(pointerOf(path));
        this.requestUpdate();
      },
      secret: (field, path) => this.#renderSecret(field, path),
    };
  }

  #renderSecret(field: FormField, path: FieldPath): TemplateResult | undefined {
    const { secrets } = this;
    if (secrets === undefined || path.length !== 1) return undefined;
    const { name, title } = field;
    const change = Object.hasOwn(secrets.changes, name) ? secrets.changes[name] : undefined;
    const stored = secrets.stored.includes(name);
    const keep = (next: string | null | undefined) => {
      const { [name]: _, ...others } = secrets.changes;
      this.#tell(this.value, next === undefined ? others : { ...others, [name]: next });
    };
    const issue = this.#issueAt(pointerOf(path));
    const note = html`
      <span class="description" dir="auto">${field.description}</span>
      ${issue === undefined ? nothing : html`<span class="issue">${issue}.</span>`}
    `;
    if (typeof change === "string") {
      return html`
        <div class="field">
          <wa-input
            type="password" password-toggle autocomplete="new-password" .value=${change}
            ?disabled=${this.disabled}
            @input=${(event: Event) => keep((event.target as HTMLInputElement).value)}
          >
            <span slot="label"><span class="title" dir="auto">${title}</span
              ><span class="mark changed">changed</span></span>
            <div slot="hint">${note}</div>
          </wa-input>
          <div class="under">${smallButton("Cancel", {
            label: title,
            click: () => keep(undefined),
          })}</div>
        </div>
      `;
    }
    const words = change === null
      ? "Will be removed when you save"
      : stored
      ? "Set; it is never shown again"
      : "Not set";
    return html`
      <div class="field" role="group" aria-label=${title}>
        <div><span class="title" dir="auto">${title}</span>${change === null
          ? html`<span class="mark changed">changed</span>`
          : nothing}</div>
        <div class="under">
          <span class="secret"><wa-icon name="key"></wa-icon> ${words}</span>
          ${change === null
            ? smallButton("Keep it", { label: title, click: () => keep(undefined) })
            : smallButton(stored ? "Replace" : "Set", { label: title, click: () => keep("") })}
          ${stored && change !== null
            ? smallButton("Remove", { label: title, click: () => keep(null) })
            : nothing}
        </div>
        ${note}
      </div>
    `;
  }

  #emit(path: FieldPath, value: unknown): void {
    for (const pointer of [...this.#serverIssues.keys()]) {
      if (pointer.startsWith(pointerOf(path))) this.#serverIssues.delete(pointer);
    }
    let next = withValue(this.value, path, value);
    // An optional group that became empty again is not there at all.
    for (let end = path.length - 1; value === undefined && end > 0; end--) {
      const parent = path.slice(0, end);
      if (!isEmptyObject(valueAt(next, parent)) || fieldAt(this.#form, parent)?.required) break;
      next = withValue(next, parent, undefined);
    }
    this.#tell(next, this.secrets?.changes ?? {});
  }

  #tell(value: unknown, secrets: FormSecrets["changes"]): void {
    this.#emitted = value;
    const incomplete = [...this.#drafts.values()].some(({ issue }) => issue !== undefined);
    const detail: FormChange = { value, secrets, incomplete };
    this.dispatchEvent(new CustomEvent("bkg-form-change", { detail }));
    this.requestUpdate();
  }

  async #checkNow(): Promise<void> {
    clearTimeout(this.#checkTimer);
    this.found = this.#findIssues(await this.#check);
  }

  #findIssues(check: CheckValue | undefined): Map<string, string> {
    const found = new Map<string, string>();
    for (const [pointer, { issue }] of this.#drafts) {
      if (issue !== undefined) found.set(pointer, issue);
    }
    if (check === undefined) return found;
    const { value, unknown } = this.#withSecrets();
    for (const [pointer, message] of placeIssues(check(value))) {
      if (!unknown.has(pointer) && !found.has(pointer)) found.set(pointer, message);
    }
    return found;
  }

  /** Stored secrets take part in the check as if they were good: nobody here knows them. */
  #withSecrets(): { value: unknown; unknown: Set<string> } {
    const unknown = new Set<string>();
    let { value } = this;
    if (this.secrets === undefined) return { value, unknown };
    const { stored, changes } = this.secrets;
    for (const name of new Set([...stored, ...Object.keys(changes)])) {
      const change = Object.hasOwn(changes, name) ? changes[name] : undefined;
      if (change === null) continue;
      if (change === undefined) unknown.add(pointerOf([name]));
      value = withValue(value, [name], change ?? "");
    }
    return { value, unknown };
  }

  #issueAt(pointer: string): string | undefined {
    const server = this.#serverIssues.get(pointer);
    if (server !== undefined) return server;
    const draft = this.#drafts.get(pointer)?.issue;
    const issue = draft ?? this.found.get(pointer);
    return this.showsAll || this.#touched.has(pointer) ? issue : undefined;
  }

  /** Issues of places that have no field of their own. */
  #unplaced(): string[] {
    const all = new Map([...(this.showsAll ? this.found : []), ...this.#serverIssues]);
    const lines = [];
    for (const [pointer, message] of all) {
      if (pointer !== "" && fieldAt(this.#form, partsOf(pointer)) === undefined) {
        lines.push(`${pointer}: ${message}`);
      }
    }
    return lines;
  }

  #focusFirst(): void {
    const first = this.renderRoot.querySelector<HTMLElement>(".invalid, .issue");
    first?.focus();
    first?.scrollIntoView({ block: "center", behavior: "instant" });
  }

  #startAnew(): void {
    this.#drafts.clear();
    this.#touched.clear();
    this.showsAll = false;
  }
}

/** Long enough that a costly check does not run at each key. */
const checkDelayMs = 200;

async function compile(schema: JsonSchema): Promise<CheckValue | undefined> {
  try {
    const { compileSchema } = await import("../../plugins/runtime/contract/schema.ts");
    return compileSchema(schema, "form");
  } catch {
    // Not loaded, or a schema that the server refuses too: it has the last word anyway.
    return undefined;
  }
}

function smallButton(text: string, { label, click }: { label: string; click: () => void }) {
  return html`
    <wa-button size="xs" appearance="outlined" @click=${click}
    >${text}<span class="visually-hidden"> ${label}</span></wa-button>
  `;
}

/** The field that shows the place, or the JSON text that holds it. */
function fieldAt(form: FormField, path: FieldPath): FormField | undefined {
  let field: FormField | undefined = form;
  for (const part of path) {
    if (field === undefined || field.kind === "json") return field;
    if (field.kind === "list") field = field.item;
    else if (field.kind === "group") field = field.fields.find(({ name }) => name === part);
    else return undefined;
  }
  return field;
}

function partsOf(pointer: string): string[] {
  return pointer.split("/").slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.keys(value).length === 0;
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-schema-form": BkgSchemaForm;
  }
  interface HTMLElementEventMap {
    "bkg-form-change": CustomEvent<FormChange>;
  }
}
