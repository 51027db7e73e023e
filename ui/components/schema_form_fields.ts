// The template of each kind of field. What happens to a field goes through `FieldScope`; nothing is kept here.
// Caller: bkg-schema-form.

import { html, nothing, type TemplateResult } from "lit";
import "@awesome.me/webawesome/dist/components/button/button.js";
import "@awesome.me/webawesome/dist/components/input/input.js";
import "@awesome.me/webawesome/dist/components/option/option.js";
import "@awesome.me/webawesome/dist/components/select/select.js";
import "@awesome.me/webawesome/dist/components/switch/switch.js";
import "@awesome.me/webawesome/dist/components/textarea/textarea.js";
import { toPlainText } from "../../plugins/runtime/contract/plain_text.ts";
import {
  type FieldPath,
  fits,
  initialValue,
  parseJsonText,
  parseNumber,
  sameJson,
} from "./form_values.ts";
import type { FormField } from "./schema_form_model.ts";
import "./icons.ts";

export interface FieldScope {
  value(path: FieldPath): unknown;
  /** What was typed and is no value yet. */
  draft(path: FieldPath): string | undefined;
  /** Why the field is not good, once it is time to say so. */
  issue(path: FieldPath): string | undefined;
  changed(path: FieldPath): boolean;
  /** Undefined removes it. */
  set(path: FieldPath, value: unknown): void;
  setDraft(path: FieldPath, text: string, parsed: { value: unknown } | { issue: string }): void;
  /** The field was left. */
  touch(path: FieldPath): void;
  /** The field of a stored secret; undefined where secrets are plain values. */
  secret(field: FormField, path: FieldPath): TemplateResult | undefined;
  disabled: boolean;
}

/** One field with all that is in it; `label` is for items, which have no name. */
export function renderField(
  field: FormField,
  path: FieldPath,
  { scope, label = field.title }: { scope: FieldScope; label?: string },
): TemplateResult {
  const secret = field.secret ? scope.secret(field, path) : undefined;
  if (secret !== undefined) return secret;
  const value = scope.value(path);
  const shown = fits(field, value)
    ? field
    : { ...field, kind: "json" as const, reason: "Its value has another form" };
  const view = { field: shown, path, scope, label, value };
  if (shown.kind === "group") return renderGroup({ ...view, field: shown });
  if (shown.kind === "list") return renderList({ ...view, field: shown });
  return html`
    <div class="field" ?data-wide=${isWide(shown, value)}>
      ${control(view)}
      <div class="under">${resetButton(view)}</div>
    </div>
  `;
}

/** What needs the whole width: text of several lines. */
function isWide(field: FormField, value: unknown): boolean {
  return field.kind === "json" ||
    (field.kind === "text" && (field.multiline || String(value ?? "").includes("\n")));
}

interface View<Field extends FormField = FormField> {
  field: Field;
  path: FieldPath;
  scope: FieldScope;
  label: string;
  value: unknown;
}

type Of<Kind extends FormField["kind"]> = Extract<FormField, { kind: Kind }>;

function control(view: View): TemplateResult {
  const { field } = view;
  switch (field.kind) {
    case "text":
      return renderText({ ...view, field });
    case "number":
      return renderNumber({ ...view, field });
    case "flag":
      return field.required || field.defaultValue !== undefined
        ? renderSwitch(view)
        : renderChoice({ ...view, field: { ...field, kind: "choice", options: yesAndNo } });
    case "choice":
      return renderChoice({ ...view, field });
    default:
      return renderJson(view);
  }
}

const yesAndNo = [{ label: "Yes", value: true }, { label: "No", value: false }];

function renderText(view: View<Of<"text">>): TemplateResult {
  const { field, path, scope, value } = view;
  const text = typeof value === "string" ? value : "";
  // Without a default an empty optional field says nothing at all.
  const keepsEmpty = field.required || field.defaultValue !== undefined;
  const set = (event: Event) => {
    const typed = valueOf(event);
    scope.set(path, typed === "" && !keepsEmpty ? undefined : typed);
  };
  // A line break cannot be typed into one line, and would be lost there.
  if (field.multiline || text.includes("\n")) {
    return html`
      <wa-textarea
        class=${invalidClass(view)} rows=${path.length > 1 ? 2 : 4} resize="auto"
        ?disabled=${scope.disabled} .value=${text} placeholder=${placeholder(view)}
        @input=${set} @blur=${() => scope.touch(path)}
      >${labelOf(view)}${hintOf(view)}</wa-textarea>
    `;
  }
  return html`
    <wa-input
      class=${invalidClass(view)} type=${field.secret ? "password" : field.format}
      ?password-toggle=${field.secret} autocomplete=${field.secret ? "new-password" : "off"}
      ?disabled=${scope.disabled} .value=${text} placeholder=${placeholder(view)}
      @input=${set} @blur=${() => scope.touch(path)}
    >${labelOf(view)}${hintOf(view)}</wa-input>
  `;
}

function renderNumber(view: View<Of<"number">>): TemplateResult {
  const { field, path, scope, value } = view;
  const text = scope.draft(path) ?? (typeof value === "number" ? String(value) : "");
  return html`
    <wa-input
      class=${invalidClass(view)} type="number" inputmode=${field.integer ? "numeric" : "decimal"}
      min=${field.min ?? nothing} max=${field.max ?? nothing} step=${field.step ??
        "any"} autocomplete="off"
      ?disabled=${scope.disabled} .value=${text} placeholder=${placeholder(view)}
      @input=${(event: Event) => {
        const typed = valueOf(event);
        const number = parseNumber(typed);
        scope.setDraft(
          path,
          typed,
          Number.isNaN(number) ? { issue: "must be a number" } : { value: number },
        );
      }} @blur=${() => scope.touch(path)}
    >${labelOf(view)}${hintOf(view)}</wa-input>
  `;
}

function renderSwitch(view: View): TemplateResult {
  const { path, scope, value } = view;
  return html`
    <wa-switch
      class=${invalidClass(view)} ?disabled=${scope.disabled} .checked=${value === true}
      @change=${(event: Event) => {
        scope.set(path, (event.target as HTMLInputElement).checked);
        scope.touch(path);
      }}
    ><span class="title" dir="auto">${view.label}</span>${tags(view)}${hintOf(view)}</wa-switch>
  `;
}

function renderChoice(view: View<Of<"choice">>): TemplateResult {
  const { field, path, scope, value } = view;
  const index = field.options.findIndex((option) => sameJson(option.value, value));
  const mayLack = !field.required || value === undefined;
  return html`
    <wa-select
      class=${invalidClass(view)} ?disabled=${scope.disabled}
      .value=${index < 0 ? "none" : `option-${index}`}
      @change=${(event: Event) => {
        const chosen = /^option-(\d+)$/.exec(valueOf(event))?.[1];
        scope.set(path, chosen === undefined ? undefined : field.options[Number(chosen)]?.value);
        scope.touch(path);
      }}
    >
      ${labelOf(view)}${hintOf(view)}
      ${mayLack ? html`<wa-option value="none">Not set</wa-option>` : nothing}
      ${field.options.map((option, at) =>
        html`
          <wa-option value=${`option-${at}`}>${option.label}</wa-option>
        `
      )}
    </wa-select>
  `;
}

function renderJson(view: View): TemplateResult {
  const { field, path, scope, value } = view;
  const text = scope.draft(path) ??
    (value === undefined ? "" : JSON.stringify(value, undefined, 2));
  const reason = field.kind === "json" ? `${field.reason}, so it is written as JSON.` : undefined;
  return html`
    <wa-textarea
      class=${`code ${invalidClass(view)}`} rows="5" resize="auto" spellcheck="false"
      ?disabled=${scope.disabled} .value=${text} placeholder=${field.required ? "" : "Not set"}
      @input=${(event: Event) => {
        const typed = valueOf(event);
        const parsed = typed.trim() === "" ? { value: undefined } : parseJsonText(typed);
        scope.setDraft(path, typed, parsed);
      }} @blur=${() => scope.touch(path)}
    >${labelOf(view)}${hintOf(view, reason)}</wa-textarea>
  `;
}

function renderGroup(view: View<Of<"group">>): TemplateResult {
  const { field, path, scope } = view;
  const fields = html`
    <div class="fields">
      ${field.fields.map((inner) => renderField(inner, [...path, inner.name], { scope }))}
      ${field.fields.length === 0
        ? html`<p class="quiet">There is nothing to fill in.</p>`
        : nothing}
    </div>
  `;
  if (path.length === 0) return html`${issueOf(view)}${fields}`;
  return html`
    <fieldset>
      <legend><span dir="auto">${view.label}</span>${tags(view)}</legend>
      <div class="items"><div class="note">${noteOf(view)}</div>${fields}</div>
    </fieldset>
  `;
}

function renderList(view: View<Of<"list">>): TemplateResult {
  const { field, path, scope, label } = view;
  const items = Array.isArray(view.value) ? view.value : [];
  const set = (next: unknown[]) =>
    scope.set(
      path,
      next.length === 0 && !field.required && field.defaultValue === undefined ? undefined : next,
    );
  return html`
    <fieldset>
      <legend><span dir="auto">${label || "Items"}</span>${tags(view)}</legend>
      <div class="items">
        ${noteOf(view)}
        ${items.map((_, index) =>
          html`
            <div class="item">
              ${renderField(field.item, [...path, index], {
                scope,
                label: `${label} ${index + 1}`.trim(),
              })}
              <wa-button
                appearance="plain" size="s" ?disabled=${scope.disabled}
                @click=${() => set(items.filter((_, at) => at !== index))}
              ><wa-icon name="trash" label=${`Remove ${label} ${index + 1}`}></wa-icon></wa-button>
            </div>
          `
        )}
        <div class="under">
          <wa-button
            appearance="outlined" size="s"
            ?disabled=${scope.disabled || items.length >= field.maxItems}
            @click=${() => set([...items, initialValue(field.item)])}
          ><wa-icon slot="start" name="plus"></wa-icon>Add</wa-button>
          ${resetButton(view)}
        </div>
      </div>
    </fieldset>
  `;
}

function resetButton({ field, path, scope, value, label }: View) {
  const { defaultValue } = field;
  // An absent value is the default already.
  if (defaultValue === undefined || value === undefined || sameJson(value, defaultValue)) {
    return nothing;
  }
  return html`
    <wa-button
      appearance="plain" size="xs" ?disabled=${scope.disabled}
      @click=${() => scope.set(path, structuredClone(defaultValue))}
    ><wa-icon slot="start" name="restart"></wa-icon>Reset<span class="visually-hidden"> ${label}</span>
      to ${shortJson(defaultValue)}</wa-button>
  `;
}

function labelOf(view: View) {
  return html`
    <span slot="label"
    ><span class="title" dir="auto">${view.label || "Input"}</span>${tags(view)}</span>
  `;
}

function tags({ field, path, scope }: View) {
  return html`${
    field.required && field.defaultValue === undefined && field.name !== ""
      ? html`<span class="mark">required</span>`
      : nothing
  }${scope.changed(path) ? html`<span class="mark changed">changed</span>` : nothing}`;
}

function hintOf(view: View, more?: string) {
  return html`<div slot="hint">${noteOf(view, more)}</div>`;
}

function noteOf(view: View, more?: string) {
  const { description, defaultValue } = view.field;
  return html`${
    description === "" ? nothing : html`<span class="description" dir="auto">${description}</span>`
  }${more === undefined ? nothing : html`<span class="description">${more}</span>`}${
    defaultValue === undefined || view.field.kind === "flag"
      ? nothing
      : html`<span class="description">Default: ${shortJson(defaultValue)}</span>`
  }${issueOf(view)}`;
}

function issueOf({ path, scope }: View) {
  const issue = scope.issue(path);
  return issue === undefined
    ? nothing
    : html`<span class="issue">${issue.charAt(0).toUpperCase() + issue.slice(1)}.</span>`;
}

function invalidClass({ path, scope }: View): string {
  return scope.issue(path) === undefined ? "" : "invalid";
}

function placeholder({ field }: View): string {
  if (field.secret || field.example === undefined || typeof field.example === "object") return "";
  return `such as ${toPlainText(String(field.example), 80)}`;
}

function shortJson(value: unknown): string {
  if (value === "") return "empty";
  return toPlainText(typeof value === "string" ? value : JSON.stringify(value), 60);
}

function valueOf(event: Event): string {
  return String((event.target as HTMLInputElement).value ?? "");
}
