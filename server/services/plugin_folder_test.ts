import assert from "node:assert/strict";
import { join } from "node:path";
import { projectRoot } from "../build/bundles.ts";
import { findPluginFolders, readExternalPlugin } from "./plugin_folder.ts";

const manifest = JSON.stringify({ id: "stranger" });

Deno.test("readExternalPlugin bundles plugin.ts once, and again when it changed", async () => {
  await inFolder(
    { "plugin.json": manifest, "plugin.ts": "export default 'first';" },
    async (at) => {
      const plugin = await readExternalPlugin(at.plugin, at.cache);
      assert.match(await plugin.loadCode(), /first/);
      await plugin.loadCode();
      assert.equal([...Deno.readDirSync(at.cache)].length, 1);
      await Deno.writeTextFile(join(at.plugin, "plugin.ts"), "export default 'second one';");
      assert.match(await plugin.loadCode(), /second one/);
    },
  );
});

Deno.test("readExternalPlugin prefers the ready bundle plugin.js", async () => {
  const files = { "plugin.json": manifest, "plugin.js": "export default 1;", "plugin.ts": "(" };
  await inFolder(files, async (at) => {
    const plugin = await readExternalPlugin(at.plugin, at.cache);
    assert.equal(await plugin.loadCode(), "export default 1;");
    assert.deepEqual(plugin.manifest, { id: "stranger" });
  });
});

Deno.test("readExternalPlugin reads the plugin anew when it is asked to, manifest and bundle", async () => {
  const files = { "plugin.json": manifest, "plugin.js": "export default 1;" };
  await inFolder(files, async (at) => {
    const plugin = await readExternalPlugin(at.plugin, at.cache);
    await Deno.writeTextFile(join(at.plugin, "plugin.json"), '{"id":"stranger","version":"2"}');
    await Deno.writeTextFile(join(at.plugin, "plugin.js"), "export default 2;");
    const again = await plugin.reread?.();
    assert.deepEqual(again?.manifest, { id: "stranger", version: "2" });
    assert.deepEqual(plugin.manifest, { id: "stranger" });
    assert.equal(await again?.loadCode(), "export default 2;");
    await Deno.remove(at.plugin, { recursive: true });
    assert.ok((await plugin.reread?.())?.manifest instanceof Error);
  });
});

Deno.test("readExternalPlugin keeps a broken manifest as an error that names what is wrong", async () => {
  await inFolder({ "plugin.json": "{ nope" }, async (at) => {
    const { manifest: value } = await readExternalPlugin(at.plugin, at.cache);
    assert.ok(value instanceof Error);
    assert.match(value.message, /plugin\.json is no valid JSON/);
  });
  await inFolder({ "plugin.json": " ".repeat(1_048_577) }, async (at) => {
    const { manifest: value } = await readExternalPlugin(at.plugin, at.cache);
    assert.match((value as Error).message, /1048577 bytes, allowed are 1048576/);
  });
});

Deno.test("readExternalPlugin refuses a folder with a link, wherever it lies", async () => {
  await inFolder({ "plugin.json": manifest, "plugin.js": "export default 1;" }, async (at) => {
    await Deno.mkdir(join(at.plugin, "data"));
    await Deno.symlink("/etc/passwd", join(at.plugin, "data", "notes.txt"));
    const plugin = await readExternalPlugin(at.plugin, at.cache);
    await assert.rejects(plugin.loadCode(), { code: "INVALID_MANIFEST", message: /notes\.txt/ });
  });
  await inFolder({}, async (at) => {
    await Deno.symlink("/etc/hostname", join(at.plugin, "plugin.json"));
    const { manifest: value } = await readExternalPlugin(at.plugin, at.cache);
    assert.match((value as Error).message, /not a plain file/);
  });
});

Deno.test("readExternalPlugin says what does not bundle, and that there is nothing to bundle", async () => {
  const files = { "plugin.json": manifest, "plugin.ts": 'import "left-pad"; export default 1;' };
  await inFolder(files, async (at) => {
    const plugin = await readExternalPlugin(at.plugin, at.cache);
    await assert.rejects(plugin.loadCode(), { code: "INVALID_MANIFEST", message: /left-pad/ });
  });
  await inFolder({ "plugin.json": manifest }, async (at) => {
    const plugin = await readExternalPlugin(at.plugin, at.cache);
    await assert.rejects(plugin.loadCode(), { code: "INVALID_MANIFEST" });
  });
});

Deno.test("findPluginFolders finds a plugin, a folder of plugins, and nothing where nothing is", async () => {
  const examples = join(projectRoot, "docs/examples");
  assert.deepEqual(
    (await findPluginFolders(examples)).sort(),
    ["wordcount", "yunet"].map((name) => join(examples, name)),
  );
  assert.deepEqual(await findPluginFolders(join(examples, "wordcount")), [
    join(examples, "wordcount"),
  ]);
  assert.deepEqual(await findPluginFolders("/nowhere/at/all"), []);
});

async function inFolder(
  files: Record<string, string>,
  run: (at: { plugin: string; cache: string }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const at = { plugin: join(folder, "plugin"), cache: join(folder, "cache") };
  await Deno.mkdir(at.plugin);
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(join(at.plugin, name), text);
  }
  try {
    await run(at);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
