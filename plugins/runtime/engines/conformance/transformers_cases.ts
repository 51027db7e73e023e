// The transformers engine on any backend: its texts run on the onnx engine, whose cases say the rest.

import type { TextEncoderModel } from "../transformers/interface.ts";
import { check, type EngineCase, equal, fails, loseGpu, near, type Suite } from "./suite.ts";

export const transformersCases: readonly EngineCase[] = [
  {
    name: "turns texts into the vectors that wasm makes of them, within 1e-5",
    async run(suite) {
      const found: Float32Array[][] = [];
      for (const backend of new Set(["wasm" as const, suite.backend])) {
        await using model = await load({ ...suite, backend });
        const info = model.info();
        equal([info.engine, info.backend], ["transformers", backend]);
        equal(info.device !== undefined, backend === "webgpu");
        const { vectors, promptTokens } = await model.embed(texts);
        equal(promptTokens, 10);
        found.push(vectors);
      }
      const [cpu, here = cpu] = found;
      for (const [at, vector] of here!.entries()) near(vector, cpu![at]!, 1e-5);
      check(Math.abs(here![0]![0]! - here![1]![0]!) > 1e-3, "two texts have one vector");
    },
  },
  {
    name: "an unloaded model is told so, and a file that is no model is refused",
    async run(suite) {
      const model = await load(suite);
      await model.unload();
      await fails(() => model.embed(texts), "UNAVAILABLE", "unloaded");
      const broken = await suite.open("broken");
      const refused = suite.engines.transformers.load(broken, { backend: suite.backend });
      const error = await refused.then(() => undefined, ({ code }) => code);
      check(error === "INVALID_MODEL" || error === "UNSUPPORTED_FEATURE", `it is ${error}`);
    },
  },
  {
    name: "a lost GPU ends its model, and a new load goes on",
    backends: ["webgpu"],
    async run(suite) {
      const model = await load(suite);
      const { vectors } = await model.embed(texts);
      const embedding = model.embed(texts);
      loseGpu();
      await fails(() => embedding, "UNAVAILABLE", "GPU was lost");
      check(model.isBroken, "it says that it goes on");
      await model.unload();
      await using again = await load(suite);
      near((await again.embed(texts)).vectors[0]!, vectors[0]!, 1e-5);
    },
  },
];

const texts = ["red fox", "blue bird fox fox"];

async function load(
  { engines, open, backend }: Suite,
): Promise<TextEncoderModel & AsyncDisposable> {
  const opened = await open("encoder");
  const model = await engines.transformers.load(opened, { backend });
  return Object.assign(model, {
    async [Symbol.asyncDispose]() {
      await model.unload();
      opened.close();
    },
  });
}
