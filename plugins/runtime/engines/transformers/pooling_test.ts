import assert from "node:assert/strict";
import { normalize, pool } from "./pooling.ts";

// Two rows of three tokens, two numbers each; the second row has one token of padding.
const states = Float32Array.of(1, 2, 3, 4, 5, 9, 10, -1, 20, -3, 99, 99);
const shape = { lengths: [3, 2], tokens: 3, width: 2 };

Deno.test("pool: padding plays no part", () => {
  const by = (pooling: "mean" | "cls" | "max" | "last") =>
    pool(states, { ...shape, pooling }).map((vector) => [...vector]);
  assert.deepEqual(by("mean"), [[3, 5], [15, -2]]);
  assert.deepEqual(by("cls"), [[1, 2], [10, -1]]);
  assert.deepEqual(by("max"), [[5, 9], [20, -1]]);
  assert.deepEqual(by("last"), [[5, 9], [20, -3]]);
});

Deno.test("normalize: to the length 1, and zeros stay zeros", () => {
  assert.deepEqual([...normalize(Float32Array.of(3, 4))], [...Float32Array.of(0.6, 0.8)]);
  assert.deepEqual([...normalize(Float32Array.of(0, 0))], [0, 0]);
});
