import assert from "node:assert/strict";
import { Validator } from "@cfworker/json-schema";
import type { JsonSchema } from "./capability.ts";
import type { AppError } from "./error.ts";
import { assertMatches, Budget, compileSchema, fillDefaults } from "./schema.ts";

const refusedSchemas: [string, JsonSchema, RegExp][] = [
  ["remote $ref", { $ref: "https://example.com/a.json" }, /must be local/],
  ["file $ref", { properties: { a: { $ref: "file:///etc/passwd" } } }, /must be local/],
  ["relative $ref", { $ref: "other.json#/a" }, /must be local/],
  ["remote $dynamicRef", { $dynamicRef: "https://example.com#a" }, /must be local/],
  ["a $ref to nothing", { $ref: "#/$defs/none" }, /is not there/],
  ["another draft", { $schema: "http://json-schema.org/draft-07/schema#" }, /2020-12/],
  ["a nested $id", { properties: { a: { $id: "https://example.com" } } }, /root alone/],
  ["a lookahead", { pattern: "(?=a)b" }, /RE2/],
  ["a back-reference", { patternProperties: { "(a)\\1": true } }, /RE2/],
  ["a pattern that explodes", { pattern: "((a{100}){100}){100}" }, /RE2/],
  ["a pattern that unrolls", { pattern: `(${"a".repeat(100)}){1000}` }, /too large/],
  ["items as a list", { items: [true] }, /prefixItems/],
  ["an unknown type", { type: "text" }, /"type" must be/],
  ["a negative length", { properties: { a: { maxLength: -1 } } }, /at "\/properties\/a"/],
  ["a broken definition", { $defs: { a: { minimum: "1" } } }, /must be a number/],
];

for (const [name, schema, message] of refusedSchemas) {
  Deno.test(`compileSchema refuses ${name}`, () => {
    assert.throws(
      () => compileSchema(schema, "demo"),
      (error: AppError) => error.code === "INVALID_MANIFEST" && message.test(error.message),
    );
  });
}

Deno.test("compileSchema refuses what is too deep or too large, without a stack overflow", () => {
  let deep: JsonSchema = true;
  for (let level = 0; level < 100_000; level++) deep = { not: deep };
  assert.throws(() => compileSchema(deep, "demo"), /nested deeper/);
  assert.throws(() => compileSchema({ enum: ["x".repeat(300_000)] }, "demo"), /characters/);
});

const messages: [JsonSchema, unknown, string, string][] = [
  [{ type: "string" }, 1, "", "must be a string"],
  [{ type: ["integer", "null"] }, 1.5, "", "must be an integer or null"],
  [{ type: "number" }, NaN, "", "must be a number"],
  [{ maxLength: 3 }, "four", "", "must be at most 3 characters"],
  [{ minLength: 1 }, "", "", "must be at least 1 character"],
  [{ required: ["text"] }, {}, "", 'must have the field "text"'],
  [
    { properties: { a: {} }, additionalProperties: false },
    { a: 1, x: 2 },
    "",
    'has the unknown field "x"',
  ],
  [{ properties: { "a/b": { minimum: 2 } } }, { "a/b": 1 }, "/a~1b", "must be at least 2"],
  [{ items: { enum: ["a", 1] } }, ["a", 1, "b"], "/2", 'must be one of "a", 1'],
  [{ const: { a: [1] } }, { a: [2] }, "", 'must be {"a":[1]}'],
  [{ multipleOf: 0.1 }, 0.35, "", "must be a multiple of 0.1"],
  [{ maxItems: 1 }, [1, 2], "", "must have at most 1 item"],
  [{ uniqueItems: true }, [{ a: 1, b: 2 }, { b: 2, a: 1 }], "", "must have no item twice"],
  [{ pattern: "^a+$" }, "b", "", 'must match the pattern "^a+$"'],
  [{ format: "email" }, "nobody", "", 'must have the format "email"'],
  [
    { anyOf: [{ type: "string" }, { type: "null" }] },
    1,
    "",
    "must be a string, or must be null",
  ],
  [
    { oneOf: [{ type: "string" }, { type: "object", properties: { n: { maximum: 1 } } }] },
    { n: 2 },
    "/n",
    "must be at most 1",
  ],
  [{ oneOf: [true, true] }, 1, "", "matches 2 of the allowed forms, must match one"],
  [{ propertyNames: { maxLength: 1 } }, { ab: 1 }, "/ab", "must be at most 1 character"],
  [{ not: { type: "null" } }, undefined, "", "has a form that is not allowed"],
  [
    { allOf: [{ properties: { a: true } }], unevaluatedProperties: false },
    { a: 1, b: 1 },
    "",
    'has the unknown field "b"',
  ],
  [false, 1, "", "is not allowed"],
];

for (const [schema, value, path, message] of messages) {
  Deno.test(`compileSchema says "${message}" for ${JSON.stringify(schema)}`, () => {
    assert.deepEqual(compileSchema(schema, "demo")(value), [{ path, message }]);
  });
}

Deno.test("compileSchema counts code points, and treats typed arrays as lists", () => {
  assert.equal(compileSchema({ maxLength: 2 }, "demo")("😀😀").length, 0);
  assert.equal(compileSchema({ maxLength: 2 }, "demo")("😀😀😀").length, 1);
  const vector = compileSchema({ type: "array", items: { type: "number" }, maxItems: 3 }, "demo");
  assert.deepEqual(vector(new Float32Array(3)), []);
  assert.equal(vector(new Float32Array(4)).length, 1);
});

Deno.test("compileSchema treats an undefined field as absent, as a pipe does", () => {
  const check = compileSchema({
    properties: { a: { type: "string" } },
    required: ["a"],
    additionalProperties: false,
  }, "demo");
  assert.equal(check({ a: undefined })[0]?.message, 'must have the field "a"');
  assert.deepEqual(check({ a: "x", b: undefined }), []);
});

Deno.test("compileSchema gives at most 20 issues", () => {
  const check = compileSchema({ items: { type: "string" } }, "demo");
  assert.equal(check(new Array(1000).fill(1)).length, 20);
});

Deno.test("compileSchema resolves local references, recursive and dynamic ones too", () => {
  const tree: JsonSchema = {
    $dynamicAnchor: "node",
    properties: { value: { $ref: "#/$defs/count" }, children: { items: { $dynamicRef: "#node" } } },
    $defs: { count: { type: "integer" } },
  };
  const check = compileSchema(tree, "demo");
  assert.deepEqual(check({ value: 1, children: [{ value: 2, children: [] }] }), []);
  assert.deepEqual(check({ children: [{ value: "2" }] }), [
    { path: "/children/0/value", message: "must be an integer" },
  ]);
});

const formatted: Record<string, string> = {
  uri: `http://a/${"é".repeat(2000)}`,
  email: `a@${"a.".repeat(120)}a`,
  hostname: `${"a.".repeat(120)}a`,
  "date-time": "2020-01-01T00:00:00.123456789Z",
  ipv6: "1:2:3:4:5:6:7:8",
};

const costly: [string, JsonSchema, () => unknown][] = [
  ["a $ref to itself", { $ref: "#" }, () => 1],
  ["a deep value under a recursive schema", { items: { $ref: "#" } }, () => nest(100_000)],
  ["branches that double at each level", doubling(40), () => 1],
  ["a product of list and branches", {
    items: { anyOf: Array.from({ length: 2000 }, (_, index) => ({ const: index + 1 })) },
  }, () => new Array(1_000_000).fill(0)],
  ["patterns over a long text", {
    allOf: Array.from({ length: 500 }, () => ({ pattern: "(a?){50}$" })),
  }, () => "a".repeat(1_000_000)],
  ["a pattern whose automaton explodes", { pattern: "[ab]*a[ab]{300}$" }, () => abText(300_000)],
  ["many patterns over short texts", {
    items: { allOf: times(5000, () => ({ pattern: "^a" })) },
  }, () => times(1000, () => "a")],
  ["unevaluatedProperties under branches that name one", {
    anyOf: times(1000, (i) => ({ properties: { [`a${i}`]: true } })),
    unevaluatedProperties: false,
  }, () => keys(20_000)],
  ["unevaluatedProperties under branches that take all", {
    allOf: times(1000, () => ({ additionalProperties: true })),
    unevaluatedProperties: false,
  }, () => keys(20_000)],
  ["unevaluatedItems over and over", {
    allOf: times(500, () => ({ unevaluatedItems: true })),
  }, () => times(100_000, () => 1)],
  ["uniqueItems over and over", {
    allOf: times(1000, () => ({ uniqueItems: true })),
  }, () => times(20_000, (i) => i)],
  ["uniqueItems of objects", { uniqueItems: true }, () => times(200_000, (i) => ({ b: i, a: 1 }))],
  ["many consts against a huge list", {
    anyOf: times(200, () => ({ const: [1] })),
  }, () => times(200_000, (i) => ({ a: i }))],
  ["many consts against a huge object", {
    anyOf: times(1000, () => ({ const: {} })),
  }, () => keys(20_000)],
  ["a const against a deep value", { const: [1] }, () => nest(100_000)],
  ["minProperties over and over", {
    allOf: times(1000, () => ({ minProperties: 1 })),
  }, () => keys(20_000)],
  ["properties over and over", {
    allOf: times(1000, (i) => ({ properties: { [`a${i}`]: true } })),
  }, () => keys(20_000)],
  ["properties over and over of small objects", {
    items: { allOf: times(5000, (i) => ({ properties: { [`a${i}`]: true } })) },
  }, () => times(1000, () => keys(60))],
  ["branches that fail at the first of many keys", {
    anyOf: times(5000, () => ({ additionalProperties: false })),
  }, () => keys(50_000)],
  ["patternProperties times keys", {
    patternProperties: Object.fromEntries(times(1000, (i) => [`^z${i}`, true])),
  }, () => keys(20_000)],
  ["propertyNames over and over", {
    allOf: times(500, () => ({ propertyNames: { maxLength: 20 } })),
  }, () => keys(20_000)],
  ["contains over and over", {
    allOf: times(100, () => ({ contains: true })),
    unevaluatedItems: false,
  }, () => times(100_000, () => 1)],
  ["long lists of required fields", {
    items: { required: times(10_000, (i) => `key${i}`) },
  }, () => new Array(10_000).fill(keys(10_000))],
  ["many dependentRequired", {
    items: { dependentRequired: Object.fromEntries(times(10_000, (i) => [`k${i}`, []])) },
  }, () => times(100_000, () => ({}))],
  ["a long list of equal types", {
    items: { type: times(20_000, () => "string") },
  }, () => new Array(100_000).fill(1)],
  ...["uri", "email", "hostname", "date-time", "ipv6"].map((
    format,
  ): [string, JsonSchema, () => unknown] => [
    `the format ${format} over and over`,
    { items: { allOf: times(5000, () => ({ not: { not: { format } } })) } },
    () => times(1000, () => formatted[format]),
  ]),
];

/** No measure of speed: what takes this long has no bound. */
const hangMs = 5000;

for (const [name, schema, value] of costly) {
  Deno.test(`compileSchema ends ${name} in an issue`, () => {
    const check = compileSchema(schema, "demo");
    const given = value();
    const start = performance.now();
    assert.match(check(given)[0]?.message ?? "", /too (deeply|large)|must be/);
    // About 100 ms by measure; without the budget, seconds to minutes.
    assert.ok(performance.now() - start < hangMs, `${performance.now() - start} ms`);
  });
}

Deno.test("compileSchema stays near linear on large values", () => {
  const start = performance.now();
  const unique = compileSchema({ uniqueItems: true }, "demo");
  assert.deepEqual(unique(Array.from({ length: 500_000 }, (_, index) => index)), []);
  const pattern = compileSchema({ pattern: "^(a+)+$" }, "demo");
  assert.equal(pattern("a".repeat(100_000) + "!").length, 1);
  const email = compileSchema({ format: "email" }, "demo");
  assert.equal(email("a@".repeat(1_000_000)).length, 1);
  assert.ok(performance.now() - start < hangMs);
});

Deno.test("compileSchema is not slowed by numbers and keys whose hashes collide in V8", () => {
  const numbers = collidingNumbers(30_000);
  const object = JSON.parse(`{${numbers.map((number) => `"${number}":1`).join(",")}}`);
  // Texts of up to 8 digits hash to their value: these share a bucket.
  const texts = JSON.parse(JSON.stringify(times(2000, (i) => String(i * 8192 + 8192 * 13))));
  const named = JSON.parse(`{${texts.map((text: string) => `"${text}":true`).join(",")}}`);
  const start = performance.now();
  const schemas: [JsonSchema, unknown][] = [
    [{ uniqueItems: true }, numbers],
    [{ items: { enum: numbers.slice(0, 20_000) } }, numbers.slice(0, 20_000)],
    [{ additionalProperties: true, unevaluatedProperties: false }, object],
    [
      { properties: Object.fromEntries(numbers.slice(0, 10_000).map((key) => [key, true])) },
      object,
    ],
    [{ items: { uniqueItems: true } }, times(50, () => texts)],
    [{ items: { enum: texts } }, times(100, () => texts).flat()],
    [{ items: { properties: named, unevaluatedProperties: false } }, times(50, () => named)],
  ];
  for (const [schema, value] of schemas) {
    assert.deepEqual(compileSchema(schema, "demo")(value), []);
  }
  const ms = performance.now() - start;
  assert.ok(ms < hangMs, `${ms} ms`);
});

Deno.test("compileSchema compares strings, numbers and objects by value, whatever holds them", () => {
  const unique = compileSchema({ uniqueItems: true }, "demo");
  const distinct = [1, "1", 123456, "123456", '"123456', true, "true", null, "null", {}, "{}", [], [
    {},
  ], 0.5];
  assert.deepEqual(unique(distinct), []);
  for (const item of distinct) assert.equal(unique([...distinct, item]).length, 1);
  const any = compileSchema({ enum: distinct }, "demo");
  for (const item of distinct) assert.deepEqual(any(item), []);
  for (const other of [2, "2", "123457", false, [[]], { a: 1 }, -0.5]) {
    assert.equal(any(other).length, 1);
  }
});

Deno.test("checks that share a budget cost no more than one", () => {
  const check = compileSchema({ items: { type: "integer" } }, "demo");
  const list = new Array(1_000_000).fill(1);
  const budget = new Budget();
  const issues = times(10, () => check(list, budget)[0]?.message);
  assert.equal(issues[0], undefined);
  assert.match(issues[9] ?? "", /too large/);
  assert.deepEqual(check(list), []);
});

Deno.test("compileSchema agrees with another validator on random schemas and values", () => {
  const next = seededRandom(7);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const values = [
    0,
    1,
    -1,
    2.5,
    "",
    "a",
    "abc",
    "1",
    true,
    null,
    [],
    [1, 1],
    ["a"],
    [{}, 2],
    {},
    {
      a: 1,
    },
    { a: "a", b: null },
    { b: [1], c: {} },
    { a: { a: 1 } },
  ] as const;
  const makeSchema = (depth: number): JsonSchema => {
    if (depth === 0) return pick([true, false, {}, { type: "string" }, { minimum: 1 }]);
    const inner = () => makeSchema(depth - 1);
    const makers: (() => JsonSchema)[] = [
      () => ({ type: pick(["object", "array", "string", "number", "integer", "null"]) }),
      () => ({ properties: { a: inner(), b: inner() } }),
      () => ({ properties: { a: inner() }, additionalProperties: inner() }),
      () => ({ required: [pick(["a", "b"])], maxProperties: 1 }),
      () => ({ items: inner(), minItems: 1 }),
      () => ({ prefixItems: [inner()], items: inner() }),
      () => ({ contains: inner() }),
      () => ({ anyOf: [inner(), inner()] }),
      () => ({ oneOf: [inner(), inner()] }),
      () => ({ allOf: [inner(), inner()] }),
      () => ({ not: inner() }),
      () => ({ if: inner(), then: inner(), else: inner() }),
      () => ({ enum: [pick(values), pick(values)] }),
      () => ({ uniqueItems: true, maxItems: 2 }),
      () => ({ minLength: 1, maxLength: 2 }),
      () => ({ dependentRequired: { a: ["b"] }, propertyNames: { maxLength: 1 } }),
      () => ({ dependentSchemas: { a: inner() } }),
    ];
    // At the root alone: the other validator lets an outer schema's annotations into an inner one.
    if (depth === 3 && next() < 0.2) {
      const some = { anyOf: [{ properties: { a: inner() } }, inner()] };
      return { ...some, unevaluatedProperties: false, unevaluatedItems: { type: "string" } };
    }
    return pick(makers)();
  };
  for (let round = 0; round < 3000; round++) {
    const schema = makeSchema(3);
    const other = new Validator(structuredClone(schema) as never, "2020-12");
    const check = compileSchema(schema, "demo");
    for (const value of values) {
      const expected = other.validate(value).valid;
      const message = `${JSON.stringify(schema)} on ${JSON.stringify(value)}`;
      assert.equal(check(value).length === 0, expected, message);
    }
  }
});

Deno.test("assertMatches throws with the issues in its details", () => {
  const check = compileSchema({ required: ["text"] }, "demo");
  assert.throws(
    () => assertMatches(check, {}, "INVALID_INPUT", 'Input of "demo.echo"'),
    (error: AppError) => {
      assert.equal(error.code, "INVALID_INPUT");
      assert.deepEqual(error.details, {
        issues: [{ path: "", message: 'must have the field "text"' }],
      });
      return /Input of "demo.echo" .*must have the field "text"/.test(error.message);
    },
  );
});

Deno.test("fillDefaults fills absent properties, nested ones too, and shares nothing", () => {
  const schema = {
    properties: {
      model: { type: "string", default: "tiny" },
      list: { default: [1] },
      nested: { properties: { threads: { default: 2 }, name: {} } },
      bare: { type: "string" },
    },
  };
  const filled = fillDefaults(schema, { model: "big", nested: { name: "x" } });
  assert.deepEqual(filled, { model: "big", list: [1], nested: { name: "x", threads: 2 } });
  const again = fillDefaults(schema, {}) as { list: number[] };
  again.list.push(2);
  assert.deepEqual(schema.properties.list.default, [1]);
  const hostile = JSON.parse('{"properties":{"__proto__":{"default":{"polluted":true}}}}');
  assert.equal((fillDefaults(hostile, {}) as { polluted?: boolean }).polluted, undefined);
});

function nest(depth: number): unknown {
  let value: unknown = [];
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

function times<Item>(count: number, make: (index: number) => Item): Item[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** As it comes from JSON: a hash table to V8. */
function keys(count: number): Record<string, number> {
  return JSON.parse(`{${times(count, (i) => `"key${i}":${i}`).join(",")}}`);
}

function abText(length: number): string {
  const next = seededRandom(3);
  return times(length, () => next() < 0.5 ? "a" : "b").join("");
}

/** Numbers that share a bucket of a Set: V8's hash of integers has no seed. */
function collidingNumbers(count: number): number[] {
  const found: number[] = [];
  for (let number = 0; found.length < count; number++) {
    let hash = (~number + (number << 15)) >>> 0;
    hash = (hash ^ (hash >>> 12)) >>> 0;
    hash = (hash + (hash << 2)) >>> 0;
    hash = (hash ^ (hash >>> 4)) >>> 0;
    hash = Math.imul(hash, 2057) >>> 0;
    hash = (hash ^ (hash >>> 16)) >>> 0;
    if ((hash & 0x3fff) === 5) found.push(number);
  }
  return found;
}

function doubling(levels: number): JsonSchema {
  const $defs: Record<string, JsonSchema> = { [`l${levels}`]: { type: "string" } };
  for (let level = 0; level < levels; level++) {
    const next = { $ref: `#/$defs/l${level + 1}` };
    $defs[`l${level}`] = { anyOf: [next, next] };
  }
  return { $ref: "#/$defs/l0", $defs };
}

function seededRandom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}
