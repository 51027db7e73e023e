// The onnx engine on any backend: the CPU's numbers within a stated tolerance, runs that end, models that go on without
// each other. What it does with types, shapes and bad input is onnx/conformance.ts.

import type { Backend } from "../engine.ts";
import type { OnnxModel, Tensor } from "../onnx/interface.ts";
import { noise } from "../onnx/testing_models.ts";
import { check, type EngineCase, equal, fails, loseGpu, near, type Suite } from "./suite.ts";

export const onnxCases: readonly EngineCase[] = [
  {
    name: "tells what it runs on, as observed, and takes the threads that the host gives",
    async run(suite) {
      await using model = await load(suite, "squares", { threads: 2 });
      const { engine, backend, device, threads, inputs, outputs, loadMs } = model.info();
      equal([engine, backend, threads], ["onnx", suite.backend, suite.threads]);
      equal(device !== undefined, backend === "webgpu");
      equal(inputs, [{ name: "x", type: "float32", shape: [1, 1] }]);
      equal(outputs.map(({ name }) => name), ["y"]);
      check(loadMs > 0, "loadMs");
    },
  },
  {
    name: "answers of an image what wasm answers, within 1e-5",
    async run(suite) {
      const input: Tensor = {
        ...{ type: "float32", dims: [1, 3, 320, 320] },
        data: noise(3 * 320 * 320, { scale: 255, seed: 7 }),
      };
      const ask = async (backend: Backend) => {
        await using model = await load({ ...suite, backend }, "faces");
        return (await model.run({ input })).outputs;
      };
      const here = await ask(suite.backend);
      const means = Object.values(here).map(({ data }) => mean(data as Float32Array));
      near(means, faceMeans, 1e-5);
      if (suite.backend === "wasm") return;
      const cpu = await ask("wasm");
      for (const [name, { data }] of Object.entries(here)) {
        near(data as Float32Array, cpu[name]!.data as Float32Array, 1e-5);
      }
    },
  },
  {
    name: "a cancelled run ends at once, and the next one is right",
    async run(suite) {
      await using model = await load(suite, "squares");
      const whole = await model.run({ x });
      const leave = new AbortController();
      const all = [0, 1, 2].map((at) => model.run({ x }, at === 1 ? { signal: leave.signal } : {}));
      leave.abort();
      await fails(() => all[1]!, "CANCELLED");
      for (const { outputs } of await Promise.all([all[0]!, all[2]!])) {
        equal([...outputs["y"]!.data], [...whole.outputs["y"]!.data]);
      }
    },
  },
  {
    name: "two models at once answer each what they answer alone, and one is unloaded alone",
    async run(suite) {
      await using one = await load(suite, "squares");
      const other = await load(suite, "squares");
      const [first, second] = await Promise.all([one.run({ x }), other.run({ x })]);
      equal([...first.outputs["y"]!.data], [...second.outputs["y"]!.data]);
      await other.unload();
      await fails(() => other.run({ x }), "UNAVAILABLE", "unloaded");
      equal([...(await one.run({ x })).outputs["y"]!.data], [...first.outputs["y"]!.data]);
      check(!one.isBroken, "the other one is broken");
    },
  },
  {
    name: "a wrong input and a file that is no model are refused, and the next run is right",
    async run(suite) {
      await using model = await load(suite, "squares");
      const wide: Tensor = { ...x, dims: [1, 2], data: new Float32Array(2) };
      await fails(() => model.run({ x: wide }), "INVALID_INPUT", "float32[1, 1]");
      await fails(() => model.run({}), "INVALID_INPUT", '"x" is missing');
      const broken = await suite.open("broken");
      await fails(
        () => suite.engines.onnx.load(broken, { backend: suite.backend }),
        "INVALID_MODEL",
      );
      equal((await model.run({ x })).outputs["y"]!.dims, [1, 1]);
    },
  },
  {
    name: "a lost GPU ends its model in mid-run, no other, and a new load runs on",
    backends: ["webgpu"],
    async run(suite) {
      await using other = await load({ ...suite, backend: "wasm" }, "squares");
      {
        await using model = await load(suite, "squares");
        await model.run({ x });
        const runs = [model.run({ x }), model.run({ x })];
        loseGpu();
        await Promise.all(runs.map((run) => fails(() => run, "UNAVAILABLE", "GPU was lost")));
        check(model.isBroken, "it says that it goes on");
        await fails(() => model.run({ x }), "UNAVAILABLE");
        check(!other.isBroken, "the other one is broken");
      }
      await using again = await load(suite, "squares");
      const [cpu, gpu] = [await other.run({ x }), await again.run({ x })];
      near(
        gpu.outputs["y"]!.data as Float32Array,
        cpu.outputs["y"]!.data as Float32Array,
        1e-4,
      );
    },
  },
];

/** Of the face finder's twelve answers to that image. */
const faceMeans: readonly number[] = [
  ...[0.27264337, 0.32545231, 0.33983283, 0.01099066, 0.0095593, 0.00595076],
  ...[0.01444879, -0.15235468, -0.17993086, 0.5359883, 0.54849028, 0.7193436],
];

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const x = { type: "float32", dims: [1, 1], data: Float32Array.of(1) } satisfies Tensor;

async function load(
  { engines, open, backend }: Suite,
  name: "faces" | "squares",
  options: Parameters<Suite["engines"]["onnx"]["load"]>[1] = {},
): Promise<OnnxModel & AsyncDisposable> {
  const opened = await open(name);
  const model = await engines.onnx.load(opened, { ...options, backend });
  return Object.assign(model, {
    async [Symbol.asyncDispose]() {
      await model.unload();
      opened.close();
    },
  });
}
