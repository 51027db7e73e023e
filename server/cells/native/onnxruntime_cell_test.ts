// onnxruntime's machine code in real cells: the engine's conformance, the same numbers as elsewhere, pings, crashes, memory.

import * as esbuild from "esbuild";
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { buildBundles, projectRoot } from "../../build/bundles.ts";
import { testNativeEngine } from "../../testing/native_engines.ts";
import type { ConformanceReport } from "../../../plugins/runtime/engines/onnx/conformance_worker.ts";
import type { ConformanceInput } from "../../../plugins/runtime/engines/onnx/conformance_plugin.ts";
import {
  floatWeight,
  noise,
  type TestModel,
  writeOnnx,
} from "../../../plugins/runtime/engines/onnx/testing_models.ts";
import { skipUnless } from "../../testing/require.ts";
import { readRssBytes } from "../proc.ts";
import type { InstalledEngine } from "./native_engines.ts";
import { startNativeCell } from "./testing_native_cell.ts";

const { folder: bundles } = await buildBundles({ log: () => {} });

function nativeTest(
  name: string,
  run: (native: InstalledEngine, t: Deno.TestContext) => Promise<void>,
): void {
  const native = testNativeEngine(name, "onnxruntime");
  Deno.test({ name, ignore: native === undefined, fn: (t) => run(native!, t) });
}

nativeTest("the onnx engine's conformance on the native backend, in a cell", async (native, t) => {
  const code = await bundle("plugins/runtime/engines/onnx/conformance_plugin.ts");
  await using running = await startNativeCell({
    ...{ bundles, code, engines: ["onnx"], native: [native] },
  });
  const input: ConformanceInput = { backend: "native", threads: 2 };
  const reports = running.channel.stream("conformance.run", { input, principal: "test" });
  for await (const report of reports) {
    const { name, problem } = report as Extract<ConformanceReport, { kind: "case" }>;
    await t.step(name, () => assert.equal(problem, undefined));
  }
});

nativeTest(
  "YuNet and Silero VAD through candle on native are onnxruntime-node's numbers",
  async (native) => {
    const yunet = sharedFile("yunet/yunet_n_320_320.onnx");
    const silero = sharedFile("silero-vad/silero_vad.onnx");
    if (yunet === undefined || silero === undefined) return;
    const reference = JSON.parse(
      await Deno.readTextFile(join(projectRoot, "plugins/candle/native_reference.json")),
    ) as Record<string, Record<string, { dims: number[]; sample: number[]; sum: number }>>;
    await using running = await startNativeCell({
      ...{ bundles, engines: ["onnx"], native: [native] },
      code: await Deno.readTextFile(join(bundles, "plugins/candle.js")),
      settings: { backend: "auto", threads: 1, maxLoaded: 4, keepAliveMs: 0, maxBatch: 32 },
      models: {
        yunet: { files: { "yunet.onnx": yunet } },
        silero: { files: { "silero.onnx": silero } },
        stranger: { files: { "yunet.onnx": yunet }, trusted: false },
      },
    });
    const base64 = (data: Float32Array<ArrayBuffer>) => new Uint8Array(data.buffer).toBase64();
    const image = base64(noise(3 * 320 * 320, { scale: 255, seed: 1 }));
    const sound = base64(noise(512, { scale: 2, seed: 2 }).map((value) => value - 1));
    const inputs: Record<string, Record<string, unknown>> = {
      yunet: { input: { shape: [1, 3, 320, 320], data: image } },
      silero: {
        input: { shape: [1, 512], data: sound },
        state: { shape: [2, 1, 128], data: base64(new Float32Array(256)) },
        sr: 16000,
      },
    };
    for (const [model, given] of Object.entries(inputs)) {
      const answer = await running.call("candle.model.run", { model, inputs: given }) as {
        outputs: Record<string, { shape: number[]; data: number[] }>;
        backend: string;
        variant: string;
      };
      assert.deepEqual([answer.backend, answer.variant], ["native", "cpu"]);
      let largest = 0;
      for (const [output, { dims, sample, sum }] of Object.entries(reference[model]!)) {
        const { shape, data } = answer.outputs[output]!;
        assert.deepEqual(shape, dims);
        const came = sample.map((_, at) => data[Math.floor(at * (data.length - 1) / 15)]!);
        largest = Math.max(largest, ...came.map((value, at) => Math.abs(value - sample[at]!)));
        const total = data.reduce((all, value) => all + value, 0);
        assert(Math.abs(total - sum) <= 1e-6 * Math.max(1, Math.abs(sum)), `${total} and ${sum}`);
      }
      console.log(`${model}: differs by at most ${largest}`);
      assert(largest <= 1e-6, String(largest));
    }
    // Nothing falls back in silence, and what is not trusted runs in the sandbox.
    const stranger = await running.call("candle.model.load", { model: "stranger" }) as {
      backend: string;
    };
    assert.equal(stranger.backend, "wasm");
  },
);

nativeTest(
  "candle.quantize compares in the sandbox what it made there, beside a native original",
  async (native) => {
    const folder = await Deno.makeTempDir({ prefix: "bkg-test-" });
    try {
      const graph = await writeModel(folder, "m.onnx", squares({ size: 128, products: 2 }));
      await using running = await startNativeCell({
        ...{ bundles, engines: ["onnx"], native: [native] },
        code: await Deno.readTextFile(join(bundles, "plugins/candle.js")),
        settings: { backend: "native", threads: 1, maxLoaded: 4, keepAliveMs: 0, maxBatch: 32 },
        models: { squares: { files: { "m.onnx": graph } } },
      });
      const inputs = { x: { data: [0.5], shape: [1, 1] } };
      const report = await running.call("candle.quantize", {
        ...{ model: "squares", as: "small", inputs, rounds: 1 },
      }) as { quantized: string[]; sizeAfter: number; errors: { meanRelative: number }[] };
      assert.equal(report.quantized.length, 2);
      const [error] = report.errors;
      assert(error!.meanRelative > 0 && error!.meanRelative < 0.05, String(error!.meanRelative));
      const { models } = await running.call("candle.stats", {}) as {
        models: { model: string; backend: string; variant?: string; bytes: number }[];
      };
      const told = models.map(({ model, backend, variant, bytes }) => [
        ...[model, backend, variant, bytes],
      ]);
      assert.deepEqual(told, [
        ["squares", "native", "cpu", (await Deno.stat(graph)).size],
        ["small", "wasm", undefined, report.sizeAfter],
      ]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

nativeTest(
  "embeddings of MiniLM and of a float32 model are the same on native and wasm",
  async (native) => {
    const minilm = sharedFile("minilm/onnx/model_quantized.onnx");
    if (minilm === undefined) return;
    const folder = await Deno.makeTempDir({ prefix: "bkg-test-" });
    try {
      const root = minilm.slice(0, -"onnx/model_quantized.onnx".length);
      await using running = await startNativeCell({
        ...{ bundles, engines: ["onnx", "transformers"], native: [native], code: comparing },
        models: {
          minilm: {
            files: Object.fromEntries(
              [
                "config.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "onnx/model_quantized.onnx",
              ]
                .map((name) => [name, join(root, name)]),
            ),
          },
          float32: {
            files: {
              "m.onnx": await writeModel(folder, "m.onnx", squares({ size: 256, products: 3 })),
            },
          },
        },
      });
      const texts = ["The fox sleeps", "A lantern", "Where do foxes sleep at night?"];
      const embed = async (backend: string) => {
        const answer = await running.call("test.embed", { model: "minilm", texts, backend }) as {
          vectors: number[][];
          info: Record<string, unknown>;
        };
        assert.equal(answer.info["backend"], backend);
        return answer.vectors;
      };
      const [wasm, machine] = [await embed("wasm"), await embed("native")];
      // int8: kernels round otherwise, and each text is of the length 1.
      const cosines = wasm.map((vector, row) =>
        vector.reduce((sum, value, at) => sum + value * machine[row]![at]!, 0)
      );
      console.log(`MiniLM, int8: cosines of native and wasm ${cosines}`);
      for (const cosine of cosines) assert(cosine > int8Cosine, String(cosine));

      const run = async (backend: string) =>
        await running.call("test.run", { model: "float32", backend }) as number[];
      const [one, other] = [await run("wasm"), await run("native")];
      const scale = Math.max(...one.map(Math.abs));
      const largest = Math.max(...one.map((value, at) => Math.abs(value - other[at]!)));
      console.log(`float32: differs by at most ${largest / scale} of ${scale}`);
      assert(one.length === 256 && largest <= 1e-5 * scale);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

/** The least cosine of an int8 model's vectors on two backends. */
const int8Cosine = 0.999;

nativeTest(
  "a long run does not hold up the cell's main, and the cell's end is a typed error",
  async (native) => {
    const folder = await Deno.makeTempDir({ prefix: "bkg-test-" });
    try {
      const long = await writeModel(folder, "long.onnx", squares({ size: 1536, products: 24 }));
      const running = await startNativeCell({
        ...{ bundles, engines: ["onnx"], native: [native], code: comparing },
        models: { long: { files: { "long.onnx": long } } },
      });
      await using _ = running;
      await running.call("test.load", { model: "long", backend: "native" });
      let isOver = false;
      const run = running.call("test.again", {}).then(() => isOver = true);
      // The Worker has it by now.
      await running.call("test.echo", {});
      await running.cell.ping(60_000);
      assert.equal(isOver, false, "the ping waited for the run");
      await run;
      const lost = running.call("test.again", {});
      Deno.kill(running.cell.pid!, "SIGABRT");
      await assert.rejects(lost, { code: "CELL_LOST" });
      assert.equal((await running.cell.exited).reason, "crashed");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

nativeTest("an unloaded native model's memory comes back to the cell", async (native) => {
  const folder = await Deno.makeTempDir({ prefix: "bkg-test-" });
  try {
    const big = await writeModel(folder, "big.onnx", squares({ size: 3072, products: 1 }));
    await using running = await startNativeCell({
      ...{ bundles, engines: ["onnx"], native: [native], code: comparing },
      models: { big: { files: { "big.onnx": big } } },
    });
    const sizes: number[][] = [];
    // The first round brings code that stays.
    for (let round = 0; round < 4; round++) {
      await running.call("test.load", { model: "big", backend: "native" });
      await running.call("test.again", {});
      const loaded = readRssBytes(running.cell.pid!) ?? 0;
      await running.call("test.unload", {});
      sizes.push([loaded, await settle(running.cell.pid!)]);
    }
    const [before = 0, after = 0] = [sizes[0]![1], sizes.at(-1)![1]];
    const shown = sizes.map((pair) => pair.map((bytes) => (bytes / 2 ** 20).toFixed()).join(" > "));
    console.log(`MiB, loaded > unloaded: ${shown.join(", ")}`);
    assert(sizes[1]![0]! > before + 60 * 2 ** 20, "nothing was loaded");
    assert(after <= before * 1.1, `${after} after, ${before} before`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

nativeTest("a native engine that does not start says so, and auto takes wasm", async (native) => {
  const folder = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const lines: string[] = [];
  try {
    const model = await writeModel(folder, "m.onnx", squares({ size: 4, products: 1 }));
    await using running = await startNativeCell({
      ...{ bundles, engines: ["onnx"], native: [{ ...native, folder }], code: comparing },
      models: { m: { files: { "m.onnx": model } } },
      output: (line) => lines.push(line),
    });
    await assert.rejects(running.call("test.run", { model: "m", backend: "native" }), {
      code: "UNSUPPORTED_FEATURE",
      message: `The native engine "onnxruntime" ${native.version} does not start here`,
    });
    const answer = await running.call("test.run", { model: "m", backend: "auto" });
    assert.equal((answer as number[]).length, 4);
    assert(lines.some((line) => line.includes(folder)), "the log says why");
    assert(lines.some((line) => line.endsWith('"auto" takes wasm')), lines.join("\n"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Loads and runs models, on the backend that the call names. */
const comparing = `
  import { definePlugin } from "@bkg/plugin";
  const x = Float32Array.from({ length: 1 }, () => 0.5);
  const input = { x: { type: "float32", dims: [1, 1], data: x } };
  let kept;
  const load = async ({ model, backend }, ctx) =>
    ctx.engines.onnx.load(await ctx.models.open(model), { backend });
  export default definePlugin({ capabilities: {
    "test.echo": (input) => input,
    "test.load": async (input, { ctx }) => { kept = await load(input, ctx); return null; },
    "test.again": async () => { await kept.run(input); return null; },
    "test.unload": async () => { await kept.unload(); return null; },
    "test.run": async (order, { ctx }) => {
      const model = await load(order, ctx);
      const { outputs } = await model.run(input);
      await model.unload();
      return [...outputs.y.data];
    },
    "test.embed": async ({ model, texts, backend }, { ctx }) => {
      const opened = await ctx.models.open(model);
      const encoder = await ctx.engines.transformers.load(opened, { backend });
      const { vectors } = await encoder.embed(texts);
      const info = encoder.info();
      await encoder.unload();
      return { vectors: vectors.map((vector) => [...vector]), info };
    },
  } });
`;

/** Products of square matrices that depend on its input, so that nothing is done in advance; the first row's. */
function squares({ size, products }: { size: number; products: number }): TestModel {
  const scale = 4 / size;
  return {
    nodes: [
      { op: "Mul", inputs: ["w", "x"], outputs: ["p0"] },
      ...Array.from({ length: products }, (_, at) => ({
        ...{ op: "MatMul", inputs: [`p${at}`, "w"], outputs: [`p${at + 1}`] },
      })),
      { op: "ReduceMean", inputs: [`p${products}`], outputs: ["y"], attributes: { axes: [0] } },
    ],
    inputs: [{ name: "x", type: "float32", shape: [1, 1] }],
    outputs: [{ name: "y", type: "float32", shape: [1, size] }],
    weights: [floatWeight("w", [size, size], noise(size * size, { scale, seed: 1 }))],
  };
}

async function writeModel(folder: string, name: string, model: TestModel): Promise<string> {
  const path = join(folder, name);
  await Deno.writeFile(path, writeOnnx(model));
  return path;
}

function sharedFile(path: string): string | undefined {
  const file = join(projectRoot, "../shared/models", path);
  return skipUnless(path, existsSync(file) ? undefined : `${file} is not here`)
    ? undefined
    : Deno.realPathSync(file);
}

/** Resident bytes once they no longer fall. */
async function settle(pid: number): Promise<number> {
  let last = Infinity;
  for (let turn = 0; turn < 20; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const now = readRssBytes(pid) ?? 0;
    if (now > last * 0.99) return now;
    last = now;
  }
  return last;
}

async function bundle(source: string): Promise<string> {
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(projectRoot, source)],
    external: ["@bkg/plugin"],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2023",
    write: false,
    tsconfigRaw: "{}",
  });
  await esbuild.stop();
  return outputFiles[0]!.text;
}
