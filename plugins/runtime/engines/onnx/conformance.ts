// What the onnx engine promises, wherever it runs: the same cases in a Deno Worker like a cell's, in a cell with native
// engines, and in Chromium. Runs in the Worker itself, so it needs nothing but the engine.

import type { Backend, OpenModel } from "../engine.ts";
import type {
  OnnxEngine,
  OnnxLoadOptions,
  OnnxModel,
  Tensor,
  TensorData,
  TensorType,
} from "./interface.ts";
import {
  floatWeight,
  noise,
  type TestModel,
  type TestTensor,
  writeOnnx,
} from "./testing_models.ts";

export interface ConformanceCase {
  name: string;
  run(engine: OnnxEngine, options: ConformanceOptions): Promise<void>;
}

export interface ConformanceOptions {
  /** What the cases run on. Default "wasm". */
  backend?: Backend;
  /** Brings files to where the engine reads them, as a trusted model. Default: they are read out of memory. */
  openFiles?: OpenFiles;
  /** Threads that a model gets which asks for two. */
  threads: number;
  /** Whether there is an adapter. */
  webgpu: boolean;
}

export type OpenFiles = (
  files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>,
) => Promise<OpenModel>;

/** An engine somewhere. */
type Home = ConformanceOptions & { engine: OnnxEngine };

const cases: readonly { name: string; run(home: Home): Promise<void> }[] = [
  {
    name: "tensors of every type come back as they went in",
    async run(home) {
      const types = Object.entries(samples) as [TensorType, TensorData][];
      const value = (kind: string) => ([type]: [TensorType, TensorData]) => ({
        ...{ name: `${kind}_${type}`, type, shape: [`${type} elements`] },
      });
      await using model = await open(home, {
        nodes: types.map(([type]) => ({
          ...{ op: "Identity", inputs: [`in_${type}`], outputs: [`out_${type}`] },
        })),
        inputs: types.map(value("in")),
        outputs: types.map(value("out")),
      });
      const tensors = types.map(([type, data]) => ({ type, dims: [data.length], data }));
      const { outputs } = await model.run(
        Object.fromEntries(tensors.map((tensor) => [`in_${tensor.type}`, tensor])),
      );
      for (const tensor of tensors) equal(outputs[`out_${tensor.type}`], tensor, tensor.type);
    },
  },
  {
    name: "info tells inputs, outputs, dynamic axes and what it runs on",
    async run(home) {
      await using model = await open(home, sum());
      const { engine, engineVersion, loadMs, inputs, outputs, ...info } = model.info();
      equal(inputs, [
        { name: "a", type: "float32", shape: ["batch", 3] },
        { name: "b", type: "float32", shape: ["batch", 3] },
      ]);
      equal(outputs.map(({ name }) => name), ["y"]);
      const { backend = "wasm" } = home;
      equal([engine, info.backend, info.threads], ["onnx", backend, 1]);
      equal(info.variant, backend === "native" ? "cpu" : undefined);
      const version = backend === "native" ? /^onnxruntime \d+\.\d+/ : /^onnxruntime-web \d+\.\d+/;
      check(version.test(engineVersion), engineVersion);
      check(loadMs > 0, "loadMs");
    },
  },
  {
    name: "a dynamic axis takes any size, a scalar has no axes, nothing is a size too",
    async run(home) {
      await using model = await open(home, sum());
      for (const rows of [1, 4, 0]) {
        const a = ones(rows);
        const { outputs, runMs } = await model.run({ a, b: a });
        equal(outputs["y"], { ...a, data: a.data.map((value) => value * 2) }, `${rows} rows`);
        check(runMs >= 0, "runMs");
      }
      await using scalar = await open(home, {
        nodes: [{ op: "Neg", inputs: ["x"], outputs: ["y"] }],
        inputs: [{ name: "x", type: "int64", shape: [] }],
        outputs: [{ name: "y", type: "int64", shape: [] }],
      });
      const x: Tensor = { type: "int64", dims: [], data: BigInt64Array.of(7n) };
      equal((await scalar.run({ x })).outputs["y"], { ...x, data: BigInt64Array.of(-7n) });
    },
  },
  {
    name: "axes without a name are each of any size",
    async run(home) {
      await using model = await open(home, {
        nodes: [{ op: "Neg", inputs: ["x"], outputs: ["y"] }],
        inputs: [{ name: "x", type: "float32", shape: ["?", "?"] }],
        outputs: [{ name: "y", type: "float32", shape: ["?", "?"] }],
      });
      equal(model.info().inputs[0]?.shape, ["?", "?"]);
      const x: Tensor = { type: "float32", dims: [1, 2], data: Float32Array.of(1, 2) };
      equal((await model.run({ x })).outputs["y"], { ...x, data: Float32Array.of(-1, -2) });
    },
  },
  {
    name: "fixed axes are the model's own",
    async run(home) {
      await using model = await open(home, sum(), { fixedAxes: { batch: 2 } });
      equal(model.info().inputs[0]?.shape, [2, 3]);
      await fails(() => model.run({ a: ones(1), b: ones(1) }), "INVALID_INPUT", "float32[2, 3]");
    },
  },
  {
    name: "a wrong input is refused by its name, what was expected and what came",
    async run(home) {
      await using model = await open(home, sum());
      const a = ones(1);
      const whole: Tensor = { type: "int32", dims: [1, 3], data: new Int32Array(3) };
      const wrong: [Record<string, Tensor>, string][] = [
        [{ a }, 'The input "b" is missing; the model takes float32[batch, 3]'],
        [{ a, c: a }, 'The input "c" is none of the model\'s inputs: "a", "b"'],
        [{ a, b: whole }, 'The input "b" must be float32[batch, 3], and is int32[1, 3]'],
        [{ a, b: { ...a, dims: [3] } }, '"b" must be float32[batch, 3], and is float32[3]'],
        [{ a, b: { ...a, dims: [3, 1] } }, '"b" must be float32[batch, 3], and is float32[3, 1]'],
        [{ a, b: ones(2) }, '"b" must be float32[batch, 3], and is float32[2, 3]: "batch" is 1'],
        [{ a, b: { ...a, dims: [2, 3] } }, '"batch" is 1 in "a"'],
        [{ a: { ...a, dims: [2, 3] }, b: ones(2) }, '"a" has 3 elements'],
        [{ a, b: { ...a, dims: [-1, 3] } }, '"b" has the shape [-1, 3], which is none'],
        [{ a, b: { ...a, dims: [1.5, 3] } }, '"b" has the shape [1.5, 3], which is none'],
        [{ a, b: { ...a, data: new Float64Array(3) } }, '"b" must bring its data as float32'],
      ];
      for (const [inputs, message] of wrong) {
        await fails(() => model.run(inputs), "INVALID_INPUT", message);
      }
      await fails(() => model.run({ a, b: a }, { outputs: ["z"] }), "INVALID_INPUT", '"z" is none');
      equal((await model.run({ a, b: a })).outputs["y"]?.data.length, 3);
    },
  },
  {
    name: "a graph that objects to its values fails that run alone",
    async run(home) {
      await using model = await open(home, {
        nodes: [{ op: "Gather", inputs: ["table", "index"], outputs: ["y"] }],
        inputs: [{ name: "index", type: "int64", shape: ["n"] }],
        outputs: [{ name: "y", type: "float32", shape: ["n"] }],
        weights: [floatWeight("table", [3], [10, 20, 30])],
      });
      const run = (at: bigint) =>
        model.run({ index: { type: "int64", dims: [1], data: BigInt64Array.of(at) } });
      await fails(() => run(99n), "INVALID_INPUT", "cannot run on these inputs");
      equal((await run(2n)).outputs["y"]?.data[0], 30);
      check(!model.isBroken, "it is broken");
    },
  },
  {
    name: "what is no model is INVALID_MODEL, and says why",
    async run(home) {
      const load = (bytes: Uint8Array<ArrayBuffer>) =>
        loadFiles(home, { "m.onnx": bytes }).then((model) => model.unload());
      await fails(() => load(new Uint8Array(100)), "INVALID_MODEL", "did not load");
      await fails(() => load(new Uint8Array()), "INVALID_MODEL", "did not load");
      const unknown = { ...sum(), nodes: [{ op: "Nope", inputs: ["a", "b"], outputs: ["y"] }] };
      await fails(() => load(writeOnnx(unknown)), "INVALID_MODEL", "Nope");
      const cut = writeOnnx(sum());
      await fails(() => load(cut.slice(0, cut.length - 40)), "INVALID_MODEL", "did not load");
      await fails(() => loadFiles(home, { "m.gguf": cut }), "INVALID_MODEL", "no ONNX file");
    },
  },
  {
    name: "one of several graphs is named, and weights beside it are found",
    async run(home) {
      const weights = floatWeight("w", [2], [3, 5]);
      const shifted = new Uint8Array(64 + weights.bytes.length);
      shifted.set(weights.bytes, 64);
      const graph = (path: string) =>
        writeOnnx({
          nodes: [{ op: "Mul", inputs: ["x", "w"], outputs: ["y"] }],
          inputs: [{ name: "x", type: "float32", shape: [2] }],
          outputs: [{ name: "y", type: "float32", shape: [2] }],
          weights: [{ ...weights, external: { path, offset: 64 } }],
        });
      const files = {
        "onnx/model.onnx": graph("model.onnx_data"),
        "onnx/model.onnx_data": shifted,
        "onnx/other.onnx": graph("other.onnx_data"),
      };
      await fails(() => loadFiles(home, files), "INVALID_INPUT", "name one");
      const options = { file: "onnx/model.onnx" };
      await using model = disposable(await loadFiles(home, files, options));
      const x: Tensor = { type: "float32", dims: [2], data: Float32Array.of(1, 2) };
      equal([...(await model.run({ x })).outputs["y"]!.data], [3, 10]);
      const lost = () => loadFiles(home, files, { file: "onnx/other.onnx" });
      await fails(lost, "INVALID_MODEL", "other.onnx_data");
    },
  },
  {
    name: "a run is cancelled at once, and the next one is right",
    async run(home) {
      await using model = await open(home, slow());
      const x: Tensor = { type: "float32", dims: [1, 1], data: Float32Array.of(1) };
      const leave = new AbortController();
      const order: string[] = [];
      const running = model.run({ x }, { signal: leave.signal });
      const behind = model.run({ x }).then(() => order.push("the next was done"));
      setTimeout(() => leave.abort(), 20);
      await fails(() => running, "CANCELLED", "cancelled");
      order.push("left");
      await behind;
      check(order[0] === "left", `the run was not left before ${order[0]}`);
      // So is one that waits, and whoever comes after it is served.
      const waits = new AbortController();
      const all = [0, 1, 2].map((at) => model.run({ x }, at === 1 ? { signal: waits.signal } : {}));
      waits.abort();
      await fails(() => all[1]!, "CANCELLED", "cancelled");
      await Promise.all([all[0], all[2]]);
      const { outputs } = await model.run({ x });
      check(Number(outputs["y"]?.data[0]) > 0, "no number");
      await fails(
        () => model.run({ x }, { signal: AbortSignal.abort() }),
        "CANCELLED",
        "cancelled",
      );
    },
  },
  {
    name: "a load is cancelled, and gives its threads back",
    async run(home) {
      const leave = new AbortController();
      const options = { signal: leave.signal, progress: () => leave.abort() };
      await fails(() => open(home, sum(), options), "CANCELLED", "cancelled");
      await fails(() => open(home, sum(), options), "CANCELLED", "cancelled");
    },
  },
  {
    name: "an unloaded model runs nothing, and what ran in it is told",
    async run(home) {
      const model = await open(home, slow());
      const x: Tensor = { type: "float32", dims: [1, 1], data: Float32Array.of(1) };
      const running = model.run({ x });
      await Promise.all([
        fails(() => running, "UNAVAILABLE", "unloaded"),
        model.unload(),
        model.unload(),
      ]);
      await fails(() => model.run({ x }), "UNAVAILABLE", "unloaded");
    },
  },
  {
    name: "a model that takes all memory ends alone",
    async run(home) {
      await using good = await open(home, sum());
      await using hungry = await open(home, {
        nodes: [{ op: "ConstantOfShape", inputs: ["shape"], outputs: ["y"] }],
        inputs: [{ name: "shape", type: "int64", shape: [2] }],
        outputs: [{ name: "y", type: "float32", shape: ["n", "m"] }],
      });
      const shape = (...sizes: bigint[]): Record<string, Tensor> => ({
        shape: { type: "int64", dims: [2], data: BigInt64Array.from(sizes) },
      });
      equal((await hungry.run(shape(2n, 2n))).outputs["y"]?.data.length, 4);
      const running = good.run({ a: ones(1), b: ones(1) });
      // A little less than the 4 GiB that WebAssembly can name, of which some are taken; more than any machine has.
      const side = home.backend === "native" ? 2n ** 22n : 32_760n;
      await fails(() => hungry.run(shape(side, side)), "OUT_OF_MEMORY", "memory");
      check(hungry.isBroken, "it says that it goes on");
      await fails(() => hungry.run(shape(1n, 1n)), "OUT_OF_MEMORY", "");
      equal((await running).outputs["y"]?.data.length, 3);
      equal((await good.run({ a: ones(2), b: ones(2) })).outputs["y"]?.data.length, 6);
      check(!good.isBroken, "the other one is broken");
    },
  },
  {
    name: "two threads, where they are to be had, say what one says",
    async run(home) {
      const { threads } = home;
      const x: Tensor = { type: "float32", dims: [1, 1], data: Float32Array.of(1) };
      const results: number[] = [];
      for (const wanted of [1, 2]) {
        await using model = await open(home, slow(256), { threads: wanted });
        equal(model.info().threads, wanted === 1 ? 1 : threads);
        results.push(Number((await model.run({ x })).outputs["y"]?.data[0]));
      }
      const [one = NaN, two = NaN] = results;
      check(Math.abs(one - two) <= Math.abs(one) * 1e-5, `${one} and ${two}`);
    },
  },
  {
    name: "WebGPU says what the CPU says; where it is not to be had nothing falls back",
    async run(home) {
      const { webgpu } = home;
      const load = (backend: Backend) => () => open(home, slow(64), { backend });
      if (home.backend === "native") {
        const unasked = home.engine.load(await openInMemory({ "m.onnx": writeOnnx(sum()) }), {
          backend: "native",
        });
        return await fails(() => unasked, "UNSUPPORTED_FEATURE", "trusted");
      }
      await fails(load("native"), "UNSUPPORTED_FEATURE", "no native engine");
      if (!webgpu) return await fails(load("webgpu"), "UNSUPPORTED_FEATURE", "WebGPU");
      const x: Tensor = { type: "float32", dims: [1, 1], data: Float32Array.of(1) };
      const results: number[] = [];
      for (const backend of ["wasm", "webgpu"] as const) {
        await using model = await load(backend)();
        equal(model.info().backend, backend);
        results.push(Number((await model.run({ x })).outputs["y"]?.data[0]));
      }
      const [cpu = NaN, gpu = NaN] = results;
      check(Math.abs(cpu - gpu) <= Math.abs(cpu) * 1e-4, `${cpu} and ${gpu}`);
    },
  },
];

export const onnxCases: readonly ConformanceCase[] = cases.map(({ name, run }) => ({
  name,
  run: (engine, options) => run({ engine, ...options }),
}));

const samples: Record<TensorType, TensorData> = {
  float32: Float32Array.of(0, -1.5, 3.4e38),
  float16: Uint16Array.of(0, 0x3e00, 0xfbff),
  float64: Float64Array.of(0, -1.5, 1.7e308),
  int8: Int8Array.of(-128, 0, 127),
  int16: Int16Array.of(-32_768, 0, 32_767),
  int32: Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1),
  int64: BigInt64Array.of(-(2n ** 63n), 0n, 2n ** 63n - 1n),
  uint8: Uint8Array.of(0, 255),
  uint16: Uint16Array.of(0, 65_535),
  uint32: Uint32Array.of(0, 2 ** 32 - 1),
  uint64: BigUint64Array.of(0n, 2n ** 64n - 1n),
  bool: Uint8Array.of(0, 1),
  string: ["", "grüße", "日本"],
};

function sum(): TestModel {
  const value = (name: string): TestTensor => ({ name, type: "float32", shape: ["batch", 3] });
  return {
    nodes: [{ op: "Add", inputs: ["a", "b"], outputs: ["y"] }],
    inputs: [value("a"), value("b")],
    outputs: [value("y")],
  };
}

function ones(rows: number): Tensor & { data: Float32Array } {
  return { type: "float32", dims: [rows, 3], data: new Float32Array(rows * 3).fill(1) };
}

/** Multiplies square matrices that depend on its input, so that nothing is done in advance. */
function slow(size = 768): TestModel {
  return {
    nodes: [
      { op: "Mul", inputs: ["w", "x"], outputs: ["scaled"] },
      { op: "MatMul", inputs: ["scaled", "w"], outputs: ["first"] },
      { op: "MatMul", inputs: ["first", "w"], outputs: ["second"] },
      { op: "MatMul", inputs: ["second", "w"], outputs: ["third"] },
      { op: "ReduceMean", inputs: ["third"], outputs: ["y"], attributes: { keepdims: 1 } },
    ],
    inputs: [{ name: "x", type: "float32", shape: [1, 1] }],
    outputs: [{ name: "y", type: "float32", shape: [1, 1] }],
    weights: [floatWeight("w", [size, size], noise(size * size, { scale: 0.01, seed: 1 }))],
  };
}

async function open(
  home: Home,
  model: TestModel,
  options: OnnxLoadOptions = {},
): Promise<OnnxModel & AsyncDisposable> {
  return disposable(await loadFiles(home, { "model.onnx": writeOnnx(model) }, options));
}

async function loadFiles(
  { engine, backend = "wasm", openFiles = openInMemory }: Home,
  files: Record<string, Uint8Array<ArrayBuffer>>,
  options: OnnxLoadOptions = {},
): Promise<OnnxModel> {
  const opened = await openFiles(files);
  try {
    return await engine.load(opened, { backend, ...options });
  } finally {
    opened.close();
  }
}

function disposable(model: OnnxModel): OnnxModel & AsyncDisposable {
  return Object.assign(model, { [Symbol.asyncDispose]: () => model.unload() });
}

const openInMemory: OpenFiles = (files) =>
  Promise.resolve({
    id: "test",
    size: 0,
    format: "onnx",
    files: Object.entries(files).map(([name, bytes]) => ({
      name,
      size: bytes.length,
      slice: (start, end) => ({
        size: end - start,
        arrayBuffer: () => Promise.resolve(bytes.slice(start, end).buffer),
      }),
    })),
    close: () => {},
  });

async function fails(run: () => Promise<unknown>, code: string, message: string): Promise<void> {
  try {
    await run();
  } catch (error) {
    const thrown = error as { code?: string; message: string };
    check(
      thrown.code === code && thrown.message.includes(message),
      `${thrown.code}: ${thrown.message}, and not ${code}: ${message}`,
    );
    return;
  }
  throw new Error(`It did not fail with ${code}: ${message}`);
}

function equal(actual: unknown, expected: unknown, what = ""): void {
  check(plain(actual) === plain(expected), `${what} ${plain(actual)} is not ${plain(expected)}`);
}

function plain(value: unknown): string {
  return JSON.stringify(value, (_key, item) => {
    if (typeof item === "bigint") return `${item}n`;
    if (!ArrayBuffer.isView(item)) return item;
    return { [item.constructor.name]: Array.from(item as Uint8Array, String) };
  });
}

function check(holds: boolean, problem: string): void {
  if (!holds) throw new Error(problem);
}
