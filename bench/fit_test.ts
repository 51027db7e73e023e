import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { demoModelPath, measurePeak, predictPeak } from "./fit.ts";
import { generateGguf } from "./generate_gguf.ts";

const options = { ignore: Deno.build.os !== "linux" };

Deno.test(
  "predictPeak is within 20 % of what a real load and one answer took",
  options,
  async (t) => {
    const folder = await Deno.makeTempDir();
    try {
      const small = join(folder, "small", "random-15m-f16.gguf");
      const wide = join(folder, "wide", "random-48m-q8_0.gguf");
      for (const path of [small, wide]) await Deno.mkdir(dirname(path));
      const shape = { layers: 6, ffn: 768, contextLength: 4096 };
      await generateGguf({
        ...shape,
        ...{ path: small, dim: 288, heads: 6, kvHeads: 6, vocab: 32_000, type: "f16" },
      });
      await generateGguf({
        ...shape,
        ...{ path: wide, dim: 512, heads: 8, kvHeads: 4, vocab: 64_000, type: "q8_0" },
      });
      for (
        const [path, settings] of [
          [demoModelPath(), {}],
          [small, { contextLength: 512, parallel: 1 }],
          [wide, {}],
        ] as const
      ) {
        await t.step(path.slice(path.lastIndexOf("/") + 1), async () => {
          const predicted = (await predictPeak(path, settings)).peakBytes;
          const taken = await measurePeak(path, settings);
          const ratio = predicted / taken;
          assert.ok(ratio > 0.8 && ratio < 1.2, `predicted ${predicted}, took ${taken}`);
        });
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
