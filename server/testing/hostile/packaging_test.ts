// Plugins that attack before they run: bundles that take a stranger's file, links, manifests that lie.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { manifestSchema } from "../../../plugins/runtime/contract/manifest.ts";
import { createRegistry } from "../../../plugins/runtime/host/registry.ts";
import { bundlePlugin } from "../../build/esbuild.ts";
import { readExternalPlugin } from "../../services/plugin_folder.ts";

const secret = "TOP-SECRET-OF-THE-HOST";

/** Each: the plugin's files, and what the refusal says. Beside its folder lies secret.ts, .json and .css. */
const takers: Record<string, { files: Record<string, string>; says: RegExp }> = {
  "a file by ..": { files: { "plugin.ts": `export * from "../secret.ts";` }, says: /outside/ },
  "a file by a way through its own folder": {
    files: { "plugin.ts": `export * from "./a/../../secret.ts";`, "a/b.ts": "" },
    says: /outside/,
  },
  "a file by dynamic import": {
    files: { "plugin.ts": `export const taken = import("../secret.ts");` },
    says: /outside/,
  },
  "a file by require": {
    files: { "plugin.ts": `export const taken = require("../secret.ts");` },
    says: /outside/,
  },
  "every file of a folder by a computed import": {
    files: { "plugin.ts": 'export const take = (name) => import("../" + name + ".ts");' },
    says: /outside/,
  },
  "every file of a folder by a computed require": {
    files: { "plugin.ts": "export const take = (name) => require(`./../${name}.json`);" },
    says: /outside/,
  },
  "a file as JSON": {
    files: { "plugin.ts": `export { default } from "../secret.json" with { type: "json" };` },
    says: /outside/,
  },
  "a file as text": {
    files: { "plugin.ts": `export { default } from "../secret.ts" with { type: "text" };` },
    says: /outside/,
  },
  "a file by its absolute path": {
    files: { "plugin.ts": `export * from "/etc/passwd";` },
    says: /not available/,
  },
  "a file: URL": { files: { "plugin.ts": `export * from "file:///etc/passwd";` }, says: /URL/ },
  "an https: URL": {
    files: { "plugin.ts": `export * from "https://192.0.2.1/x.js";` },
    says: /URL/,
  },
  "a data: URL": {
    files: { "plugin.ts": `export * from "data:text/javascript,export default globalThis.Deno";` },
    says: /URL/,
  },
  "an npm: package": { files: { "plugin.ts": `export * from "npm:zod@4.6.7";` }, says: /URL/ },
  "a bare package": { files: { "plugin.ts": `export * from "esbuild";` }, says: /not available/ },
  "a built-in of Node": { files: { "plugin.ts": `export * from "node:fs";` }, says: /URL/ },
  "a subpath of @bkg/plugin": {
    files: { "plugin.ts": `export * from "@bkg/plugin/../../server/config.ts";` },
    says: /not available/,
  },
  "a file by package.json's browser map": {
    files: {
      "plugin.ts": `export * from "./inner.ts";`,
      "inner.ts": "export default 1;",
      "package.json": `{"name":"evil","browser":{"./inner.ts":"../secret.ts"}}`,
    },
    says: /outside/,
  },
  "a file by package.json's imports": {
    files: {
      "plugin.ts": `export * from "#inner";`,
      "package.json": `{"name":"evil","imports":{"#inner":"../secret.ts"}}`,
    },
    says: /not available/,
  },
  "a file by tsconfig's paths": {
    files: {
      "plugin.ts": `export * from "inner";`,
      "tsconfig.json": `{"compilerOptions":{"baseUrl":"..","paths":{"inner":["secret.ts"]}}}`,
    },
    says: /not available/,
  },
  "a file by CSS": {
    files: { "plugin.ts": `import "./style.css";`, "style.css": `@import "../secret.css";` },
    says: /outside/,
  },
  "a file by a link": {
    files: { "plugin.ts": `export * from "./link.ts";`, "link.ts -> ../secret.ts": "" },
    says: /outside/,
  },
  "a file by a linked folder": {
    files: { "plugin.ts": `export * from "./link/secret.ts";`, "link -> ..": "" },
    says: /outside/,
  },
  "a linked entry": { files: { "plugin.ts -> ../secret.ts": "" }, says: /outside/ },
};

for (const [what, { files, says }] of Object.entries(takers)) {
  Deno.test(`a bundle may not take ${what}`, async () => {
    await using room = await makeRoom(files);
    const target = join(room.path, "bundle.js");
    await assert.rejects(bundlePlugin(room.plugin, target), says);
    await assert.rejects(Deno.lstat(target), Deno.errors.NotFound);
  });
}

for (const link of ["plugin.js -> ../secret.ts", "inner -> ..", "a/b -> /etc/passwd"]) {
  Deno.test(`a plugin's folder may not hold the link "${link}"`, async () => {
    await using room = await makeRoom({
      "plugin.json": JSON.stringify(manifest({})),
      "plugin.ts": `export default 1;`,
      [link]: "",
    });
    const plugin = await readExternalPlugin(room.plugin, join(room.path, "cache"));
    await assert.rejects(plugin.loadCode(), { code: "INVALID_MANIFEST" });
  });
}

Deno.test("a linked plugin.json is not read", async () => {
  await using room = await makeRoom({ "plugin.json -> ../secret.json": "" });
  const { manifest } = await readExternalPlugin(room.plugin, join(room.path, "cache"));
  assert.ok(manifest instanceof Error);
  assert.ok(!manifest.message.includes(secret));
});

for (
  const [field, value] of [
    ["id", "../../evil"],
    ["id", "..%2fevil"],
    ["id", "__proto__"],
    ["id", "a/b"],
    ["id", "evil\u0000"],
    ["id", "x".repeat(65)],
    ["version", "1.0.0\u001b[2J"],
    ["limits", { memoryMb: 1e9 }],
    ["limits", { timeoutMs: -1 }],
    ["permissions", { everything: true }],
    ["permissions", { services: ["root"] }],
    ["capabilities", [{ id: "__proto__", title: "x", inputSchema: true, outputSchema: true }]],
    ["capabilities", []],
  ] as const
) {
  Deno.test(`a manifest may not say ${field}: ${JSON.stringify(value).slice(0, 60)}`, () => {
    const lying = manifest({ [field]: value });
    assert.equal(manifestSchema.safeParse(lying).success, false);
    const registry = createRegistry([{
      source: "../../evil",
      origin: "external",
      manifest: lying,
      loadCode: () => Promise.resolve(""),
    }], { now: Date.now });
    const [known] = registry.plugins.values();
    assert.equal(known?.problem?.code, "INVALID_MANIFEST");
    assert.match(known?.id ?? "", /^[a-z][a-z0-9-]*$/);
  });
}

function manifest(fields: Record<string, unknown>): Record<string, unknown> {
  const capability = { id: "evil.run", title: "Evil", inputSchema: true, outputSchema: true };
  return {
    contract: "1",
    id: "evil",
    name: "Evil",
    version: "1.0.0",
    capabilities: [capability],
    ...fields,
  };
}

/** A folder with a secret, and in it the plugin's; "name -> target" is a link. */
async function makeRoom(files: Record<string, string>) {
  const path = await Deno.makeTempDir({ prefix: "bkg-packaging-" });
  const plugin = join(path, "evil");
  await Deno.mkdir(plugin);
  await Deno.writeTextFile(join(path, "secret.ts"), `export default "${secret}";`);
  await Deno.writeTextFile(join(path, "secret.json"), JSON.stringify({ secret }));
  await Deno.writeTextFile(join(path, "secret.css"), `a { content: "${secret}" }`);
  for (const [entry, text] of Object.entries(files)) {
    const [name = "", target] = entry.split(" -> ");
    await Deno.mkdir(dirname(join(plugin, name)), { recursive: true });
    if (target === undefined) await Deno.writeTextFile(join(plugin, name), text);
    else await Deno.symlink(target, join(plugin, name));
  }
  return { path, plugin, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
