import assert from "node:assert/strict";
import { noPermissions } from "../../plugins/runtime/contract/grant.ts";
import type { PluginState } from "../../plugins/runtime/host/plugin_config.ts";
import { openJsonLines } from "./json_lines.ts";
import { openPluginState } from "./plugin_state.ts";

Deno.test("openPluginState keeps decisions across a restart, the last one of many", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/plugins.json`;
    const state = openPluginState(path);
    assert.equal(state.load("a"), undefined);
    const saves = [true, false, true, false].map((enabled) =>
      state.save("a", { enabled, grants: { ...noPermissions, models: ["*"] } })
    );
    await Promise.all(saves);
    const again = openPluginState(path).load("a");
    assert.equal(again?.enabled, false);
    assert.deepEqual(again?.grants?.models, ["*"]);
  });
});

Deno.test("openPluginState keeps a configuration as it was set, with no default beside it", async () => {
  await inFolder(async (folder) => {
    const state: PluginState = {
      enabled: true,
      autostart: true,
      settings: { threads: 2 },
      secrets: { apiKey: "hush" },
      limits: { memoryMb: 1024 },
    };
    await openPluginState(`${folder}/plugins.json`).save("a", state);
    assert.deepEqual(openPluginState(`${folder}/plugins.json`).load("a"), state);
    const { mode } = await Deno.stat(`${folder}/plugins.json`);
    assert.equal((mode ?? 0) & 0o777, 0o600);
  });
});

Deno.test("openPluginState refuses a damaged file instead of losing grants", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/plugins.json`;
    for (const text of ["{", '{"a":{"enabled":"yes"}}', '{"A b":{"enabled":true}}']) {
      await Deno.writeTextFile(path, text);
      assert.throws(() => openPluginState(path), { code: "CONFLICT" });
    }
  });
});

Deno.test("openJsonLines appends every record, turns the file over, and loses none at the end", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/audit.jsonl`;
    const failures: unknown[] = [];
    const failed = (error: unknown) => failures.push(error);
    for (let round = 0; round < 3; round++) {
      await using lines = openJsonLines({ path, maxBytes: 250, failed });
      for (let i = 0; i < 10; i++) lines.add({ round, i });
    }
    const read = (file: string) =>
      Deno.readTextFileSync(file).trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(read(path).length, 10);
    assert.deepEqual(read(path).at(-1), { round: 2, i: 9 });
    assert.equal(read(`${path}.1`)[0].round, 1);
    assert.deepEqual(failures, []);
  });
});

Deno.test("openJsonLines reports a folder that is gone, and goes on", async () => {
  const failures: unknown[] = [];
  const lines = openJsonLines({
    path: "/nowhere/at/all/audit.jsonl",
    failed: (error) => failures.push(error),
  });
  lines.add({ a: 1 });
  await lines[Symbol.asyncDispose]();
  assert.equal(failures.length, 1);
});

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
