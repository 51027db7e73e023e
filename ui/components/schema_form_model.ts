// What a form shows for a JSON Schema. The schema is a plugin's: depth, fields and texts are capped, cycles end,
// and what no field fits becomes one JSON text. Callers: bkg-schema-form, tests.

import type { JsonSchema } from "../../plugins/runtime/contract/capability.ts";
import { toPlainLines, toPlainText } from "../../plugins/runtime/contract/plain_text.ts";

export interface FieldFacts {
  /** The property's own name; "" for the whole and for items. */
  name: string;
  title: string;
  description: string;
  required: boolean;
  /** `writeOnly`: never shown again once it was stored. */
  secret: boolean;
  /** Undefined when the schema gives none. */
  defaultValue: unknown;
  /** The first of the schema's examples. */
  example: unknown;
}

export type FieldKind =
  | {
    kind: "text";
    multiline: boolean;
    format: "text" | "email" | "url" | "date";
    minLength: number | undefined;
    maxLength: number | undefined;
  }
  | {
    kind: "number";
    integer: boolean;
    min: number | undefined;
    max: number | undefined;
    step: number | undefined;
  }
  | { kind: "flag" }
  | { kind: "choice"; options: { label: string; value: unknown }[] }
  | { kind: "list"; item: FormField; minItems: number; maxItems: number }
  | { kind: "group"; fields: FormField[] }
  /** Edited as JSON text; `reason` says why. */
  | { kind: "json"; reason: string };

export type FormField = FieldFacts & FieldKind;

export const formCaps = { depth: 5, fields: 200, properties: 60, options: 100, items: 50 } as const;

/** The form of `schema`; never throws, whatever the schema is. */
export function describeForm(schema: JsonSchema): FormField {
  const root: Scope = { root: schema, fieldsLeft: formCaps.fields };
  return describe(schema, { name: "", required: true, depth: 0, refs: [] }, root);
}

interface Scope {
  root: unknown;
  fieldsLeft: number;
}

interface Place {
  name: string;
  required: boolean;
  depth: number;
  /** `$ref`s on the way here: one that comes again is a cycle. */
  refs: readonly string[];
}

type Keywords = Record<string, unknown>;

function describe(schema: unknown, place: Place, scope: Scope): FormField {
  scope.fieldsLeft--;
  const resolved = resolve(schema, place, scope);
  const facts = factsOf(resolved.schema, place);
  const next = { ...place, refs: resolved.refs };
  const kind: FieldKind = resolved.problem === undefined
    ? kindOf(resolved.schema, next, scope)
    : { kind: "json", reason: resolved.problem };
  return { ...facts, ...kind };
}

function kindOf(schema: Keywords, place: Place, scope: Scope): FieldKind {
  const choice = choiceOf(schema);
  if (choice !== undefined) return choice;
  switch (typeOf(schema)) {
    case "string":
      return textOf(schema);
    case "integer":
      return numberOf(schema, true);
    case "number":
      return numberOf(schema, false);
    case "boolean":
      return { kind: "flag" };
    case "array":
      return listOf(schema, place, scope);
    case "object":
      return groupOf(schema, place, scope);
    default:
      return { kind: "json", reason: "It may have more than one form" };
  }
}

function textOf(schema: Keywords): FieldKind {
  const maxLength = count(schema["maxLength"]);
  const multiline = (maxLength ?? 0) > 1000 || schema["contentMediaType"] !== undefined;
  const format = schema["format"];
  return {
    kind: "text",
    multiline,
    format: format === "email" || format === "date" ? format : format === "uri" ? "url" : "text",
    minLength: count(schema["minLength"]),
    maxLength,
  };
}

function numberOf(schema: Keywords, integer: boolean): FieldKind {
  const step = finite(schema["multipleOf"]);
  const above = finite(schema["exclusiveMinimum"]);
  const below = finite(schema["exclusiveMaximum"]);
  return {
    kind: "number",
    integer,
    // Without a step of its own only whole numbers have a next one, so an open end is left to the check.
    min: finite(schema["minimum"]) ?? (integer && above !== undefined ? above + 1 : undefined),
    max: finite(schema["maximum"]) ?? (integer && below !== undefined ? below - 1 : undefined),
    step: step !== undefined && step > 0 ? step : integer ? 1 : undefined,
  };
}

function listOf(schema: Keywords, place: Place, scope: Scope): FieldKind {
  const { items } = schema;
  if (!isRecord(items) || schema["prefixItems"] !== undefined) {
    return { kind: "json", reason: "Its items may have any form" };
  }
  const tooMuch = excess(place, scope);
  if (tooMuch !== undefined) return { kind: "json", reason: tooMuch };
  return {
    kind: "list",
    item: describe(items, { ...place, name: "", required: true, depth: place.depth + 1 }, scope),
    minItems: count(schema["minItems"]) ?? 0,
    maxItems: Math.min(count(schema["maxItems"]) ?? formCaps.items, formCaps.items),
  };
}

function groupOf(schema: Keywords, place: Place, scope: Scope): FieldKind {
  const { properties } = schema;
  if (!isRecord(properties)) {
    // The whole of a capability that takes nothing: a form without fields says so better than "{}".
    if (schema["additionalProperties"] === false) return { kind: "group", fields: [] };
    return { kind: "json", reason: "Its fields may have any name" };
  }
  const names = Object.keys(properties).filter((name) => name !== "__proto__");
  if (names.length > formCaps.properties) {
    return { kind: "json", reason: `It has ${names.length} fields` };
  }
  const tooMuch = excess(place, scope) ??
    (names.length > scope.fieldsLeft ? "The form has too many fields" : undefined);
  if (tooMuch !== undefined) return { kind: "json", reason: tooMuch };
  const required = Array.isArray(schema["required"]) ? new Set<unknown>(schema["required"]) : none;
  return {
    kind: "group",
    fields: names.map((name) =>
      describe(properties[name], {
        name,
        required: required.has(name),
        depth: place.depth + 1,
        refs: place.refs,
      }, scope)
    ),
  };
}

const none: ReadonlySet<unknown> = new Set();

function excess(place: Place, scope: Scope): string | undefined {
  if (place.depth >= formCaps.depth) return "It is nested too deeply for a form";
  if (scope.fieldsLeft <= 0) return "The form has too many fields";
  return undefined;
}

function choiceOf(schema: Keywords): FieldKind | undefined {
  const values = choiceValues(schema);
  if (values === undefined) return undefined;
  if (values.length > formCaps.options) {
    // A long list of words is still a text; the check tells a wrong one.
    return values.every(({ value }) => typeof value === "string")
      ? textOf({})
      : { kind: "json", reason: `It has ${values.length} possible values` };
  }
  return {
    kind: "choice",
    options: values.map(({ value, title }) => ({ value, label: plainTitle(title) || show(value) })),
  };
}

function choiceValues(schema: Keywords): { value: unknown; title?: unknown }[] | undefined {
  if (Object.hasOwn(schema, "const")) return [{ value: schema["const"] }];
  const listed = schema["enum"];
  if (Array.isArray(listed)) return listed.map((value: unknown) => ({ value }));
  const forms = schema["oneOf"] ?? schema["anyOf"];
  if (!Array.isArray(forms) || forms.length === 0) return undefined;
  const constants = forms.every((form) => isRecord(form) && Object.hasOwn(form, "const"));
  if (!constants) return undefined;
  return (forms as Keywords[]).map((form) => ({ value: form["const"], title: form["title"] }));
}

function typeOf(schema: Keywords): unknown {
  const { type } = schema;
  if (Array.isArray(type)) {
    const types = type.filter((name) => name !== "null");
    return types.length === 1 ? types[0] : undefined;
  }
  if (type !== undefined) return type;
  if (isRecord(schema["properties"])) return "object";
  return isRecord(schema["items"]) ? "array" : undefined;
}

/** Follows local `$ref`s, whose neighbours win; what cannot be followed is a problem for a form, not an error. */
function resolve(
  schema: unknown,
  place: Place,
  scope: Scope,
): { schema: Keywords; refs: readonly string[]; problem?: string } {
  let current = isRecord(schema) ? schema : {};
  let { refs } = place;
  while (typeof current["$ref"] === "string") {
    const { $ref, ...rest } = current;
    const pointer = $ref as string;
    if (refs.includes(pointer)) return { schema: rest, refs, problem: "It holds itself" };
    refs = [...refs, pointer];
    const target = pointedAt(scope.root, pointer);
    if (target === undefined || refs.length > 20) {
      return { schema: rest, refs, problem: "Its form is described elsewhere" };
    }
    current = { ...target, ...rest };
  }
  return { schema: current, refs };
}

function pointedAt(root: unknown, pointer: string): Keywords | undefined {
  if (pointer === "#") return isRecord(root) ? root : undefined;
  if (!pointer.startsWith("#/")) return undefined;
  let value: unknown = root;
  for (const part of pointer.slice(2).split("/").slice(0, 64)) {
    const key = unescapePart(part);
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Keywords)[key];
  }
  return isRecord(value) ? value : undefined;
}

function unescapePart(part: string): string {
  const plain = part.replaceAll("~1", "/").replaceAll("~0", "~");
  try {
    return decodeURIComponent(plain);
  } catch {
    return plain;
  }
}

function factsOf(schema: Keywords, { name, required }: Place): FieldFacts {
  const { description, examples } = schema;
  return {
    name,
    title: plainTitle(schema["title"]) || toPlainText(name, maxTitleBytes),
    description: typeof description === "string"
      ? toPlainLines(description.slice(0, maxDescriptionChars))
      : "",
    required,
    secret: schema["writeOnly"] === true,
    defaultValue: schema["default"],
    example: Array.isArray(examples) ? examples[0] : undefined,
  };
}

const maxTitleBytes = 120;
const maxDescriptionChars = 600;

function plainTitle(title: unknown): string {
  return typeof title === "string" ? toPlainText(title, maxTitleBytes) : "";
}

function show(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? "null";
  return text === "" ? "(empty)" : toPlainText(text, maxTitleBytes);
}

function finite(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function count(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? value as number : undefined;
}

function isRecord(value: unknown): value is Keywords {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
