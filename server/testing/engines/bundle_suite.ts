// The suite's bundles: a plugin for a cell, a Worker's script for a page.

import * as esbuild from "esbuild";
import { join } from "node:path";
import { projectRoot } from "../../build/bundles.ts";

/** The text of the script at `path`, from the project's root; "@bkg/plugin" stays an import. */
export async function bundleSuite(path: string): Promise<string> {
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(projectRoot, path)],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2023",
    external: ["@bkg/plugin"],
    write: false,
    tsconfigRaw: "{}",
  });
  await esbuild.stop();
  return outputFiles[0]!.text;
}
