// How many elements dimensions make, and when that is a number that no engine can hold.

/**
 * Undefined when the dimensions multiply past a signed 64 bit integer. That counts also where one of them is 0:
 * an engine multiplies them in any order.
 */
export function countElements(dims: readonly (number | bigint)[]): bigint | undefined {
  let product = 1n;
  let isEmpty = false;
  for (const dim of dims) {
    if (BigInt(dim) === 0n) isEmpty = true;
    else product *= BigInt(dim);
    if (product > maxI64) return undefined;
  }
  return isEmpty ? 0n : product;
}

const maxI64 = 2n ** 63n - 1n;
