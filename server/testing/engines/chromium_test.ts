// Every engine and backend in a page of Chromium: with its GPU in software, and without any.

import { suiteEngines, support } from "../../../plugins/runtime/engines/conformance/support.ts";
import { backends } from "../../../plugins/runtime/engines/engine.ts";
import { browserProblem } from "../browser/browser.ts";
import { skipUnless } from "../require.ts";
import { checkRefused, checkWorks } from "./check_home.ts";
import { openChromium } from "./chromium_home.ts";
import { suiteModelsProblem } from "./suite_models.ts";

const problem = browserProblem() ?? suiteModelsProblem();
const says = { wasm: "", webgpu: 'has no "shader-f16"', native: "no native engine" };

const gpu = "engines in Chromium, with SwiftShader for a GPU";
Deno.test({
  name: gpu,
  ignore: skipUnless(gpu, problem),
  async fn(t) {
    await using home = await openChromium({ gpu: true });
    for (const engine of suiteEngines) {
      for (const backend of backends) {
        const check = { engine, backend };
        if (support[engine][backend].chromium.works) await checkWorks(t, home, check);
        else await checkRefused(t, home, { ...check, says: says[backend] });
      }
    }
  },
});

const bare = "engines in Chromium without a GPU: WebGPU is refused";
Deno.test({
  name: bare,
  ignore: skipUnless(bare, problem),
  async fn(t) {
    await using home = await openChromium();
    for (const engine of suiteEngines) {
      await checkRefused(t, home, { engine, backend: "webgpu", says: "no GPU was found" });
    }
  },
});
