// `deno task compile [--target TRIPLE] [--output PATH]`: one binary with the server, its plugins, their engines,
// the page and the demo model.

import { parseArgs } from "node:util";
import { join } from "node:path";
import { buildBundles, projectRoot } from "./bundles.ts";
import { bundleProgram } from "./program.ts";

export interface CompileOptions {
  output: string;
  /** Such as "aarch64-unknown-linux-gnu"; absent: this machine's. */
  target?: string | undefined;
  /** Stands in for Deno's base for binaries, which is downloaded otherwise. */
  base?: string;
}

/** What the binary holds besides the program's scripts, by paths below the project's root. */
export async function includedPaths(root: string = projectRoot): Promise<string[]> {
  const plugins: string[] = [];
  for await (const { name } of Deno.readDir(join(root, "dist/plugins"))) {
    if (name.endsWith(".js")) plugins.push(`plugins/${name.slice(0, -3)}/plugin.json`);
  }
  return [
    ...["boot.js", "cell.js", "prelude.js", "registry.json", "stamp.json"].map((name) =>
      `dist/${name}`
    ),
    ...["hash_worker.js", "onnxruntime_worker.js", "password_worker.js"].map((name) =>
      `dist/${name}`
    ),
    ...["database", "engines", "plugins", "page"].map((name) => `dist/${name}`),
    ...plugins.sort(),
    "models/demo/demo-stories-q8_0.gguf",
    "server/db/migrations",
  ];
}

/**
 * Deno 2.9 lets a program read /proc and /sys under `--allow-all` alone: one kind less, and cells' memory is neither
 * limited nor told (docs/decisions/0009). Each cell gives all of it up before a plugin's code runs.
 */
export const permissions = ["--no-prompt", "--allow-all"] as const;

/** Builds what goes in and runs `deno compile`; throws when it fails. */
export async function compile({ output, target, base }: CompileOptions): Promise<string> {
  await buildBundles({ log: (line) => console.log(line) });
  await bundleProgram({ root: projectRoot, folder: join(projectRoot, "dist/program") });
  const includes = (await includedPaths()).flatMap((path) => ["--include", path]);
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      // The scripts are whole: no package, no import map, no lock is asked for.
      ...["--no-check", "--no-config", "--no-lock", "--no-npm", "--no-remote"],
      ...["--unstable-worker-options", "--unstable-no-legacy-abort"],
      // As server/cells/command.ts gives it to a cell from source.
      "--v8-flags=--expose-gc",
      ...["--app-name", "bkg", "--output", output],
      ...(target === undefined ? [] : ["--target", target]),
      ...permissions,
      ...includes,
      "dist/program/main.js",
    ],
    cwd: projectRoot,
    env: { NO_COLOR: "1", ...(base === undefined ? {} : { DENORT_BIN: base }) },
    stdout: "piped",
    stderr: "piped",
  });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout) + decoder.decode(stderr);
  if (!success) throw new Error(`deno compile failed:\n${text}`);
  return text;
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: { output: { type: "string", default: "dist/bkg" }, target: { type: "string" } },
  });
  console.log(await compile({ output: values.output, target: values.target }));
}
