import assert from "node:assert/strict";
import { compileSchema } from "../../plugins/runtime/contract/schema.ts";
import {
  fits,
  initialValue,
  parseJsonText,
  parseNumber,
  placeIssues,
  pointerOf,
  sameJson,
  valueAt,
  withValue,
} from "./form_values.ts";
import { describeForm } from "./schema_form_model.ts";

Deno.test("withValue changes a copy and keeps what it does not know", () => {
  const before = { model: "tiny", other: [1, { deep: true }], list: ["a", "b", "c"] };
  const text = JSON.stringify(before);
  assert.deepEqual(withValue(before, ["other", 1, "deep"], 5), {
    ...before,
    other: [1, { deep: 5 }],
  });
  assert.deepEqual(withValue(before, ["list", 1], undefined), { ...before, list: ["a", "c"] });
  assert.deepEqual(withValue(before, ["model"], undefined), {
    other: before.other,
    list: before.list,
  });
  assert.deepEqual(withValue({}, ["a", "b"], 1), { a: { b: 1 } });
  assert.deepEqual(Object.keys(withValue(before, ["other"], 1) as object), [
    "model",
    "other",
    "list",
  ]);
  assert.equal(JSON.stringify(before), text);
});

Deno.test("withValue and valueAt take names of Object.prototype for plain names", () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    assert.equal(valueAt({}, [name]), undefined);
    const value = withValue({}, [name], { x: 1 });
    assert.equal(JSON.stringify(value), `{"${name}":{"x":1}}`);
    assert.deepEqual(valueAt(value, [name, "x"]), 1);
  }
  assert.equal(({} as { x?: number }).x, undefined);
});

Deno.test("parseNumber takes decimal numbers alone", () => {
  for (const text of ["1", "-2.5", "+.5", "1e3", " 7 "]) {
    assert.equal(parseNumber(text), Number(text));
  }
  assert.equal(parseNumber("  "), undefined);
  for (const text of ["0x10", "1,5", "e", "Infinity", "--1", "1 2"]) {
    assert.ok(Number.isNaN(parseNumber(text)), text);
  }
});

Deno.test("parseJsonText says why a text is no JSON", () => {
  assert.deepEqual(parseJsonText('{"a":[1]}'), { value: { a: [1] } });
  assert.match((parseJsonText("{") as { issue: string }).issue, /^is not JSON/);
});

Deno.test("placeIssues puts each issue of the checker at its field", () => {
  const check = compileSchema({
    type: "object",
    properties: {
      threads: { type: "integer", minimum: 1 },
      inner: { type: "object", required: ['a/b~"c'] },
    },
    required: ["model"],
    additionalProperties: false,
  }, "demo");
  const placed = placeIssues(check({ threads: 0, inner: {}, more: 1 }));
  assert.equal(placed.get("/threads"), "must be at least 1");
  assert.equal(placed.get("/model"), "is required");
  assert.equal(placed.get(pointerOf(["inner", 'a/b~"c'])), "is required");
  assert.match(placed.get("") ?? "", /unknown field "more"/);
});

Deno.test("sameJson does not look at the order of properties, and ends on what is too deep", () => {
  assert.ok(sameJson({ a: 1, b: [2] }, { b: [2], a: 1 }));
  assert.ok(!sameJson({ a: 1 }, { a: "1" }));
  assert.ok(!sameJson(undefined, null));
  let deep: unknown = [];
  for (let level = 0; level < 100_000; level++) deep = [deep];
  assert.ok(!sameJson(deep, [deep]));
});

Deno.test("fits refuses what a field could not show without loss", () => {
  const form = describeForm({
    properties: {
      text: { type: "string" },
      mode: { enum: ["a"] },
      list: { type: "array", items: { type: "string" }, maxItems: 2 },
    },
  });
  assert.ok(form.kind === "group");
  const [text, mode, list] = form.fields;
  assert.ok(text !== undefined && mode !== undefined && list !== undefined);
  assert.ok(fits(text, "x") && fits(text, undefined) && !fits(text, 1) && !fits(text, null));
  assert.ok(fits(mode, "a") && !fits(mode, "b"));
  assert.ok(fits(list, ["a"]) && !fits(list, ["a", "b", "c"]));
});

Deno.test("initialValue has required fields alone", () => {
  const form = describeForm({
    required: ["text", "count"],
    properties: {
      text: { type: "string", examples: ["hello"] },
      count: { type: "integer", minimum: 3 },
      more: { type: "string", default: "left to the plugin" },
    },
  });
  assert.deepEqual(initialValue(form), { text: "hello", count: 3 });
});
