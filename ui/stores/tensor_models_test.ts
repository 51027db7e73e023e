import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import {
  filesToChoose,
  parseLoadedModel,
  parseQuantisation,
  parseRun,
  parseTensorStats,
} from "./tensor_models.ts";

Deno.test("answers that are none are refused", () => {
  for (const answer of [undefined, 3, {}, { models: 1, inputs: 1, errors: 1 }]) {
    for (const parse of [parseLoadedModel, parseQuantisation, parseTensorStats]) {
      assert.throws(() => parse(answer), { code: "INVALID_OUTPUT" });
    }
  }
});

Deno.test("parseLoadedModel: shapes keep dynamic axes by name, and nothing else", () => {
  const answer = {
    model: "m",
    inputs: [{ name: "x", type: "float32", shape: ["batch", 3, null, -1] }],
    outputs: [{ name: "y", type: "int64", shape: "?" }],
    backend: "native",
    variant: "cpu",
    threads: 2,
    loadMs: 5,
    warmUpMs: null,
  };
  assert.deepEqual(parseLoadedModel(answer), {
    ...{ model: "m", backend: "native", variant: "cpu", threads: 2, loadMs: 5 },
    inputs: [{ name: "x", type: "float32", shape: ["batch", 3, "?", "?"] }],
    outputs: [{ name: "y", type: "int64", shape: [] }],
  });
});

Deno.test("parseRun, parseTensorStats, parseQuantisation: what is told comes through", () => {
  const run = parseRun({
    outputs: { y: { type: "float32", shape: [1, "2"], data: "AAAA" }, s: { data: ["a"] } },
    timings: { queueMs: 1, runMs: 2 },
    backend: "wasm",
  });
  assert.deepEqual(run, {
    backend: "wasm",
    outputs: [
      { name: "y", type: "float32", shape: [1], data: "AAAA" },
      { name: "s", type: "", shape: [], data: ["a"] },
    ],
    ...{ queueMs: 1, runMs: 2 },
  });
  const stats = {
    model: "m",
    kind: "onnx",
    backend: "wasm",
    threads: 1,
    file: "a.onnx",
    runs: 3,
    bytes: 9,
  };
  assert.deepEqual(parseTensorStats({ runs: 4, models: [{ ...stats, more: {} }, {}] }), {
    runs: 4,
    models: [stats],
  });
  const report = {
    ...{
      model: "m8",
      sizeBefore: 10,
      sizeAfter: 4,
      quantized: ["a", "b"],
      beforeMs: 2,
      afterMs: 1,
    },
    left: [{ node: "c", op: "Gemm", why: "alpha" }],
    errors: [{ output: "y", meanRelative: 0.01, maxRelative: "?" }],
  };
  assert.deepEqual(parseQuantisation(report), {
    ...{ model: "m8", sizeBefore: 10, sizeAfter: 4, quantized: 2, beforeMs: 2, afterMs: 1 },
    left: [{ node: "c", why: "alpha" }],
    errors: [{ output: "y", meanRelative: 0.01 }],
  });
});

Deno.test("filesToChoose: only of the error that asks for a file", () => {
  const error = (details: unknown) => new AppError("INVALID_INPUT", "No", { details });
  for (const details of [undefined, {}, { field: "file" }, { field: "file", expected: [1] }]) {
    assert.equal(filesToChoose(error(details)), undefined);
  }
  assert.equal(filesToChoose(error({ field: "model", expected: ["a"] })), undefined);
  const details = { field: "file", expected: ["a.onnx", 3, "b.onnx"] };
  assert.deepEqual(filesToChoose(error(details)), ["a.onnx", "b.onnx"]);
});
