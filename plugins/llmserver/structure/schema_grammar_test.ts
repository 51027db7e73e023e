import assert from "node:assert/strict";
import { z } from "zod";
import type { JsonSchema } from "../../runtime/contract/capability.ts";
import { type Grammar, parseGrammar } from "../../runtime/contract/gbnf.ts";
import { checkGrammar, matchesGrammar } from "../../runtime/contract/gbnf_walk.ts";
import { compileSchema } from "../../runtime/contract/schema.ts";
import { anyObjectGrammar, schemaToGrammar } from "./schema_grammar.ts";

/** A schema, values that its grammar writes, and values that it does not. */
const cases: [name: string, schema: JsonSchema, good: unknown[], bad: unknown[]][] = [
  ["boolean", { type: "boolean" }, [true, false], [null, 0, "true"]],
  ["null", { type: "null" }, [null], [false, "null"]],
  ["integer", { type: "integer" }, [0, -1, 42, 999999999999999], [1.5, "1", 1e16]],
  ["number", { type: "number" }, [0, -1.5, 3.25, 0.000001], ["1", null, 1e21]],
  ["integer bounds", { type: "integer", minimum: -3, maximum: 17 }, [-3, 0, 9, 10, 17], [
    -4,
    18,
    170,
    2.5,
  ]],
  [
    "exclusive bounds",
    { type: "integer", exclusiveMinimum: 3, exclusiveMaximum: 5.5 },
    [4, 5],
    [3, 6],
  ],
  ["number bounds", { type: "number", minimum: 0.5, exclusiveMaximum: 2 }, [0.5, 1, 1.99], [
    0.49,
    2,
    -1,
    20,
  ]],
  ["multipleOf 1", { type: "integer", multipleOf: 1 }, [3], [3.5]],
  ["string", { type: "string" }, ["", "a b", "é€😀", 'say "hi"\n', "\\"], [1, null]],
  ["lengths", { type: "string", minLength: 2, maxLength: 4 }, ["ab", "a😀cd"], ["a", "abcde"]],
  ["a long length", { type: "string", minLength: 1500, maxLength: 2500 }, [
    "x".repeat(1500),
    "y".repeat(2500),
  ], ["x".repeat(1499), "y".repeat(2501)]],
  ["an anchored pattern", { type: "string", pattern: "^[A-Z]{2}-\\d+(?:x|y)?$" }, [
    "AB-1",
    "XY-123y",
  ], ["A-1", "AB-", "AB-1z", " AB-1"]],
  ["an open pattern", { type: "string", pattern: "b+c" }, ["bc", "abbcd"], ["b", "cb"]],
  ["anchors by alternative", { type: "string", pattern: "^a|b$" }, ["ax", "xb"], ["xa", "bx"]],
  ["a pattern of what JSON escapes", { type: "string", pattern: '^["\\\\\\n]{1,2}$' }, [
    '"',
    "\\\n",
  ], ["x", "\t"]],
  ["a negated class", { type: "string", pattern: "^[^a-y]$" }, ["z", "é", '"'], ["a", "m"]],
  ["white space", { type: "string", pattern: "^\\s\\S[^\\s][^\\S]$" }, [" aé ", "\txx "], [
    "\vaa ",
    " \u00a0a ",
    " a\u00a0 ",
    " a\u2003 ",
    " aa\u00a0",
  ]],
  ["a pattern and a length", { type: "string", pattern: "^[a-z]+$", maxLength: 3 }, ["a", "abc"], [
    "",
    "abcd",
  ]],
  ["date", { type: "string", format: "date" }, ["2024-01-31", "1999-02-28"], [
    "2024-02-30",
    "2024-13-01",
  ]],
  ["time", { type: "string", format: "time" }, ["23:59:59Z", "01:02:03.5+02:00"], [
    "24:00:00Z",
    "10:00",
  ]],
  ["date-time", { type: "string", format: "date-time" }, ["2024-06-30T01:02:03Z"], ["2024-06-30"]],
  ["uuid", { type: "string", format: "uuid" }, ["123e4567-e89b-12d3-a456-426614174000"], ["123"]],
  ["ipv4", { type: "string", format: "ipv4" }, ["0.0.0.0", "255.10.1.99"], ["256.1.1.1", "1.1.1"]],
  ["email", { type: "string", format: "email" }, ["a.b@ex-ample.org"], ["a@b", "@c.de"]],
  ["enum", { enum: ["red", "rose", 1, null, { a: [1] }] }, ["red", "rose", 1, null, { a: [1] }], [
    "ro",
    2,
    {},
  ]],
  ["enum with a type", { type: "string", enum: ["a", 1] }, ["a"], [1]],
  ["const", { const: { b: 'x"y' } }, [{ b: 'x"y' }], [{ b: "x" }]],
  [
    "required and optional properties",
    {
      type: "object",
      properties: { a: { type: "integer" }, b: { type: "null" }, c: { type: "boolean" } },
      required: ["b"],
      additionalProperties: false,
    },
    [{ b: null }, { a: 1, b: null }, { b: null, c: true }, { a: 1, b: null, c: false }],
    [
      {},
      { a: 1 },
      { b: null, d: 1 },
      { b: null, a: 1 },
    ],
  ],
  [
    "properties that are all optional",
    {
      properties: { a: { type: "integer" }, b: { type: "integer" } },
    },
    [{}, { a: 1 }, { b: 1 }, { a: 1, b: 2 }],
    [{ b: 1, a: 2 }, { c: 1 }, 1],
  ],
  [
    "additionalProperties by schema",
    {
      type: "object",
      properties: { ab: { type: "null" } },
      additionalProperties: { type: "integer" },
    },
    [{}, { x: 1 }, { ab: null, abc: 1, a: 2 }, { b: 2 }],
    [{ ab: 1 }, { x: "1" }],
  ],
  ["additionalProperties true", { type: "object", additionalProperties: true }, [
    {},
    { a: { b: [1, "c", null] } },
  ], [[], "x"]],
  ["items", { type: "array", items: { type: "integer" } }, [[], [1], [1, 2, 3]], [["a"], {}]],
  [
    "minItems and maxItems",
    {
      type: "array",
      items: { type: "boolean" },
      minItems: 1,
      maxItems: 3,
    },
    [[true], [true, false, true]],
    [[], [true, true, true, true]],
  ],
  [
    "prefixItems",
    {
      type: "array",
      prefixItems: [{ type: "integer" }, { type: "string" }],
      minItems: 1,
    },
    [[1], [1, "a"]],
    [[], ["a"], [1, "a", 2]],
  ],
  [
    "prefixItems and items",
    {
      type: "array",
      prefixItems: [{ type: "integer" }],
      items: { type: "null" },
      minItems: 2,
      maxItems: 3,
    },
    [[1, null], [1, null, null]],
    [[1], [1, 1], [1, null, null, null]],
  ],
  ["a list of types", { type: ["string", "null"], maxLength: 2 }, ["ab", null], ["abc", 1]],
  [
    "anyOf beside properties",
    {
      type: "object",
      properties: { a: { type: "integer" }, b: { type: "integer" } },
      anyOf: [{ required: ["a"] }, { required: ["b"] }],
    },
    [{ a: 1 }, { b: 1 }, { a: 1, b: 2 }],
    [{}],
  ],
  [
    "oneOf by a constant",
    {
      oneOf: [
        { type: "object", properties: { k: { const: "a" }, v: { type: "null" } }, required: ["k"] },
        {
          type: "object",
          properties: { k: { const: "b" }, v: { type: "integer" } },
          required: ["k", "v"],
        },
      ],
    },
    [{ k: "a" }, { k: "a", v: null }, { k: "b", v: 1 }],
    [{ k: "a", v: 1 }, { k: "b" }],
  ],
  [
    "allOf",
    {
      allOf: [
        { type: "object", properties: { a: { type: "integer", minimum: 0 } }, required: ["a"] },
        { properties: { a: { maximum: 5 }, b: { type: "null" } }, required: ["b"] },
      ],
    },
    [{ a: 5, b: null }],
    [{ a: 6, b: null }, { a: 1 }],
  ],
  [
    "allOf of a prefix and of items, which are for the prefix as well",
    {
      allOf: [
        { type: "array", prefixItems: [{ type: ["string", "integer"] }, { type: "boolean" }] },
        { items: { type: ["integer", "boolean"] }, maxItems: 3 },
      ],
    },
    [[1, true], [1, true, 2]],
    [["a", true], [1, 2], [1, true, "a"]],
  ],
  [
    "$ref, and what stands beside it",
    {
      $defs: { "a/b": { type: "string" } },
      $ref: "#/$defs/a~1b",
      maxLength: 1,
    },
    ["x"],
    ["xy", 1],
  ],
  [
    "a schema that names itself",
    {
      $ref: "#/$defs/tree",
      $defs: {
        tree: {
          type: "object",
          properties: {
            v: { type: "integer" },
            below: { type: "array", items: { $ref: "#/$defs/tree" }, maxItems: 2 },
          },
          required: ["v"],
          additionalProperties: false,
        },
      },
    },
    [{ v: 1 }, { v: 1, below: [] }, { v: 1, below: [{ v: 2, below: [{ v: 3 }] }, { v: 4 }] }],
    [
      { below: [] },
      { v: 1, below: [1] },
    ],
  ],
  [
    "a schema that names itself in a property with a keyword's name",
    {
      type: "object",
      properties: { v: { type: "integer" }, default: { $ref: "#" } },
      required: ["v"],
    },
    [{ v: 1 }, { v: 1, default: { v: 2, default: { v: 3 } } }],
    [{ default: { v: 1 } }],
  ],
  [
    "oneOf by a constant, its type beside it",
    {
      type: "object",
      oneOf: [
        { properties: { k: { const: "a" } }, required: ["k"] },
        { properties: { k: { const: "b" } }, required: ["k"] },
      ],
    },
    [{ k: "a" }, { k: "b" }],
    [{}, { k: "c" }],
  ],
  ["true", true, [1, "a", [{ a: null }]], []],
  [
    "a property that is false",
    {
      type: "object",
      properties: { a: false, b: { type: "null" } },
      additionalProperties: false,
    },
    [{}, { b: null }],
    [{ a: 1 }],
  ],
];

for (const [name, schema, good, bad] of cases) {
  Deno.test(`schemaToGrammar writes what is valid, and no more: ${name}`, () => {
    const text = schemaToGrammar(schema);
    checkGrammar(text);
    assert.equal(schemaToGrammar(structuredClone(schema)), text);
    const grammar = parseGrammar(text);
    const check = compileSchema(schema, "test");
    for (const value of good) {
      assert.deepEqual(check(value), [], `the test itself: ${JSON.stringify(value)}`);
      assert.ok(matchesGrammar(grammar, JSON.stringify(value)), JSON.stringify(value));
    }
    for (const value of bad) {
      assert.ok(!matchesGrammar(grammar, JSON.stringify(value)), JSON.stringify(value));
    }
    // Whatever the grammar can write is valid.
    const random = createRandom(7);
    for (let count = 0; count < 60; count++) {
      const written = writeAtRandom(grammar, random);
      assert.deepEqual(check(JSON.parse(written)), [], written);
      // And a character lost, doubled or swapped is refused, or leaves it valid.
      const [at, other] = [random(written.length), random(written.length)];
      for (
        const mutated of [
          written.slice(0, at) + written.slice(at + 1),
          written.slice(0, at) + written.charAt(at) + written.slice(at),
          written.slice(0, at) + written.charAt(other) + written.slice(at + 1),
        ]
      ) {
        if (!mutated.isWellFormed() || !matchesGrammar(grammar, mutated)) continue;
        assert.deepEqual(check(JSON.parse(mutated)), [], mutated);
      }
    }
  });
}

Deno.test("schemaToGrammar takes what zod writes", () => {
  const shape = z.strictObject({
    id: z.uuid(),
    mail: z.email(),
    at: z.iso.datetime(),
    on: z.iso.date(),
    address: z.ipv4(),
    count: z.int(),
    rate: z.number().gt(0).lte(1),
    kind: z.discriminatedUnion("type", [
      z.strictObject({ type: z.literal("a"), value: z.string().max(5) }),
      z.strictObject({ type: z.literal("b"), value: z.boolean() }),
    ]),
    pair: z.tuple([z.int(), z.string().max(3)]),
    names: z.record(z.string(), z.int()),
    note: z.string().min(1).max(20).nullable(),
    tags: z.array(z.enum(["x", "y"])).max(4).optional(),
  });
  const grammar = parseGrammar(schemaToGrammar(z.toJSONSchema(shape)));
  const random = createRandom(9);
  for (let count = 0; count < 100; count++) {
    const text = writeAtRandom(grammar, random);
    const { success, error } = shape.safeParse(JSON.parse(text));
    assert.ok(success, `${text}\n${error}`);
  }
});

Deno.test("schemaToGrammar bounds whole numbers exactly", () => {
  const random = createRandom(3);
  for (let count = 0; count < 60; count++) {
    const [one, other] = [random(3000) - 1500, random(3000) - 1500];
    const [minimum, maximum] = [Math.min(one, other), Math.max(one, other)];
    const grammar = parseGrammar(schemaToGrammar({ type: "integer", minimum, maximum }));
    for (const near of [minimum, maximum, 0, 9, 99, -99, 1000]) {
      for (let value = near - 3; value <= near + 3; value++) {
        const isInside = minimum <= value && value <= maximum;
        assert.equal(matchesGrammar(grammar, String(value)), isInside, `${value}`);
      }
    }
  }
});

Deno.test("schemaToGrammar bounds other numbers as decimals", () => {
  const random = createRandom(5);
  for (let count = 0; count < 60; count++) {
    const [one, other] = [(random(4000) - 2000) / 100, (random(4000) - 2000) / 100];
    const [minimum, maximum] = [Math.min(one, other), Math.max(one, other)];
    const grammar = parseGrammar(schemaToGrammar({ type: "number", minimum, maximum }));
    for (let tries = 0; tries < 40; tries++) {
      const value = (random(4400) - 2200) / 100;
      const isInside = minimum <= value && value <= maximum;
      // "-0.00" is written as "0.00".
      if (value !== 0) {
        assert.equal(matchesGrammar(grammar, value.toFixed(2)), isInside, `${value}`);
      }
    }
  }
});

Deno.test("a document may have one space behind commas and colons, and no other", () => {
  const schema = { properties: { a: { type: "array", items: { type: "null" } } }, required: ["a"] };
  const grammar = parseGrammar(schemaToGrammar(schema));
  for (const text of ['{"a":[null]}', '{"a": [null, null,null]}']) {
    assert.ok(matchesGrammar(grammar, text), text);
  }
  for (const text of ['{ "a":[]}', '{"a":  []}', '{"a":[]}\n', '{"a" :[]}', '{"a":[ ]}']) {
    assert.ok(!matchesGrammar(grammar, text), text);
  }
});

Deno.test("anyObjectGrammar writes objects alone, and no deeper than five", () => {
  const grammar = parseGrammar(anyObjectGrammar());
  for (const value of [{}, { a: 1, b: [true, { c: "d" }] }]) {
    assert.ok(matchesGrammar(grammar, JSON.stringify(value)));
  }
  for (const value of [[], 1, null, { a: [[[[[[1]]]]]] }]) {
    assert.ok(!matchesGrammar(grammar, JSON.stringify(value)), JSON.stringify(value));
  }
});

const refusals: [name: string, schema: unknown, code: string, pointer: string, keyword: string][] =
  [
    ["not", { properties: { a: { not: {} } } }, "UNSUPPORTED_FEATURE", "#/properties/a", "not"],
    ["if", { if: {}, then: {} }, "UNSUPPORTED_FEATURE", "#", "if"],
    [
      "patternProperties",
      { patternProperties: {} },
      "UNSUPPORTED_FEATURE",
      "#",
      "patternProperties",
    ],
    [
      "uniqueItems",
      { type: "array", uniqueItems: true },
      "UNSUPPORTED_FEATURE",
      "#",
      "uniqueItems",
    ],
    ["multipleOf", { type: "number", multipleOf: 0.1 }, "UNSUPPORTED_FEATURE", "#", "multipleOf"],
    [
      "minProperties",
      { type: "object", minProperties: 1 },
      "UNSUPPORTED_FEATURE",
      "#",
      "minProperties",
    ],
    [
      "an unknown format",
      { type: "string", format: "color" },
      "UNSUPPORTED_FEATURE",
      "#",
      "format",
    ],
    ["a lookahead", { pattern: "^(?=a)b" }, "UNSUPPORTED_FEATURE", "#/pattern", "pattern"],
    ["a back-reference", { pattern: "(a)\\1" }, "UNSUPPORTED_FEATURE", "#/pattern", "pattern"],
    ["a broken pattern", { pattern: "(a" }, "INVALID_INPUT", "#/pattern", "pattern"],
    ["a remote $ref", { $ref: "https://example.com/a" }, "UNSUPPORTED_FEATURE", "#", "$ref"],
    ["a $ref to nothing", { $ref: "#/$defs/a" }, "INVALID_INPUT", "#", "$ref"],
    ["an unknown type", { type: "text" }, "INVALID_INPUT", "#", "type"],
    ["false", false, "INVALID_INPUT", "#", "schema"],
    [
      "no number between the bounds",
      { type: "integer", minimum: 5, maximum: 4 },
      "INVALID_INPUT",
      "#",
      "minimum",
    ],
    [
      "oneOf that overlaps",
      { oneOf: [{ type: "number" }, { type: "integer" }] },
      "UNSUPPORTED_FEATURE",
      "#",
      "oneOf",
    ],
    [
      "oneOf with one that allows every other type",
      { oneOf: [{ type: "string" }, { properties: { a: { const: 1 } }, required: ["a"] }] },
      "UNSUPPORTED_FEATURE",
      "#",
      "oneOf",
    ],
    [
      "oneOf with one that allows another's constant",
      { oneOf: [{ const: 5 }, { minLength: 1 }] },
      "UNSUPPORTED_FEATURE",
      "#",
      "oneOf",
    ],
    [
      "a required property that is not described",
      { type: "object", properties: {}, required: ["a"] },
      "INVALID_INPUT",
      "#",
      "required",
    ],
  ];

for (const [name, schema, code, pointer, keyword] of refusals) {
  Deno.test(`schemaToGrammar names the place and the keyword: ${name}`, () => {
    assert.throws(() => schemaToGrammar(schema), (error: unknown) => {
      const { details, ...rest } = error as { code: string; details: Record<string, unknown> };
      assert.equal(rest.code, code);
      assert.deepEqual({ ...details, limit: undefined }, {
        field: "responseFormat.schema",
        pointer,
        keyword,
        limit: undefined,
      });
      return true;
    });
  });
}

const nested = (depth: number): unknown =>
  depth === 0 ? {} : { type: "array", items: nested(depth - 1) };
/** Each $def names the next one twice. */
const doubling = {
  $ref: "#/$defs/d0",
  $defs: Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [`d${index}`, {
      anyOf: [{ $ref: `#/$defs/d${index + 1}` }, { $ref: `#/$defs/d${index + 1}` }],
    }]).concat([["d40", { type: "null" } as never]]),
  ),
};
const bombs: [name: string, schema: unknown][] = [
  ["levels", nested(5000)],
  ["characters", { enum: ["x".repeat(100_000)] }],
  ["maxLength", { type: "string", maxLength: 1e9 }],
  ["minItems", { type: "array", minItems: 1e9 }],
  ["nested counts", { pattern: "^((a{1,900}){1,900}){1,900}$" }],
  ["a long pattern", { pattern: "a".repeat(5000) }],
  ["deep groups", { pattern: "(".repeat(400) + ")".repeat(400) }],
  ["a pattern that is empty without end", { pattern: "^(a*)*$" }],
  ["enum values", { enum: Array.from({ length: 5000 }, (_, index) => index) }],
  ["properties", {
    properties: Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`p${index}`, {}])),
  }],
  ["a circle of $ref", {
    $ref: "#/$defs/a",
    $defs: { a: { $ref: "#/$defs/b" }, b: { allOf: [{ $ref: "#/$defs/a" }] } },
  }],
  ["itself", { $ref: "#" }],
  ["$refs that double", doubling],
  ["a list of itself that must not be empty", { type: "array", items: { $ref: "#" }, minItems: 1 }],
  ["a tree that widens", {
    type: "object",
    properties: Object.fromEntries(["a", "b", "c", "d", "e"].map((name) => [name, { $ref: "#" }])),
  }],
  ["alternatives that multiply", {
    allOf: Array.from({ length: 12 }, () => ({ anyOf: [{ minimum: 1 }, { maximum: 1 }, {}] })),
  }],
  ["bounds of many digits", { type: "number", minimum: 1e-300 }],
];

for (const [name, schema] of bombs) {
  Deno.test(`schemaToGrammar refuses a bomb: ${name}`, () => {
    assert.throws(() => schemaToGrammar(schema), (error: unknown) => {
      const { code, message } = error as { code: string; message: string };
      assert.match(code, /^(INVALID_INPUT|UNSUPPORTED_FEATURE)$/, message);
      return true;
    });
  });
}

function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

/** A text of the grammar; past some depth the way to the nearest end is taken. */
function writeAtRandom({ rules, root }: Grammar, random: (below: number) => number): string {
  const ends = new Array<number>(rules.length).fill(Infinity);
  for (let changed = true; changed;) {
    changed = false;
    for (const [rule, alternatives] of rules.entries()) {
      const nearest = Math.min(...alternatives.map(lengthOf));
      changed ||= nearest < ends[rule]!;
      ends[rule] = nearest;
    }
  }
  function lengthOf(sequence: Grammar["rules"][number][number]): number {
    return sequence.reduce<number>(
      (sum, part) => sum + (typeof part === "number" ? ends[part]! : 0),
      1,
    );
  }
  let text = "";
  let steps = 0;
  const write = (rule: number) => {
    const alternatives = rules[rule]!;
    const isLate = ++steps > 300;
    const nearest = alternatives.toSorted((a, b) => lengthOf(a) - lengthOf(b))[0]!;
    for (const part of isLate ? nearest : alternatives[random(alternatives.length)]!) {
      if (typeof part === "number") write(part);
      else {
        const [from, to] = part[random(part.length)]!;
        text += String.fromCodePoint(from + random(to - from + 1));
      }
    }
  };
  write(root);
  return text;
}
