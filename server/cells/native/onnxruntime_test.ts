// What the plugin's Worker may send to native onnxruntime, hostile input first; the engine runs within the test's process.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { IncomingCall } from "../../../plugins/runtime/channel/channel.ts";
import { Transferred } from "../../../plugins/runtime/channel/transfer.ts";
import type {
  NativeOnnxLoaded,
  NativeOnnxResult,
} from "../../../plugins/runtime/contract/native_onnx.ts";
import type { Tensor } from "../../../plugins/runtime/contract/tensor.ts";
import {
  floatWeight,
  type TestModel,
  writeOnnx,
} from "../../../plugins/runtime/engines/onnx/testing_models.ts";
import { buildBundles } from "../../build/bundles.ts";
import { testNativeEngine } from "../../testing/native_engines.ts";
import { createFileReads } from "../file_reads.ts";
import type { InstalledEngine } from "./native_engines.ts";
import { openOnnxruntime } from "./onnxruntime.ts";

const { folder: bundles } = await buildBundles({ log: () => {} });

function nativeTest(name: string, run: (bench: Bench) => Promise<void>): void {
  const installed = testNativeEngine(name, "onnxruntime");
  Deno.test({
    name,
    ignore: installed === undefined,
    async fn() {
      await using bench = await openBench(installed!);
      await run(bench);
    },
  });
}

nativeTest(
  "onnxruntime.load takes files that the host opened as trusted, and nothing else",
  async (bench) => {
    const handle = await bench.write("m.onnx", writeOnnx(sum()));
    const hostile = await bench.write("h.onnx", writeOnnx(sum()), { trusted: false });
    const order = { graph: handle, external: [], threads: 1, optimization: "all" };
    const wrong: [Record<string, unknown>, string][] = [
      [{ ...order, graph: hostile }, "FORBIDDEN"],
      [{ ...order, external: [{ path: "w", handle: hostile }] }, "FORBIDDEN"],
      [{ ...order, graph: 999 }, "NOT_FOUND"],
      [{ ...order, graph: "/etc/passwd" }, "INVALID_INPUT"],
      [{ ...order, external: undefined }, "INVALID_INPUT"],
      [{ ...order, external: [null] }, "INVALID_INPUT"],
      [{ ...order, external: [{ path: 7, handle }] }, "INVALID_INPUT"],
      [{ ...order, external: [{ path: "", handle }] }, "INVALID_INPUT"],
      [{ ...order, threads: -1 }, "INVALID_INPUT"],
      [{ ...order, threads: 1e9 }, "INVALID_INPUT"],
      [{ ...order, threads: NaN }, "INVALID_INPUT"],
      [{ ...order, optimization: "extended" }, "INVALID_INPUT"],
      [{}, "INVALID_INPUT"],
    ];
    for (const [input, code] of wrong) await assert.rejects(bench.call("load", input), { code });
  },
);

nativeTest("a graph reads no file that was not handed over, whatever it names", async (bench) => {
  const { bytes } = floatWeight("w", [2], [3, 5]);
  await bench.write("secret", bytes);
  const graph = (path: string) =>
    writeOnnx({
      nodes: [{ op: "Mul", inputs: ["x", "w"], outputs: ["y"] }],
      inputs: [{ name: "x", type: "float32", shape: [2] }],
      outputs: [{ name: "y", type: "float32", shape: [2] }],
      weights: [{ ...floatWeight("w", [2], [3, 5]), external: { path, offset: 0 } }],
    });
  const places = ["secret", "../secret", join(bench.folder, "secret"), "x/../secret"];
  for (const optimization of ["all", "disabled"]) {
    for (const place of places) {
      const order = { graph: await bench.write("m.onnx", graph(place)), optimization };
      await assert.rejects(
        bench.load({ ...order, external: [] }),
        (error: Error & { code: string }) =>
          error.code === "INVALID_MODEL" && !error.message.includes(Deno.cwd()),
      );
      // By the name that it gives them, bytes are what was handed over.
      const external = [{ path: place, handle: await bench.write("other", bytes) }];
      const { session } = await bench.load({ ...order, external });
      const x: Tensor = { type: "float32", dims: [2], data: Float32Array.of(1, 2) };
      assert.deepEqual([...(await bench.run(session, { x })).outputs["y"]!.data], [3, 10]);
      await bench.call("unload", { session });
    }
  }
});

nativeTest("onnxruntime.run refuses tensors that are not what they say", async (bench) => {
  const { session } = await bench.load({ graph: await bench.write("m.onnx", writeOnnx(sum())) });
  const data = Float32Array.of(1, 2, 3);
  const good = { type: "float32", dims: [1, 3], data };
  const shared = new Float32Array(new SharedArrayBuffer(12));
  const resizable = new Float32Array(new ArrayBuffer(12, { maxByteLength: 24 }));
  const wrong: unknown[] = [
    undefined,
    null,
    7,
    {},
    { ...good, type: "float64" },
    { ...good, type: "__proto__" },
    { ...good, dims: [1, 4] },
    { ...good, dims: [-1, -3] },
    { ...good, dims: [2 ** 32, 2 ** 32] },
    { ...good, dims: [2 ** 31, 2 ** 33, 0] },
    { ...good, dims: [0.5, 6] },
    { ...good, dims: "13" },
    { ...good, dims: Array(9).fill(1).concat(3) },
    { ...good, data: [1, 2, 3] },
    { ...good, data: { length: 3 } },
    { ...good, data: new Float64Array(3) },
    { ...good, data: new Uint8Array(12) },
    { ...good, data: shared },
    { ...good, data: resizable },
  ];
  for (const a of wrong) {
    const run = bench.call("run", { session, inputs: { a, b: good } });
    await assert.rejects(run, { code: "INVALID_INPUT" }, JSON.stringify(a));
  }
  const inputs = { a: good, b: good };
  for (
    const more of [
      { inputs: null },
      { inputs: { ...inputs, c: good } },
      { inputs: JSON.parse('{"a": 1, "__proto__": 2}') },
      { inputs, outputs: ["nope"] },
      { inputs, outputs: "y" },
      { inputs, outputs: ["y", "y"] },
      { inputs, session: "1" },
      { inputs, session: -1 },
    ]
  ) {
    await assert.rejects(bench.call("run", { session, ...more }), { code: "INVALID_INPUT" });
  }
  await assert.rejects(bench.call("run", { session: 99, inputs }), { code: "NOT_FOUND" });
  // A view into more than it shows, and two inputs of one buffer.
  const wide = new Float32Array(100).fill(9);
  wide.set([1, 2, 3], 50);
  const a = { ...good, data: wide.subarray(50, 53) } as Tensor;
  assert.deepEqual([...(await bench.run(session, { a, b: a })).outputs["y"]!.data], [2, 4, 6]);
});

nativeTest("what no memory holds is OUT_OF_MEMORY, and other models go on", async (bench) => {
  const { session: other } = await bench.load({
    graph: await bench.write("m.onnx", writeOnnx(sum())),
  });
  const hungry = writeOnnx({
    nodes: [{ op: "ConstantOfShape", inputs: ["shape"], outputs: ["y"] }],
    inputs: [{ name: "shape", type: "int64", shape: [2] }],
    outputs: [{ name: "y", type: "float32", shape: ["n", "m"] }],
  });
  for (const size of [2n ** 22n, 2n ** 40n]) {
    const { session } = await bench.load({ graph: await bench.write("h.onnx", hungry) });
    const shape: Tensor = { type: "int64", dims: [2], data: BigInt64Array.of(size, size) };
    await assert.rejects(bench.run(session, { shape }), { code: "OUT_OF_MEMORY" });
    await assert.rejects(bench.run(session, { shape }), { code: "OUT_OF_MEMORY" });
    await assert.rejects(bench.run(session, { shape }), { code: "NOT_FOUND" });
  }
  const a: Tensor = { type: "float32", dims: [1, 3], data: new Float32Array(3) };
  assert.equal((await bench.run(other, { a, b: a })).outputs["y"]?.data.length, 3);
});

nativeTest("an engine that is damaged says so, and a changed file is no model", async (bench) => {
  const broken = await Deno.makeTempDir({ dir: bench.folder });
  const methods = await openOnnxruntime({
    ...bench.deps,
    installed: { ...bench.deps.installed, folder: broken },
  });
  const graph = await bench.write("m.onnx", writeOnnx(sum()));
  const order = { graph, external: [], threads: 1, optimization: "all" };
  const { os, arch } = Deno.build;
  const platform = join(os, arch === "x86_64" ? "x64" : arch === "aarch64" ? "arm64" : arch);
  const place = join(broken, "bin/napi-v6", platform);
  for (const content of [undefined, "no machine code"]) {
    if (content !== undefined) {
      await Deno.mkdir(place, { recursive: true });
      await Deno.writeTextFile(join(place, "onnxruntime_binding.node"), content);
    }
    await assert.rejects(
      Promise.resolve(methods["load"]!(order, quiet())),
      (error: Error & { code: string }) =>
        error.code === "UNSUPPORTED_FEATURE" && !error.message.includes(broken),
    );
  }
  await Deno.writeFile(join(bench.folder, "m.onnx"), new Uint8Array(7));
  await assert.rejects(bench.call("load", order), { code: "INVALID_MODEL" });
});

nativeTest(
  "a run that waits and is left is never run, and unloading tells all that wait",
  async (bench) => {
    const { session } = await bench.load({ graph: await bench.write("m.onnx", writeOnnx(sum())) });
    const a: Tensor = { type: "float32", dims: [1, 3], data: new Float32Array(3) };
    const leave = new AbortController();
    const inputs = () => ({ a: { ...a, data: a.data.slice() }, b: { ...a, data: a.data.slice() } });
    const first = bench.call("run", { session, inputs: inputs() });
    const second = bench.call("run", { session, inputs: inputs() }, leave.signal);
    leave.abort();
    await assert.rejects(second, { code: "CANCELLED" });
    await first;
    const left = Array.from({ length: 3 }, () => bench.call("run", { session, inputs: inputs() }));
    const told = left.map((run) => assert.rejects(run, { code: "UNAVAILABLE" }));
    assert.deepEqual(await bench.call("unload", { session }), { unloaded: true });
    await Promise.all(told);
    assert.deepEqual(await bench.call("unload", { session }), { unloaded: false });
  },
);

type Bench = Awaited<ReturnType<typeof openBench>>;

async function openBench(installed: InstalledEngine) {
  const folder = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const real = { ...installed, folder: await Deno.realPath(installed.folder) };
  const files = createFileReads(folder);
  const deps = { installed: real, files, bundles };
  const methods = await openOnnxruntime(deps);
  const sessions = new Set<number>();
  let handles = 0;
  const call = async (method: string, input: Record<string, unknown>, signal?: AbortSignal) => {
    const answer = await methods[method]!(input, quiet(signal));
    return answer instanceof Transferred ? answer.value : answer;
  };
  return {
    ...{ folder, deps, call },
    async write(name: string, bytes: Uint8Array, { trusted = true } = {}): Promise<number> {
      const path = join(folder, name);
      await Deno.writeFile(path, bytes);
      files.open(++handles, { path, size: bytes.length, trusted });
      return handles;
    },
    async load(order: Record<string, unknown>): Promise<NativeOnnxLoaded> {
      const whole = { external: [], threads: 1, optimization: "all", ...order };
      const loaded = await call("load", whole) as NativeOnnxLoaded;
      sessions.add(loaded.session);
      return loaded;
    },
    run: (session: number, inputs: Record<string, Tensor>) =>
      call("run", { session, inputs }) as Promise<NativeOnnxResult>,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) await call("unload", { session });
      for (let handle = 1; handle <= handles; handle++) files.close(handle);
      // Workers end once what runs in them is over.
      await new Promise((resolve) => setTimeout(resolve, 200));
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function quiet(signal: AbortSignal = new AbortController().signal): IncomingCall {
  return { signal, streaming: false, alive: () => {} };
}

function sum(): TestModel {
  const value = (name: string) => ({ name, type: "float32" as const, shape: ["batch", 3] });
  return {
    nodes: [{ op: "Add", inputs: ["a", "b"], outputs: ["y"] }],
    inputs: [value("a"), value("b")],
    outputs: [value("y")],
  };
}
