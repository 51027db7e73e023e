// Every engine and backend in a real cell: as it is, with the GPU's driver let in, with native engines.

import { nativeEngineNames } from "../../../plugins/runtime/contract/native_engine.ts";
import { suiteEngines, support } from "../../../plugins/runtime/engines/conformance/support.ts";
import { testNativeEngine } from "../native_engines.ts";
import { skipUnless } from "../require.ts";
import { openCell } from "./cell_home.ts";
import { checkRefused, checkWorks } from "./check_home.ts";
import { gpuProblem } from "./gpu_problem.ts";
import { suiteModelsProblem } from "./suite_models.ts";

const plain = "engines in a cell: wasm, and what the operator did not add is refused";
Deno.test({
  name: plain,
  ignore: skipUnless(plain, suiteModelsProblem()),
  async fn(t) {
    await using home = await openCell();
    for (const engine of suiteEngines) {
      if (support[engine].wasm.cell.works) await checkWorks(t, home, { engine, backend: "wasm" });
      await checkRefused(t, home, { engine, backend: "webgpu", says: '"bkg engine add webgpu"' });
      await checkRefused(t, home, { engine, backend: "native", says: '"bkg engine add cpu"' });
    }
  },
});

const gpu = "engines in a cell on WebGPU";
Deno.test({
  name: gpu,
  ignore: skipUnless(gpu, suiteModelsProblem() ?? await gpuProblem()),
  async fn(t) {
    await using home = await openCell({ gpu: true });
    for (const engine of suiteEngines) {
      if (!support[engine].webgpu.cell.works) continue;
      await checkWorks(t, home, { engine, backend: "webgpu" });
    }
  },
});

for (const name of nativeEngineNames) {
  const test = `engines in a cell on native ${name}`;
  Deno.test({
    name: test,
    ignore: skipUnless(test, suiteModelsProblem()),
    async fn(t) {
      const installed = testNativeEngine(test, name);
      if (installed === undefined) return;
      await using home = await openCell({ native: [installed] });
      for (const engine of suiteEngines) {
        const isOwn = (engine === "wllama") === (name === "llama");
        if (!isOwn || !support[engine].native.cell.works) continue;
        await checkWorks(t, home, { engine, backend: "native" });
      }
    },
  });
}
