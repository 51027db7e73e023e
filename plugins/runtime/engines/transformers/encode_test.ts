import assert from "node:assert/strict";
import { createTextTokenizer, shareRoom } from "./encode.ts";
import { tokenizerJson } from "./testing_ranker.ts";

const tokenizer = createTextTokenizer({
  tokenizer: tokenizerJson(),
  tokenizerConfig: {},
  maxTokens: 8,
});

Deno.test("encode: special tokens around one text, and between two", () => {
  assert.deepEqual(tokenizer.encode("Red fox"), {
    ids: [2, 4, 6, 3],
    types: [0, 0, 0, 0],
    truncated: false,
  });
  assert.deepEqual(tokenizer.encode("red", "blue bird"), {
    ids: [2, 4, 3, 5, 7, 3],
    types: [0, 0, 0, 1, 1, 1],
    truncated: false,
  });
  assert.deepEqual(tokenizer.encode("red", " ").ids, [2, 4, 3, 3]);
  assert.deepEqual(tokenizer.encode("wolf").ids, [2, 1, 3]);
});

Deno.test("encode cuts what is too long, keeps the special tokens, and says so", () => {
  const long = tokenizer.encode("red fox ".repeat(10));
  assert.deepEqual(long.ids, [2, 4, 6, 4, 6, 4, 6, 3]);
  assert.equal(long.truncated, true);
  assert.equal(tokenizer.encode("red ".repeat(6)).truncated, false);
  // 5 tokens of text go with 3 special ones; the longer text gives way.
  assert.deepEqual(tokenizer.encode("red", "blue ".repeat(9)).ids, [2, 4, 3, 5, 5, 5, 5, 3]);
  const both = tokenizer.encode("red ".repeat(9), "blue ".repeat(9));
  assert.deepEqual(both.ids, [2, 4, 4, 3, 5, 5, 5, 3]);
  assert.equal(both.truncated, true);
});

Deno.test("encode bounds what a huge text costs, and takes what is no Unicode", () => {
  const started = performance.now();
  const huge = tokenizer.encode("x".repeat(10_000_000));
  assert.equal(huge.truncated, true);
  assert.ok(huge.ids.length <= 8);
  assert.ok(performance.now() - started < 1000);
  assert.ok(tokenizer.encode("\ud800 fox").ids.length === 4);
});

Deno.test("a tokenizer.json that is none is INVALID_MODEL", () => {
  for (const tokenizer of [{}, { model: {} }, { model: { type: "Other" }, added_tokens: [] }]) {
    const make = () => createTextTokenizer({ tokenizer, tokenizerConfig: {}, maxTokens: 8 });
    assert.throws(make, { code: "INVALID_MODEL" });
  }
});

Deno.test("shareRoom cuts the longer text first", () => {
  assert.deepEqual(shareRoom(3, 4, 10), [3, 4]);
  assert.deepEqual(shareRoom(2, 40, 10), [2, 8]);
  assert.deepEqual(shareRoom(40, 2, 10), [8, 2]);
  assert.deepEqual(shareRoom(40, 50, 11), [5, 6]);
  assert.deepEqual(shareRoom(40, 50, 0), [0, 0]);
});
