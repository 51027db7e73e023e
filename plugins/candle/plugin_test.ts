import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildBundles } from "../../server/build/bundles.ts";
import { skipUnless } from "../../server/testing/require.ts";
import { preludeSource } from "../runtime/boot/prelude.ts";
import { parseManifest } from "../runtime/contract/manifest.ts";
import { assertMatches, compileSchema, fillDefaults } from "../runtime/contract/schema.ts";
import { createOnnxEngine, type OnnxEngine } from "../runtime/engines/onnx/mod.ts";
import { readAssets } from "../runtime/engines/onnx/testing_conformance.ts";
import {
  floatWeight,
  noise,
  type TestModel,
  type TestNode,
  writeOnnx,
} from "../runtime/engines/onnx/testing_models.ts";
import type { CallContext } from "../runtime/guest/context.ts";
import { PluginError } from "@bkg/plugin";
import type { Candle } from "./candle.ts";
import plugin from "./plugin.ts";
import type { Context, Settings } from "./settings.ts";
import { watchForSharedScale } from "./shared_scale.ts";

const manifest = parseManifest(
  JSON.parse(readFileSync(new URL("./plugin.json", import.meta.url), "utf8")),
);
const { folder } = await buildBundles({ log: () => {} });
const assets = await readAssets(folder);
const shared = join(fileURLToPath(new URL("../..", import.meta.url)), "../shared/models");

/** The engine itself, and a count of the runs that reached it. */
function startEngine() {
  const real = createOnnxEngine({
    asset: (name) => {
      const prelude = name === "onnx_worker.js" ? preludeSource : "";
      const bytes = assets[name]!;
      return new Blob([prelude, prelude && "\n", bytes]).arrayBuffer();
    },
    takeThreads: () => Promise.resolve({ threads: 1, release: () => {} }),
  });
  const events: string[] = [];
  const engine: OnnxEngine = {
    async load(model, options) {
      events.push(`load ${model.id}`);
      const loaded = await real.load(model, options);
      return {
        info: () => loaded.info(),
        get isBroken() {
          return loaded.isBroken;
        },
        run(inputs, options) {
          events.push(`run ${model.id}`);
          return loaded.run(inputs, options);
        },
        async unload() {
          events.push(`unload ${model.id}`);
          await loaded.unload();
        },
      };
    },
  };
  return { engine, events };
}

type Output = Record<string, { type: string; shape: number[]; data: number[] & string }>;
type Answer = Record<string, never> & {
  outputs: Output;
  timings: { runMs: number; batch: number; queueMs: number };
};

/** A model's one file, or several by name. */
type TestFiles = Uint8Array<ArrayBuffer> | Record<string, Uint8Array<ArrayBuffer>>;

/** The plugin as the guest runs it, on the real engine and models of the test's own. */
async function startPlugin(
  models: Record<string, TestFiles>,
  settings: Partial<Settings> = {},
) {
  const { engine, events } = startEngine();
  const metrics: Record<string, number> = {};
  const quiet = () => {};
  let open = 0;
  const ctx: Context = {
    pluginId: "candle",
    limits: { memoryMb: 4096 },
    settings: { ...fillDefaults(manifest.settings, {}) as Settings, ...settings },
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    models: {
      list: () => Promise.resolve([]),
      open(id) {
        const given = models[id];
        if (given === undefined) throw new PluginError("NOT_FOUND", `No model "${id}"`);
        open++;
        const format = given instanceof Uint8Array && given.length === 4 ? "gguf" : "onnx";
        const contents = given instanceof Uint8Array ? { [`${id}.${format}`]: given } : given;
        const files = Object.entries(contents).map(([name, bytes]) => ({
          ...{ name, size: bytes.length },
          slice: (start: number, end: number) => ({
            size: end - start,
            arrayBuffer: () => Promise.resolve(bytes.slice(start, end).buffer),
          }),
        }));
        return Promise.resolve({
          ...{ id, size: 0, format, files, close: () => void open-- },
        });
      },
    },
    engines: {
      onnx: engine,
      get wllama(): never {
        throw new Error("not asked for");
      },
      get transformers(): never {
        throw new Error("not asked for");
      },
    },
    metric: (name, value) => {
      assert(manifest.metrics.some((metric) => metric.name === name), `"${name}" is not declared`);
      metrics[name] = value;
    },
  };
  const state = await plugin.setup!(ctx) as Candle;
  const call = async (capability: string, input: unknown, more: Partial<CallContext> = {}) => {
    const { inputSchema, outputSchema } = manifest.capabilities.find(({ id }) =>
      id === capability
    )!;
    const what = `Input of "${capability}"`;
    assertMatches(compileSchema(inputSchema, what), input, "INVALID_INPUT", what);
    const signal = new AbortController().signal;
    const context = { state, ctx, signal, principal: "anna", alive: quiet, ...more };
    const answer = await plugin.capabilities[capability]!(input as never, context as never);
    const wire = JSON.parse(JSON.stringify(answer));
    assertMatches(compileSchema(outputSchema, "output"), wire, "INVALID_OUTPUT", "The answer");
    return wire as Answer;
  };
  return {
    ...{ call, metrics, events, open: () => open },
    [Symbol.asyncDispose]: async () => await plugin.teardown!(state),
  };
}

/** y = x · w + b over a dynamic batch. */
function dense(): Uint8Array<ArrayBuffer> {
  return writeOnnx(layers([{ inputs: 8, outputs: 4 }]));
}

/** Layers with weights that look random; the first is a MatMul and an Add, others are Gemms, with Relu between. */
function layers(sizes: readonly { inputs: number; outputs: number }[]): TestModel {
  const nodes: TestNode[] = [];
  const weights = sizes.flatMap(({ inputs, outputs }, at) => {
    const x = at === 0 ? "x" : `hidden${at}`;
    const y = at === sizes.length - 1 ? "y" : `sum${at}`;
    if (at === 0) {
      nodes.push({ op: "MatMul", inputs: [x, "w0"], outputs: ["product"] });
      nodes.push({ op: "Add", inputs: ["product", "b0"], outputs: [y] });
    } else {
      nodes.push({
        ...{ op: "Gemm", inputs: [x, `w${at}`, `b${at}`], outputs: [y] },
        attributes: { transB: 1 },
      });
    }
    if (y !== "y") nodes.push({ op: "Relu", inputs: [y], outputs: [`hidden${at + 1}`] });
    const values = noise(inputs * outputs, { scale: 2, seed: at + 1 }).map((value) => value - 1);
    const shape = at === 0 ? [inputs, outputs] : [outputs, inputs];
    return [
      floatWeight(`w${at}`, shape, values),
      floatWeight(`b${at}`, [outputs], noise(outputs, { scale: 1, seed: at + 100 })),
    ];
  });
  return {
    nodes,
    weights,
    inputs: [{ name: "x", type: "float32", shape: ["batch", sizes[0]!.inputs] }],
    outputs: [{ name: "y", type: "float32", shape: ["batch", sizes.at(-1)!.outputs] }],
  };
}

const sum = { input_dim: 2, output_dim: 1, weights: [[1, 1]], bias: [0.5] };

Deno.test("plugin.json is valid, and its examples run", async () => {
  await using running = await startPlugin({
    mlp: writeOnnx(layers([{ inputs: 8, outputs: 8 }, { inputs: 8, outputs: 2 }])),
  });
  for (const { id, examples } of manifest.capabilities) {
    assert(examples.length > 0, id);
    for (const { input } of examples) await running.call(id, input);
  }
  assert.deepEqual(
    Object.keys(plugin.capabilities).sort(),
    manifest.capabilities.map(({ id }) => id).sort(),
  );
});

Deno.test("candle.model.run of a linear model is Wx + b, in each form of its weights", async () => {
  await using running = await startPlugin({});
  const inputs = { input: [[1, 2], [3, 4]] };
  for (const weights of [[[1, 1]], [1, 1]]) {
    await running.call("candle.model.load", { model: "sum", linear: { ...sum, weights } });
    const { outputs } = await running.call("candle.model.run", { model: "sum", inputs });
    assert.deepEqual(outputs["output"], { type: "float32", shape: [2, 1], data: [3.5, 7.5] });
  }
  const wrong: [Record<string, unknown>, string][] = [
    [{ weights: [[1]] }, "weights[0]"],
    [{ weights: [[1, 1], [1, 1]] }, "weights"],
    [{ weights: [1, 1, 1] }, "weights"],
    [{ weights: [1, [1]] }, "weights"],
    [{ weights: [[1, 1e39]] }, "weights[0]"],
    [{ weights: [[1, 1], 5], output_dim: 2 }, "weights[1]"],
    // As much as no machine has room for.
    [{ weights: Array(10_000).fill([1]), input_dim: 1e6, output_dim: 10_000 }, "weights[0]"],
    [{ bias: [1, 2] }, "bias"],
  ];
  for (const [more, field] of wrong) {
    const load = running.call("candle.model.load", { model: "bad", linear: { ...sum, ...more } });
    await assert.rejects(load, { code: "INVALID_INPUT", details: { field: `linear.${field}` } });
  }
  await assert.rejects(running.call("candle.model.run", { model: "bad", inputs }), {
    code: "NOT_FOUND",
  });
});

Deno.test("a linear model refuses what it does not take, like any other", async () => {
  await using running = await startPlugin({});
  await running.call("candle.model.load", { model: "sum", linear: sum });
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{}, /"input" is missing; the model takes float32\[batch, 2\]/],
    [{ input: [[1, 2, 3]] }, /"input" must be float32\[batch, 2\], and is float32\[1, 3\]/],
    [{ input: [1, 2] }, /"input" must be float32\[batch, 2\], and is float32\[2\]/],
    [{ input: [[1, 1e39]] }, /must hold finite float32, and at 1 is 1e\+39/],
  ];
  for (const [inputs, message] of wrong) {
    const run = running.call("candle.model.run", { model: "sum", inputs });
    await assert.rejects(run, { code: "INVALID_INPUT", message });
  }
});

Deno.test("a model of several files runs each by its name, and tells them apart", async () => {
  const scaled = (factor: number) =>
    writeOnnx({
      nodes: [{ op: "Mul", inputs: ["x", "w"], outputs: ["y"] }],
      inputs: [{ name: "x", type: "float32", shape: [1] }],
      outputs: [{ name: "y", type: "float32", shape: [1] }],
      weights: [floatWeight("w", [1], [factor])],
    });
  await using running = await startPlugin({
    both: { "onnx/two.onnx": scaled(2), "onnx/three.onnx": scaled(3), "config.json": dense() },
  });
  const run = (file?: string) =>
    running.call("candle.model.run", {
      ...{ model: "both", inputs: { x: [5] } },
      ...(file === undefined ? {} : { file }),
    });
  for (
    const [file, message] of [
      [undefined, /has 2 ONNX files, name one: "onnx\/two.onnx", "onnx\/three.onnx"/],
      ["onnx/four.onnx", /has no ONNX file "onnx\/four.onnx", but "onnx\/two.onnx"/],
      ["config.json", /has no ONNX file "config.json"/],
    ] as const
  ) {
    await assert.rejects(run(file), {
      code: "INVALID_INPUT",
      message,
      details: { field: "file", expected: ["onnx/two.onnx", "onnx/three.onnx"] },
    });
  }
  assert.deepEqual((await run("onnx/two.onnx")).outputs["y"]?.data, [10]);
  assert.deepEqual((await run("onnx/three.onnx")).outputs["y"]?.data, [15]);
  const { models } = await running.call("candle.stats", {}) as unknown as {
    models: Record<string, unknown>[];
  };
  assert.deepEqual(
    models.map(({ model, file, backend, bytes, runs }) => [
      ...[model, file, backend, bytes, runs],
    ]),
    [
      ["both", "onnx/two.onnx", "wasm", scaled(2).length, 1],
      ["both", "onnx/three.onnx", "wasm", scaled(3).length, 1],
    ],
  );
  const [first] = models;
  assert.deepEqual(first?.["inputs"], [{ name: "x", type: "float32", shape: [1] }]);
  assert(Number(first["loadMs"]) > 0 && Number(first["lastRunMs"]) > 0);
  const unload = (file: string) => running.call("candle.model.unload", { model: "both", file });
  assert.equal((await unload("onnx/two.onnx")).unloaded, true);
  assert.equal((await unload("onnx/two.onnx")).unloaded, false);
  assert.equal(running.metrics["models_loaded"], 1);
});

Deno.test("a shared scale is found where the engine reads the file elsewhere", async () => {
  const name = "m.onnx";
  const watch = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    const slice = (start: number, end: number) => ({
      size: end - start,
      arrayBuffer: () => Promise.resolve(bytes.slice(start, end).buffer),
    });
    const files = [{ name, size: bytes.length, slice, handle: 7 }];
    const opened = { id: "m", size: bytes.length, format: "onnx", files, close: () => {} };
    return watchForSharedScale(opened, name);
  };
  const found = watch("a DynamicQuantizeLinear b");
  assert.equal(found.model.files[0]?.handle, 7);
  assert.equal(await found.isFound(), true);
  assert.equal(await watch("QuantizeLinear").isFound(), false);
});

Deno.test("a caller's own models are unseen by another, and only theirs to unload", async () => {
  await using running = await startPlugin({});
  await running.call("candle.model.load", { model: "sum", linear: sum });
  const bob = { principal: "bob" };
  const input = { model: "sum", inputs: { input: [[1, 2]] } };
  await assert.rejects(running.call("candle.model.run", input, bob), { code: "NOT_FOUND" });
  await assert.rejects(running.call("candle.model.unload", { model: "sum" }, bob), {
    code: "NOT_FOUND",
  });
  assert.deepEqual((await running.call("candle.stats", {}, bob))["models"], []);
  await running.call("candle.model.load", {
    model: "sum",
    linear: { ...sum, bias: [100] },
  }, bob);
  const anna = await running.call("candle.model.run", input);
  assert.deepEqual(anna.outputs["output"]?.data, [3.5]);
  assert.equal((await running.call("candle.stats", {})).runs, 1);
  assert.equal(running.metrics["models_loaded"], 2);
  const { unloaded } = await running.call("candle.model.unload", { model: "sum" });
  assert.equal(unloaded, true);
});

Deno.test("candle.model.run takes lists and base64, and gives both", async () => {
  await using running = await startPlugin({ dense: dense() });
  const x = noise(16, { scale: 1, seed: 7 });
  const nested = [Array.from(x.slice(0, 8)), Array.from(x.slice(8))];
  const run = async (given: unknown, encoding?: string) => {
    const input = { model: "dense", inputs: { x: given }, ...(encoding && { encoding }) };
    return (await running.call("candle.model.run", input)).outputs["y"]!;
  };
  const wanted = await run(nested);
  assert.deepEqual(wanted.shape, [2, 4]);
  assert.deepEqual(await run({ data: Array.from(x), shape: [2, 8], type: "float32" }), wanted);
  const base64 = new Uint8Array(x.buffer).toBase64();
  assert.deepEqual(await run({ data: base64, shape: [2, 8] }), wanted);
  const { data } = await run(nested, "base64");
  assert.deepEqual(
    Array.from(new Float32Array(Uint8Array.fromBase64(data).buffer)),
    wanted.data,
  );
});

Deno.test("a wrong tensor is refused by its name, what was expected and what came", async () => {
  await using running = await startPlugin({ dense: dense(), "a-gguf": new Uint8Array(4) });
  const row = Array(8).fill(1);
  const nan = new Uint8Array(Float32Array.from({ length: 8 }, () => NaN).buffer).toBase64();
  const infinite = new Uint8Array(Float32Array.of(...row.slice(1), -Infinity).buffer).toBase64();
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{}, /"x" is missing; the model takes float32\[batch, 8\]/],
    [{ x: [row], z: 1 }, /"z" is none of the model's: "x"/],
    [{ x: [row.slice(1)] }, /"x" must be float32\[batch, 8\], and is float32\[1, 7\]/],
    [{ x: [row, [1]] }, /"x" has rows of different lengths/],
    [{ x: { data: [row], type: "int8" } }, /"x" must be float32, and says that it is int8/],
    [{ x: [[...row.slice(1), "1"]] }, /"x" must hold numbers, and at 7 is "1"/],
    [{ x: [[...row.slice(1), null]] }, /"x" must hold numbers, and at 7 is null/],
    [
      { x: { data: nan, shape: [1, 8] } },
      /"x" must hold finite float32, and at 0 is NaN; the model takes float32\[batch, 8\]/,
    ],
    [{ x: { data: infinite, shape: [1, 8] } }, /"x" must hold finite float32, and at 7 is -Inf/],
    [{ x: [[...row.slice(1), 1e39]] }, /"x" must hold finite float32, and at 7 is 1e\+39/],
    [{ x: [[...row.slice(1), -1e308]] }, /"x" must hold finite float32, and at 7 is -1e\+308/],
    [{ x: [[...row.slice(1), JSON.parse("1e999")]] }, /and at 7 is Infinity/],
    [{ x: { data: [row], shape: [1e15, 1e15] } }, /"x" has 8 elements, and not the shape/],
    [{ x: { data: [row], shape: [1e308] } }, /"x" has a shape that is no list of sizes/],
    [{ x: { data: "", shape: [2 ** 40, 2 ** 40] } }, /"x" has the shape .* which is none/],
    [{ x: { data: "AAAA" } }, /"x" is base64, and needs its shape/],
    [{ x: { data: "AAA=", shape: [1, 8] } }, /"x" has 2 bytes, and float32 takes 4 each/],
    [{ x: { data: "!", shape: [1, 8] } }, /"x" is text that is no base64/],
    [{ x: { data: [row], shape: [8] } }, /"x" must be .* and is float32\[8\]/],
    [{ x: { data: [row], shape: "8" } }, /"x" has a shape that is no list of sizes/],
    [{ x: { data: [row], shape: [-1, -8] } }, /"x" has a shape that is no list of sizes/],
    [{ x: 7 }, /"x" must be float32\[batch, 8\], and is float32\[\]/],
  ];
  for (const [inputs, message] of wrong) {
    const run = running.call("candle.model.run", { model: "dense", inputs });
    await assert.rejects(run, { code: "INVALID_INPUT", message });
  }
  const outputs = running.call("candle.model.run", {
    ...{ model: "dense", inputs: { x: [row] }, outputs: ["z"] },
  });
  await assert.rejects(outputs, { code: "INVALID_INPUT", message: /"z" is none/ });
  const language = running.call("candle.model.load", { model: "a-gguf" });
  await assert.rejects(language, { code: "INVALID_INPUT", message: /format "gguf"/ });
  await assert.rejects(running.call("candle.model.load", { model: "none" }), { code: "NOT_FOUND" });
  assert.equal(running.open(), 1);
});

Deno.test("32 callers at once share runs, and each gets its own numbers", async () => {
  await using running = await startPlugin({ dense: dense() });
  const rows = Array.from({ length: 32 }, (_, at) => [
    Array.from(noise(8, { scale: 1, seed: at })),
  ]);
  const run = (row: number[][]) =>
    running.call("candle.model.run", { model: "dense", inputs: { x: row } });
  const alone: Answer[] = [];
  for (const row of rows) alone.push(await run(row));
  const before = running.events.length;
  const together = await Promise.all(rows.map(run));
  const runs = running.events.length - before;
  assert(runs <= 4, `${runs} runs of the engine`);
  together.forEach(({ outputs, timings }, at) => {
    assert.deepEqual(outputs["y"]?.shape, [1, 4]);
    assertClose(outputs["y"].data, alone[at]!.outputs["y"]!.data, 1e-6);
    assert(timings.batch > 1 || at === 0, `call ${at} ran alone`);
  });
  const { models } = await running.call("candle.stats", {}) as unknown as {
    models: { runs: number; largestBatch: number; waiting: number }[];
  };
  assert.equal(models[0]?.runs, 64);
  assert(models[0].largestBatch >= 16, String(models[0].largestBatch));
});

Deno.test("rows are not joined where one scale for all of them would change their numbers", async () => {
  const scaled = writeOnnx({
    nodes: [
      { op: "DynamicQuantizeLinear", inputs: ["x"], outputs: ["q", "s", "z"] },
      { op: "DequantizeLinear", inputs: ["q", "s", "z"], outputs: ["y"] },
    ],
    inputs: [{ name: "x", type: "float32", shape: ["batch", 2] }],
    outputs: [{ name: "y", type: "float32", shape: ["batch", 2] }],
  });
  await using running = await startPlugin({ scaled });
  const run = (row: number[]) =>
    running.call("candle.model.run", { model: "scaled", inputs: { x: [row] } });
  const answers = await Promise.all([1, 10, 100, 1000].map((size) => run([size, size / 3])));
  answers.forEach(({ outputs, timings }, at) => {
    assert.equal(timings.batch, 1);
    assertClose(outputs["y"]!.data, [10 ** at, 10 ** at / 3], 10 ** at / 255);
  });
});

Deno.test("one that leaves while it waits, or is refused, takes nobody along", async () => {
  await using running = await startPlugin({ dense: dense() });
  const input = (width: number) => ({ model: "dense", inputs: { x: [Array(width).fill(1)] } });
  await running.call("candle.model.load", { model: "dense" });
  const leave = new AbortController();
  const calls = [
    running.call("candle.model.run", input(8)),
    running.call("candle.model.run", input(8), { signal: leave.signal }),
    running.call("candle.model.run", input(7)),
    running.call("candle.model.run", input(8)),
  ];
  leave.abort();
  const [first, left, refused, last] = await Promise.allSettled(calls);
  assert.equal(first?.status, "fulfilled");
  assert.equal(left?.status, "rejected");
  assert.equal(refused?.status === "rejected" && refused.reason.code, "INVALID_INPUT");
  assert.equal(last?.status, "fulfilled");
});

Deno.test("a model makes room for another, and leaves when nobody asks for it", async () => {
  await using running = await startPlugin({ one: dense(), two: dense() }, {
    ...{ maxLoaded: 1, keepAliveMs: 50 },
  });
  const load = (model: string) => running.call("candle.model.load", { model, warmUp: false });
  await load("one");
  await load("one");
  await load("two");
  assert.deepEqual(running.events, ["load one", "unload one", "load two"]);
  const deadline = performance.now() + 5000;
  while (!running.events.includes("unload two") && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(running.events.at(-1), "unload two");
  assert.equal(running.metrics["models_loaded"], 0);
  const answer = await running.call("candle.model.unload", { model: "two" });
  assert.equal(answer.unloaded, false);
  assert.equal(running.open(), 0);
});

for (const { name, path, inputs } of references()) {
  const title = `${name} through candle is what onnxruntime-node says`;
  const file = join(shared, path);
  Deno.test({
    name: title,
    ignore: skipUnless(title, existsSync(file) ? undefined : `${file} is not here`),
    async fn() {
      const reference = JSON.parse(
        readFileSync(new URL("./native_reference.json", import.meta.url), "utf8"),
      )[name] as Record<string, { dims: number[]; sample: number[]; sum: number }>;
      await using running = await startPlugin({ [name]: readFileSync(file) });
      const { outputs } = await running.call("candle.model.run", { model: name, inputs });
      let largest = 0;
      for (const [output, { dims, sample, sum }] of Object.entries(reference)) {
        const { shape, data } = outputs[output]!;
        assert.deepEqual(shape, dims, output);
        const came = sample.map((_, at) => data[Math.floor(at * (data.length - 1) / 15)]!);
        largest = Math.max(largest, assertClose(came, sample, nativeTolerance));
        const total = data.reduce((all, value) => all + value, 0);
        assertClose([total], [sum], nativeTolerance * Math.max(1, Math.abs(sum)));
      }
      console.log(`${name}: differs by at most ${largest.toExponential(1)}`);
    },
  });
}

/** Of outputs whose numbers are about 1: other kernels, other order of adding. */
const nativeTolerance = 1e-4;

/** As native_reference.json was made: see README.md. */
function references() {
  const base64 = (data: Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>) =>
    new Uint8Array(data.buffer).toBase64();
  return [{
    name: "yunet",
    path: "yunet/yunet_n_320_320.onnx",
    inputs: {
      input: {
        shape: [1, 3, 320, 320],
        data: base64(noise(3 * 320 * 320, { scale: 255, seed: 1 })),
      },
    },
  }, {
    name: "silero",
    path: "silero-vad/silero_vad.onnx",
    inputs: {
      input: {
        shape: [1, 512],
        data: base64(noise(512, { scale: 2, seed: 2 }).map((value) => value - 1)),
      },
      state: { shape: [2, 1, 128], data: base64(new Float32Array(256)) },
      sr: 16000,
    },
  }];
}

Deno.test("candle.quantize makes a smaller model that says nearly the same", async () => {
  const model = writeOnnx(layers([
    { inputs: 256, outputs: 512 },
    { inputs: 512, outputs: 512 },
    { inputs: 512, outputs: 16 },
  ]));
  await using running = await startPlugin({ mlp: model });
  const report = await running.call("candle.quantize", {
    ...{ model: "mlp", as: "small", return: "bytes", rounds: 3 },
  }) as unknown as {
    sizeBefore: number;
    sizeAfter: number;
    quantized: string[];
    left: unknown[];
    errors: { output: string; meanRelative: number; maxRelative: number }[];
    beforeMs: number;
    afterMs: number;
    bytes: string;
  };
  const { bytes, ...figures } = report;
  console.log(figures);
  assert.equal(report.sizeBefore, model.length);
  assert(report.sizeAfter < model.length * 0.3, `${report.sizeAfter} of ${model.length} bytes`);
  assert.equal(report.quantized.length, 3);
  assert.deepEqual(report.left, []);
  const [error] = report.errors;
  assert.equal(error?.output, "y");
  assert(error.meanRelative > 0 && error.meanRelative < 0.03, String(error.meanRelative));
  assert(error.maxRelative > 0 && error.maxRelative < 0.03, String(error.maxRelative));
  assert(report.beforeMs > 0 && report.afterMs > 0);
  assert.equal(Uint8Array.fromBase64(bytes).length, report.sizeAfter);

  // It is a model like any other, of whoever made it.
  const inputs = { x: [Array.from(noise(256, { scale: 1, seed: 5 }))] };
  const exact = (await running.call("candle.model.run", { model: "mlp", inputs })).outputs["y"]!;
  const int8 = (await running.call("candle.model.run", { model: "small", inputs })).outputs["y"]!;
  const largest = Math.max(...exact.data.map(Math.abs));
  assertClose(int8.data, exact.data, largest * 0.03);
  assert.notDeepEqual(int8.data, exact.data);
  const bob = running.call("candle.model.run", { model: "small", inputs }, { principal: "bob" });
  await assert.rejects(bob, { code: "NOT_FOUND" });
  assert.equal((await running.call("candle.model.unload", { model: "small" })).unloaded, true);
  await assert.rejects(running.call("candle.model.run", { model: "small", inputs }), {
    code: "NOT_FOUND",
  });
});

Deno.test("candle.quantize keeps what it cannot do, and says why", async () => {
  const base = layers([{ inputs: 8, outputs: 8 }, { inputs: 8, outputs: 8 }, {
    ...{ inputs: 8, outputs: 8 },
  }]);
  const nodes = base.nodes.map((node) =>
    node.inputs[1] === "w1" ? { ...node, attributes: { transB: 1, alpha: { float: 0.5 } } } : node
  );
  await using running = await startPlugin({
    mixed: writeOnnx({
      ...base,
      nodes: [
        ...nodes.slice(0, -1),
        { ...nodes.at(-1)!, outputs: ["last"] },
        { op: "Transpose", inputs: ["last"], outputs: ["turned"], attributes: { perm: [1, 0] } },
        { op: "MatMul", inputs: ["last", "turned"], outputs: ["y"] },
      ],
      outputs: [{ name: "y", type: "float32", shape: ["batch", "batch"] }],
    }),
  });
  const report = await running.call("candle.quantize", {
    ...{ model: "mixed", as: "small", inputs: { x: [Array(8).fill(0.5), Array(8).fill(-1)] } },
  }) as unknown as { left: { why: string }[]; quantized: string[] };
  assert.equal(report.quantized.length, 2);
  assert.match(report.left[0]!.why, /alpha is 0.5/);
  assert.match(report.left[1]!.why, /no constant/);
});

Deno.test("candle.quantize refuses what it cannot do, and says which", async () => {
  const plain = layers([{ inputs: 8, outputs: 4 }]);
  const external = plain.weights!.map((weight) => ({
    ...weight,
    external: { path: "model.onnx_data", offset: 0 },
  }));
  const done: TestModel = {
    nodes: [
      { op: "DynamicQuantizeLinear", inputs: ["x"], outputs: ["q", "s", "z"] },
      { op: "DequantizeLinear", inputs: ["q", "s", "z"], outputs: ["y"] },
    ],
    inputs: [{ name: "x", type: "float32", shape: ["batch", 8] }],
    outputs: [{ name: "y", type: "float32", shape: ["batch", 8] }],
  };
  const relu: TestModel = {
    ...done,
    nodes: [{ op: "Relu", inputs: ["x"], outputs: ["y"] }],
  };
  const variable: TestModel = {
    nodes: [{ op: "MatMul", inputs: ["a", "b"], outputs: ["y"] }],
    inputs: [
      { name: "a", type: "float32", shape: [2, 2] },
      { name: "b", type: "float32", shape: [2, 2] },
    ],
    outputs: [{ name: "y", type: "float32", shape: [2, 2] }],
  };
  const models = {
    old: writeOnnx({ ...plain, opset: 10 }),
    done: writeOnnx(done),
    relu: writeOnnx(relu),
    variable: writeOnnx(variable),
    plain: writeOnnx(plain),
  };
  await using running = await startPlugin(models);
  const refused: [string, RegExp][] = [
    ["old", /of opset 10/],
    ["done", /quantised already: it has DynamicQuantizeLinear/],
    ["relu", /no MatMul and no Gemm/],
    ["variable", /none of its 1 MatMul and Gemm can be: .* has no constant/],
  ];
  for (const [model, message] of refused) {
    const quantize = running.call("candle.quantize", { model, as: "small" });
    await assert.rejects(quantize, { code: "INVALID_INPUT", message });
  }
  // What parts a model's id from its file's name is in none.
  const parted = running.call("candle.quantize", { model: "plain", as: "a|b" });
  await assert.rejects(parted, { code: "INVALID_INPUT", message: /"\/as"/ });
  await running.call("candle.model.load", { model: "sum", linear: sum });
  const linear = running.call("candle.quantize", { model: "sum", as: "small" });
  await assert.rejects(linear, { code: "INVALID_INPUT", message: /made here/ });
  const { quantizeDynamically } = await import("./quantize/dynamic_int8.ts");
  const refuse = (file: Uint8Array<ArrayBuffer>, message: RegExp) =>
    assert.throws(() => quantizeDynamically(file), { code: "INVALID_INPUT", message });
  refuse(writeOnnx({ ...plain, weights: external }), /external data/);
  const whole = writeOnnx(plain);
  refuse(whole.slice(0, whole.length - 30), /no whole ONNX file/);
  refuse(new Uint8Array(64).fill(0xff), /no whole ONNX file/);
  refuse(new Uint8Array(), /no whole ONNX file/);
});

/** The largest difference. */
function assertClose(came: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number) {
  assert.equal(came.length, wanted.length);
  const largest = Math.max(...Array.from(came, (value, at) => Math.abs(value - wanted[at]!)));
  assert(largest <= tolerance, `differs by ${largest}`);
  return largest;
}
