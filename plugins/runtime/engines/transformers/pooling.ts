// From the numbers of all tokens to one vector a text.

import type { Pooling } from "./interface.ts";

/** `states`: rows x tokens x width. `lengths`: real tokens of each row, which come first. */
export function pool(
  states: Float32Array,
  { lengths, tokens, width, pooling }: {
    lengths: readonly number[];
    tokens: number;
    width: number;
    pooling: Pooling;
  },
): Float32Array[] {
  return lengths.map((length, row) => {
    const from = row * tokens * width;
    const at = (token: number) => states.slice(from + token * width, from + (token + 1) * width);
    switch (pooling) {
      case "cls":
        return at(0);
      case "last":
        return at(Math.max(length - 1, 0));
      case "max":
        return fold(states, { from, length, width, step: Math.max });
      case "mean": {
        const sum = fold(states, { from, length, width, step: (a, b) => a + b });
        for (let index = 0; index < width; index++) sum[index]! /= Math.max(length, 1);
        return sum;
      }
    }
  });
}

/** In place, to the length 1; a vector of zeros stays. */
export function normalize(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const length = Math.sqrt(squares);
  if (length > 0) { for (let index = 0; index < vector.length; index++) vector[index]! /= length; }
  return vector;
}

function fold(
  states: Float32Array,
  { from, length, width, step }: {
    from: number;
    length: number;
    width: number;
    step: (a: number, b: number) => number;
  },
): Float32Array {
  const folded = states.slice(from, from + width);
  for (let token = 1; token < length; token++) {
    const start = from + token * width;
    for (let index = 0; index < width; index++) {
      folded[index] = step(folded[index]!, states[start + index]!);
    }
  }
  return folded;
}
