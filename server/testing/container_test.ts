// The container's build, as far as it can be shown without a container: its Deno, and what .dockerignore lets in.

import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { buildBundles, projectRoot } from "../build/bundles.ts";
import { includedPaths } from "../build/compile.ts";

Deno.test("Dockerfile: builds with the Deno that README names, and runs as a user without rights", async () => {
  const dockerfile = await read("Dockerfile");
  const [, version] = /deno@([\d.]+) task start/.exec(await read("README.md")) ?? [];
  assert.ok(version !== undefined && dockerfile.includes(`deno@${version}\n`), version);
  assert.match(dockerfile, /^USER [1-9]\d*:[1-9]\d*$/m);
});

Deno.test(".dockerignore: lets in all that the build reads, and none of the rest", async () => {
  const lines = (await read(".dockerignore")).split("\n");
  const allowed = lines.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
  const isIn = (path: string) =>
    allowed.some((name) => path === name || path.startsWith(`${name}/`)) &&
    !/_test\.ts$|(?:^|\/)node_modules\//.test(path);
  assert.equal(lines.find((line) => !/^(?:#|$)/.test(line)), "*");
  for (const name of allowed) assert.ok(await Deno.stat(join(projectRoot, name)), name);

  const sources = [
    ...await modulesOf("server/build/compile.ts"),
    ...await modulesOf("server/build/esbuild.ts"),
    ...await modulesOf("server/cli/main.ts"),
    ...await modulesOf("ui/main.ts"),
  ];
  await buildBundles({ log: () => {} });
  const data = (await includedPaths()).filter((path) => !path.startsWith("dist/"));
  assert.ok(sources.length > 100 && data.length > 0);
  assert.deepEqual([...sources, ...data].filter((path) => !isIn(path)), []);
  assert.deepEqual([".git/config", ".env", "dist/bkg", "docs/deploy.md"].filter(isIn), []);
});

/** The project's files that a module brings with it, below its root. */
async function modulesOf(entry: string): Promise<string[]> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--lock=deno.test.lock", entry],
    cwd: projectRoot,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: { local?: string; specifier: string }[];
  };
  return modules.filter(({ specifier }) => specifier.startsWith("file:"))
    .map(({ local }) => relative(projectRoot, local ?? ""));
}

function read(path: string): Promise<string> {
  return Deno.readTextFile(join(projectRoot, path));
}
