// What a test needs to run the conformance suite somewhere: its bundle, and the engine's assets as the build made them.

import * as esbuild from "esbuild";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { assetPath, engineAssets } from "../../contract/engine_assets.ts";

export async function bundleConformance(): Promise<string> {
  const { outputFiles } = await esbuild.build({
    entryPoints: [fileURLToPath(new URL("./conformance_worker.ts", import.meta.url))],
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

/** `folder`: dist, or what of it a page loads. */
export async function readAssets(
  folder: string,
  build = { canSuspend: true },
): Promise<Record<string, Uint8Array<ArrayBuffer>>> {
  const read = async (
    name: string,
  ) => [name, new Uint8Array(await readFile(`${folder}/${assetPath(name, build)}`))];
  return Object.fromEntries(await Promise.all(engineAssets.onnx.map(read)));
}
