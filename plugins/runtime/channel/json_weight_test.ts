import assert from "node:assert/strict";
import { jsonProblem, maxJsonBytes, maxJsonWeight } from "./json_weight.ts";

const problemOf = (text: string) => jsonProblem(new TextEncoder().encode(text));

Deno.test("jsonProblem lets pass what is cheap to parse", () => {
  assert.equal(problemOf(`[${"{},".repeat(50_000)}0]`), undefined);
  assert.equal(problemOf(JSON.stringify({ text: '[{,:"\\'.repeat(500_000) })), undefined);
  assert.equal(problemOf(JSON.stringify(Array(200_000).fill(0.123456))), undefined);
});

Deno.test("jsonProblem refuses too many values, keys, levels and bytes", () => {
  assert.match(problemOf(`[${"{},".repeat(300_000)}0]`) ?? "", /too many values/);
  const keys = Array.from({ length: 60_000 }, (_, n) => `"key${n}":0`);
  assert.match(problemOf(`{${keys.join()}}`) ?? "", /too many values/);
  const levels = 140_000;
  assert.match(problemOf("[".repeat(levels) + "]".repeat(levels)) ?? "", /too many values/);
  assert.match(problemOf(`"${"x".repeat(maxJsonBytes)}"`) ?? "", /bytes of JSON/);
});

Deno.test("jsonProblem is not led astray by quotes in strings", () => {
  const heavy = "[],".repeat(maxJsonWeight);
  assert.match(problemOf(`["\\\\",${heavy}0]`) ?? "", /too many values/);
  assert.match(problemOf(`["\\"",${heavy}0]`) ?? "", /too many values/);
  assert.equal(problemOf(`["\\\\\\",${heavy}0"]`), undefined);
});

Deno.test("jsonProblem knows that a valid text weighs at most its bytes", () => {
  // Just below the size from which texts are weighed: the densest of each kind is not refused above it either.
  for (const unit of ["[],", "{},", '{"":0},', "0,"]) {
    const text = `[${unit.repeat(Math.floor((maxJsonWeight - 2) / unit.length))}0]`;
    assert.equal(problemOf(`${text}${" ".repeat(maxJsonWeight)}`), undefined, unit);
  }
});
