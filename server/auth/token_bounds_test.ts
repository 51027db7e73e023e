import assert from "node:assert/strict";
import type { Capability, JsonSchema } from "../../plugins/runtime/contract/capability.ts";
import { boundTokens, cutTokens, isPiece, usedTokens } from "./token_bounds.ts";

Deno.test("boundTokens counts nothing of a capability whose schemas tell of no tokens", () => {
  assert.equal(
    boundTokens(capability({ type: "object" }), { maxTokens: 50, image: "A".repeat(9) }),
    0,
  );
});

Deno.test("boundTokens is an answer's most and a token for each byte of the texts", () => {
  const chat = capability(usageSchema("promptTokens", "completionTokens"));
  assert.equal(boundTokens(chat, { messages: [{ role: "user", content: "héé" }] }), 1024 + 4 + 5);
  assert.equal(boundTokens(chat, { prompt: "ab", maxTokens: 7 }), 7 + 2);
  assert.equal(boundTokens(chat, { prompt: "ab", maxTokens: 7, n: 3 }), 3 * 7 + 2);
  const embed = capability(usageSchema("promptTokens"));
  assert.equal(boundTokens(embed, { texts: ["abc", "d"] }), 4);
});

Deno.test("boundTokens stands hostile inputs: sizes that are none, and nesting beyond the stack", () => {
  const chat = capability(usageSchema("promptTokens", "completionTokens"));
  for (const maxTokens of [-1, Number.NaN, "9", null, { valueOf: 1 }]) {
    assert.ok(boundTokens(chat, { maxTokens }) >= 1024, String(maxTokens));
  }
  assert.equal(boundTokens(chat, { maxTokens: 1e300 }), 1e300);
  const deep = JSON.parse("[".repeat(200_000) + '"x"' + "]".repeat(200_000));
  assert.equal(boundTokens(chat, deep), 1025);
  for (const input of [null, undefined, 7, "four"]) assert.ok(boundTokens(chat, input) >= 1024);
});

Deno.test("usedTokens believes counts alone, up to what one call can have used", () => {
  assert.deepEqual(usedTokens({ usage: { promptTokens: 3, completionTokens: 4.4 } }), {
    promptTokens: 3,
    completionTokens: 4,
  });
  for (
    const lie of [
      null,
      "usage",
      {},
      { usage: null },
      { usage: { promptTokens: -5, completionTokens: "9" } },
      Object.create({ usage: { promptTokens: 5 } }),
    ]
  ) {
    assert.deepEqual(usedTokens(lie), { promptTokens: 0, completionTokens: 0 });
  }
  assert.equal(usedTokens({ usage: { promptTokens: 1e15 } }).promptTokens, 10_000_000);
});

Deno.test("isPiece: who waits is told his place, and pays nothing for it", () => {
  assert.equal(isPiece({ delta: "", queue: { position: 2 } }), false);
  for (const item of [{ delta: "a" }, { frame: 1 }, "text", null, 7]) {
    assert.equal(isPiece(item), true);
  }
});

Deno.test("cutTokens: an item is a token; before the first one nothing was used", () => {
  const chat = capability(usageSchema("promptTokens", "completionTokens"));
  assert.deepEqual(cutTokens(chat, { prompt: "12345" }, 0), {
    promptTokens: 0,
    completionTokens: 0,
  });
  assert.deepEqual(cutTokens(chat, { prompt: "12345" }, 3), {
    promptTokens: 2,
    completionTokens: 3,
  });
  assert.equal(cutTokens(capability({}), { prompt: "12345" }, 3).completionTokens, 0);
});

function usageSchema(...names: string[]): JsonSchema {
  const properties = Object.fromEntries(names.map((name) => [name, { type: "integer" }]));
  return { type: "object", properties: { usage: { type: "object", properties } } };
}

function capability(resultSchema: JsonSchema): Capability {
  return {
    id: "test.do",
    title: "",
    description: "",
    inputSchema: true,
    outputSchema: true,
    resultSchema,
    streaming: true,
    examples: [],
  };
}
