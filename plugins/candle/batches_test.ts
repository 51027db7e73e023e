import assert from "node:assert/strict";
import { Batches } from "./batches.ts";
import type { RunnableModel, Tensor } from "./settings.ts";

Deno.test("Batches runs calls alone where a model's outputs have other rows than it says", async () => {
  const info = { name: "x", type: "float32", shape: ["batch", 1] } as const;
  const model: RunnableModel = {
    ...{ kind: "onnx", backend: "wasm", threads: 1, bytes: 0, loadMs: 0 },
    ...{ inputs: [info], outputs: [{ ...info, name: "y" }], isBatchable: true, isBroken: false },
    run({ x }) {
      const sum = (x!.data as Float32Array).reduce((total, value) => total + value, 0);
      const y: Tensor = { type: "float32", dims: [1, 1], data: Float32Array.of(sum) };
      return Promise.resolve({ outputs: { y }, runMs: 0 });
    },
    unload: () => Promise.resolve(),
  };
  const batches = new Batches(model, { maxRows: 8 });
  const { signal } = new AbortController();
  const runs = [[1], [20], [300]].map((values) =>
    batches.run(
      { x: { type: "float32", dims: [1, 1], data: Float32Array.from(values) } },
      signal,
    )
  );
  const answers = await Promise.all(runs);
  assert.deepEqual(answers.map(({ outputs }) => [...outputs["y"]!.data]), [[1], [20], [300]]);
});
