import assert from "node:assert/strict";
import { toJsonText } from "./json_text.ts";

Deno.test("toJsonText writes typed arrays as lists, wherever they stand, and the rest as it is", () => {
  const value = { vector: new Float32Array([0.5, -2]), deep: [{ ids: new BigInt64Array([7n]) }] };
  assert.equal(toJsonText(value), '{"vector":[0.5,-2],"deep":[{"ids":["7"]}]}');
  assert.equal(toJsonText(new Uint8Array([1, 255])), "[1,255]");
  assert.equal(toJsonText({ a: [1, null, "x"] }), '{"a":[1,null,"x"]}');
  assert.equal(toJsonText(undefined), "null");
});
