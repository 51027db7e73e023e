import assert from "node:assert/strict";
import type { TensorInfo } from "../stores/tensor_models.ts";
import {
  buildTensor,
  describeTensor,
  draftOf,
  fromBase64,
  parseShape,
  summarizeOutput,
  type TensorDraft,
} from "./tensor_values.ts";

const image: TensorInfo = { name: "x", type: "float32", shape: ["batch", 3, 320, 320] };
const pair: TensorInfo = { name: "x", type: "float32", shape: [2, 2] };
const random = () => 0.25;

function base64Of(array: ArrayBufferView): string {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength).toBase64();
}

function issueOf(info: TensorInfo, changes: Partial<TensorDraft>): string {
  const built = buildTensor(info, { ...draftOf(info), ...changes }, { random });
  return "issue" in built ? built.issue : assert.fail(JSON.stringify(built).slice(0, 200));
}

function valueOf(info: TensorInfo, changes: Partial<TensorDraft>) {
  const built = buildTensor(info, { ...draftOf(info), ...changes }, { random });
  assert("value" in built, JSON.stringify(built).slice(0, 200));
  return built.value as { type: string; shape: number[]; data: string };
}

Deno.test("buildTensor: what cannot be sent is said before it is", () => {
  assert.match(issueOf(pair, { valuesText: "[1, oops]" }), /^The values are JSON/);
  assert.match(issueOf(image, { shapeText: "1, 3, 320" }), /has 3 sizes, and the model takes 4/);
  assert.match(issueOf(image, { shapeText: "1, 4, 320, 320" }), /Axis 2 of the shape must be 3/);
  assert.match(issueOf(image, { shapeText: "-1, 3, 320, 320" }), /whole numbers/);
  assert.match(issueOf(image, { shapeText: "90, 3, 320, 320" }), /too large to send/);
  assert.match(
    issueOf(pair, { fill: "file" }),
    /file of 16 bytes: float32 \[2, 2\], little-endian/,
  );
  const file = { name: "a.bin", size: 15, bytes: new Uint8Array(15) };
  assert.match(issueOf(pair, { fill: "file", file }), /"a\.bin" has 15 bytes.*takes 16/);
  assert.match(issueOf({ ...pair, type: "complex64" }, { fill: "zeros" }), /complex64/);
});

Deno.test("draftOf: few elements are written out as zeros, many are random", () => {
  assert.deepEqual(draftOf(pair), {
    fill: "values",
    shapeText: "2, 2",
    valuesText: "[\n  [0, 0],\n  [0, 0]\n]",
  });
  assert.deepEqual(draftOf(image), {
    fill: "random",
    shapeText: "1, 3, 320, 320",
    valuesText: "",
  });
  assert.equal(draftOf({ name: "sr", type: "int64", shape: [] }).valuesText, "0");
  assert.equal(draftOf({ name: "b", type: "bool", shape: ["n"] }).valuesText, "[false]");
  for (const shape of [[], [3], [2, 3, 4], ["n", 2]]) {
    const info: TensorInfo = { name: "x", type: "float32", shape };
    const { valuesText } = draftOf(info);
    let nested: unknown = JSON.parse(valuesText);
    for (const size of shape) {
      assert(Array.isArray(nested));
      assert.equal(nested.length, size === "n" ? 1 : size);
      nested = nested[0];
    }
    assert.equal(nested, 0);
  }
});

Deno.test("buildTensor: each type's bytes are little-endian, and as many as its shape", () => {
  assert.equal(
    valueOf(pair, { fill: "random" }).data,
    base64Of(Float32Array.of(0.25, 0.25, 0.25, 0.25)),
  );
  const two = (type: string) => ({ name: "x", type, shape: [2] });
  const digits = [
    ["int8", Int8Array.of(2, 2)],
    ["uint16", Uint16Array.of(2, 2)],
    ["int32", Int32Array.of(2, 2)],
    ["int64", BigInt64Array.of(2n, 2n)],
    ["float64", Float64Array.of(0.25, 0.25)],
    ["float16", Float16Array.of(0.25, 0.25)],
    ["bool", Uint8Array.of(0, 0)],
  ] as const;
  for (const [type, array] of digits) {
    assert.equal(valueOf(two(type), { fill: "random" }).data, base64Of(array), type);
  }
  const large = valueOf(image, { fill: "zeros", shapeText: "2x3x320x320" });
  assert.deepEqual(large.shape, [2, 3, 320, 320]);
  assert.equal(fromBase64(large.data)?.length, 2 * 3 * 320 * 320 * 4);
  const bytes = Uint8Array.from({ length: 16 }, (_, at) => at);
  const sent = valueOf(pair, { fill: "file", file: { name: "a", size: 16, bytes } });
  assert.deepEqual(sent, { type: "float32", shape: [2, 2], data: bytes.toBase64() });
  assert.deepEqual(
    buildTensor(pair, { ...draftOf(pair), valuesText: "[[1, 2], [3, 4]]" }, { random }),
    { value: [[1, 2], [3, 4]] },
  );
});

Deno.test("summarizeOutput: numbers that are finite count, of every type", () => {
  const outputOf = (type: string, array: ArrayBufferView, shape: number[]) =>
    summarizeOutput({ name: "y", type, shape, data: base64Of(array) });
  assert.deepEqual(
    outputOf("float32", Float32Array.of(1, -2, NaN, Infinity, 0.5), [5]),
    {
      ...{ count: 5, notFinite: 2, min: -2, max: 1, mean: -0.5 / 3 },
      first: ["1", "-2", "NaN", "Infinity", "0.5"],
    },
  );
  assert.deepEqual(outputOf("int64", BigInt64Array.of(2n ** 60n), [1]).first, [String(2n ** 60n)]);
  const half = outputOf("float16", Float16Array.of(-1.5, 65504, NaN, 6e-8), [4]);
  assert.deepEqual([half.min, half.max, half.notFinite], [-1.5, 65504, 1]);
  assert.deepEqual(outputOf("bool", Uint8Array.of(1, 0), [2]).first, ["true", "false"]);
  assert.equal(outputOf("float32", new Float32Array(100), [100]).first.length, 16);
  assert.deepEqual(
    summarizeOutput({ name: "y", type: "string", shape: [2], data: ["a", "b\u202e"] }).first,
    ['"a"', '"b\ufffd"'],
  );
  assert.deepEqual(
    summarizeOutput({ name: "y", type: "float32", shape: [3], data: "no base64!" }),
    { count: 3, notFinite: 0, first: [] },
  );
});

Deno.test("parseShape takes commas, spaces and crosses; a scalar has none", () => {
  const info: TensorInfo = { name: "x", type: "float32", shape: ["n", "m"] };
  for (const text of ["2, 3", "2x3", "[2, 3]", " 2 3 ", "2 × 3"]) {
    assert.deepEqual(parseShape(text, info), [2, 3], text);
  }
  assert.deepEqual(parseShape("", { ...info, shape: [] }), []);
  assert.equal(describeTensor(image), "float32 [batch, 3, 320, 320]");
});
