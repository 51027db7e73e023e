// ONNX models in a real cell, behind the real broker: a stranger's plugin of docs/examples, and what candle's cell weighs.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Grant } from "../../plugins/runtime/contract/grant.ts";
import { parseManifest } from "../../plugins/runtime/contract/manifest.ts";
import type { SpawnCell } from "../../plugins/runtime/host/cell.ts";
import { createPluginHost } from "../../plugins/runtime/host/plugin_host.ts";
import { buildBundles, projectRoot } from "../build/bundles.ts";
import { bundlePlugin } from "../build/esbuild.ts";
import { drawFace } from "../testing/drawn_face.ts";
import { skipUnless } from "../testing/require.ts";
import { readRssBytes } from "./proc.ts";
import { createSpawnCell } from "./spawn.ts";
import { createCellWatch } from "./watch.ts";

const { folder: bundles } = await buildBundles({ log: () => {} });
const modelFolder = await Deno.realPath(join(projectRoot, "../shared/models/yunet")).catch(() =>
  ""
);
const yunet = join(modelFolder, "yunet_n_320_320.onnx");
const problem = existsSync(yunet) ? undefined : `${yunet} is not here`;

function cellTest(name: string, run: () => Promise<void>): void {
  Deno.test({ name, ignore: skipUnless(name, problem), fn: run });
}

cellTest(
  "the example of docs/plugins.md finds a face in a cell, as somebody else's plugin",
  async () => {
    const folder = join(projectRoot, "docs/examples/yunet");
    assert((await Deno.readTextFile(join(folder, "plugin.ts"))).split("\n").length <= 40);
    const bundle = await Deno.makeTempFile({ suffix: ".js" });
    try {
      await bundlePlugin(folder, bundle);
      await using running = await startPlugin({ folder, bundle, origin: "external" });
      const pixels = drawFace().toBase64();
      const { faces } = await running.call("faces.detect", { pixels }) as {
        faces: { score: number; x: number; y: number; width: number; height: number }[];
      };
      assert.equal(faces.length, 1);
      const [{ score, x, y, width, height } = assert.fail()] = faces;
      assert(score > 0.8, String(score));
      assert(Math.abs(x + width / 2 - 160) < 10 && Math.abs(y + height / 2 - 160) < 10);
      assert(Math.abs(width - 124) < 20 && Math.abs(height - 160) < 25, `${width} x ${height}`);
      const wrong = running.call("faces.detect", { pixels: pixels.slice(4) });
      await assert.rejects(wrong, { code: "INVALID_INPUT" });
    } finally {
      await Deno.remove(bundle);
    }
  },
);

cellTest("an unloaded model's memory comes back to the cell", async () => {
  const folder = join(projectRoot, "plugins/candle");
  const bundle = join(bundles, "plugins/candle.js");
  await using running = await startPlugin({ folder, bundle, origin: "builtin" });
  const model = "yunet_n_320_320";
  const data = new Uint8Array(4 * 3 * 320 * 320).toBase64();
  const input = { data, shape: [1, 3, 320, 320] };
  // The first round brings code that stays.
  let before = 0;
  for (let round = 0; round < 2; round++) {
    const { loadMs } = await running.call("candle.model.load", { model }) as { loadMs: number };
    const times: number[] = [];
    for (let run = 0; run < 10; run++) {
      const { timings } = await running.call("candle.model.run", {
        ...{ model, inputs: { input }, outputs: ["cls_32"] },
      }) as { timings: { runMs: number } };
      times.push(timings.runMs);
    }
    const loaded = readRssBytes(running.pid()) ?? 0;
    await running.call("candle.model.unload", { model });
    const after = await settle(running.pid);
    if (round === 0) before = after;
    else {
      const [median = 0] = times.sort((a, b) => a - b).slice(5);
      const sizes = [before, loaded, after].map((bytes) => `${(bytes / 2 ** 20).toFixed()} MiB`);
      console.log(
        `yunet: loaded in ${loadMs.toFixed()} ms, a run takes ${
          median.toFixed(1)
        } ms; the cell has ` +
          `${sizes.join(", ")} before, loaded, unloaded`,
      );
      assert(loaded > before + 50 * 2 ** 20, `${loaded} is not more than ${before}`);
      // What calls left behind is V8's to clear, when it likes.
      assert(after - before < (loaded - before) * 0.3, `${after} are left of ${before}`);
    }
  }
});

/** Resident bytes once they no longer fall. */
async function settle(pid: () => number): Promise<number> {
  let last = Infinity;
  for (let turn = 0; turn < 20; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const now = readRssBytes(pid()) ?? 0;
    if (now > last * 0.99) return now;
    last = now;
  }
  return last;
}

async function startPlugin(
  { folder, bundle, origin }: { folder: string; bundle: string; origin: "builtin" | "external" },
) {
  const manifest = parseManifest(JSON.parse(await Deno.readTextFile(join(folder, "plugin.json"))));
  const watch = createCellWatch();
  let pid = 0;
  const spawn = createSpawnCell({ bundles, modelFolders: [modelFolder], watch });
  const spawnCell: SpawnCell = async (spec, options) => {
    const cell = await spawn(spec, options);
    pid = cell.pid ?? 0;
    return cell;
  };
  const granted: Grant = manifest.permissions;
  const model = { id: "yunet_n_320_320", format: "onnx", size: (await Deno.stat(yunet)).size };
  const host = createPluginHost({
    plugins: [{
      ...{ source: manifest.id, origin, manifest },
      loadCode: () => Deno.readTextFile(bundle),
    }],
    spawnCell,
    threads: 2,
    models: {
      list: () => Promise.resolve([model]),
      open: () =>
        Promise.resolve({
          ...model,
          files: [{ name: "yunet_n_320_320.onnx", path: yunet, size: model.size }],
          release: () => {},
        }),
    },
    state: {
      load: () => ({ enabled: true, consent: { requested: manifest.permissions, granted } }),
      save: () => {},
    },
  });
  const principal = { id: "operator", role: "operator" } as const;
  return {
    pid: () => pid,
    call: (capability: string, input: unknown) => host.bus.call(capability, input, { principal }),
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      watch[Symbol.dispose]();
    },
  };
}
