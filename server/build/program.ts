// The server as plain JavaScript, for `deno compile`: npm packages bundled in, so that the binary holds no
// package tree. Depth matters: below dist/program/ a module finds the project's root where server/build/ does.

import * as esbuild from "esbuild";
import { join } from "node:path";
import { linkNpmPackages } from "./npm_package.ts";

export interface BundleProgramOptions {
  root: string;
  /** dist/program */
  folder: string;
}

export async function bundleProgram({ root, folder }: BundleProgramOptions): Promise<void> {
  await using packages = await linkNpmPackages(root);
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await esbuild.build({
    entryPoints: { main: join(root, "server/cli/main.ts") },
    bundle: true,
    // One chunk for a cell, which must start fast, apart from the server's.
    splitting: true,
    format: "esm",
    platform: "node",
    target: "es2023",
    minifySyntax: true,
    nodePaths: [packages.folder],
    // CommonJS packages ask for Node's modules by name.
    banner: { js: requireShim },
    legalComments: "external",
    outdir: folder,
    logLevel: "silent",
    tsconfigRaw: "{}",
    absWorkingDir: root,
  });
  await esbuild.stop();
}

const requireShim =
  `import { createRequire as bkgCreateRequire } from "node:module"; const require = bkgCreateRequire(import.meta.url);`;
