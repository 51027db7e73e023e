import assert from "node:assert/strict";
import type { JsonSchema } from "../../plugins/runtime/contract/capability.ts";
import { compileSchema } from "../../plugins/runtime/contract/schema.ts";
import { initialValue } from "./form_values.ts";
import { describeForm, formCaps, type FormField } from "./schema_form_model.ts";

Deno.test("describeForm ends in JSON text where a schema holds itself", () => {
  const cycles: JsonSchema[] = [
    { $ref: "#" },
    { $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" },
    { type: "object", properties: { next: { $ref: "#" } } },
    { type: "array", items: { $ref: "#" } },
  ];
  for (const schema of cycles) {
    const fields = allFields(describeForm(schema));
    assert.ok(fields.some(({ kind }) => kind === "json"), JSON.stringify(schema));
    assert.ok(fields.length <= 10, JSON.stringify(schema));
  }
});

Deno.test("describeForm stays within its caps on hostile schemas, in little time", () => {
  let deep: JsonSchema = { type: "string" };
  for (let level = 0; level < 60; level++) {
    deep = { type: "object", properties: { a: deep, b: deep } };
  }
  const wide = object(1000, () => ({ type: "string" }));
  const bushy = object(50, () => object(50, () => object(50, () => ({ type: "string" }))));
  const doubling = {
    $defs: Object.fromEntries(
      Array.from({ length: 60 }, (_, level) => [`l${level}`, {
        type: "object",
        properties: {
          a: { $ref: `#/$defs/l${level + 1}` },
          b: { $ref: `#/$defs/l${level + 1}` },
        },
      }]),
    ),
    $ref: "#/$defs/l0",
  };
  const started = performance.now();
  for (const schema of [deep, wide, bushy, doubling]) {
    assert.ok(allFields(describeForm(schema)).length <= formCaps.fields + formCaps.properties);
  }
  assert.equal(describeForm(wide).kind, "json");
  assert.ok(performance.now() - started < 500, `${performance.now() - started} ms`);
});

Deno.test("describeForm shows a long list of words as a text, and other long lists as JSON", () => {
  const words = Array.from({ length: 10_000 }, (_, index) => `word ${index}`);
  assert.equal(describeForm({ enum: words }).kind, "text");
  assert.equal(describeForm({ enum: words.map((_, index) => index) }).kind, "json");
});

Deno.test("describeForm takes nonsense for keywords", () => {
  const nonsense: JsonSchema[] = [
    true,
    false,
    {},
    { type: 7, properties: 3, required: "x", title: {}, description: 4 },
    { type: "string", minLength: -1, maxLength: "many" },
    { type: "number", minimum: "low", multipleOf: 0 },
    { type: "object", properties: { "": true, a: false, b: null } },
    { $ref: "https://example.com/schema.json" },
    { $ref: "#/%E0%A4%A" },
    { oneOf: [] },
    { enum: [] },
    { type: "array", items: true },
  ];
  for (const schema of nonsense) {
    const form = describeForm(schema);
    initialValue(form);
    assert.ok(allFields(form).every(({ title }) => typeof title === "string"));
  }
});

Deno.test("describeForm cuts a plugin's texts and takes out what turns them around", () => {
  const form = describeForm({
    type: "string",
    title: `a\u202e${"b".repeat(500)}`,
    description: "c".repeat(100_000),
  });
  assert.ok(form.title.length <= 121 && !form.title.includes("\u202e"), form.title);
  assert.ok(form.description.length <= 600);
});

Deno.test("describeForm makes a field for each simple property", () => {
  const form = describeForm({
    type: "object",
    required: ["model"],
    properties: {
      model: { type: "string", title: "Model", minLength: 1, maxLength: 300 },
      prompt: { type: "string", maxLength: 10_000 },
      threads: { type: "integer", exclusiveMinimum: 0, maximum: 64, default: 4 },
      share: { type: "number", minimum: 0, multipleOf: 0.5 },
      quick: { type: "boolean" },
      mode: { enum: ["fast", "", 3] },
      size: { oneOf: [{ const: 1, title: "Small" }, { const: 2, title: "Large" }] },
      stop: { type: "array", items: { type: "string" }, maxItems: 4 },
      key: { type: ["string", "null"], writeOnly: true },
      inner: { type: "object", properties: { a: { $ref: "#/$defs/a", title: "Of here" } } },
      any: {},
    },
    $defs: { a: { type: "integer", title: "Of there" } },
  });
  const fields = new Map(allFields(form).map((field) => [field.name || "(root)", field]));
  assert.equal(form.kind, "group");
  assert.deepEqual(kinds(form), {
    model: "text",
    prompt: "text",
    threads: "number",
    share: "number",
    quick: "flag",
    mode: "choice",
    size: "choice",
    stop: "list",
    key: "text",
    inner: "group",
    any: "json",
  });
  const threads = fields.get("threads");
  assert.ok(threads?.kind === "number");
  assert.deepEqual([threads.min, threads.max, threads.step, threads.defaultValue], [1, 64, 1, 4]);
  const mode = fields.get("mode");
  assert.ok(mode?.kind === "choice");
  assert.deepEqual(mode.options.map(({ label }) => label), ["fast", "(empty)", "3"]);
  assert.equal(fields.get("key")?.secret, true);
  assert.equal(fields.get("a")?.title, "Of here");
  assert.equal(fields.get("model")?.required, true);
  const prompt = fields.get("prompt");
  assert.ok(prompt?.kind === "text" && prompt.multiline);
});

Deno.test("initialValue of the bundled plugin's forms passes their own schemas", async () => {
  const file = new URL("../../plugins/llmserver/plugin.json", import.meta.url);
  const { capabilities } = JSON.parse(await Deno.readTextFile(file)) as {
    capabilities: { id: string; inputSchema: JsonSchema }[];
  };
  assert.ok(capabilities.length > 0);
  for (const { id, inputSchema } of capabilities) {
    const value = initialValue(describeForm(inputSchema));
    assert.deepEqual(compileSchema(inputSchema, id)(value), [], id);
  }
});

function object(count: number, make: (index: number) => JsonSchema): JsonSchema {
  return {
    type: "object",
    properties: Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`field${index}`, make(index)]),
    ),
  };
}

function allFields(field: FormField): FormField[] {
  if (field.kind === "group") return [field, ...field.fields.flatMap(allFields)];
  return field.kind === "list" ? [field, ...allFields(field.item)] : [field];
}

function kinds(form: FormField): Record<string, string> {
  return form.kind === "group"
    ? Object.fromEntries(form.fields.map(({ name, kind }) => [name, kind]))
    : {};
}
