// `bkg backup` and `bkg restore` as a person runs them, and what a restarted server still knows.

import assert from "node:assert/strict";
import { join } from "node:path";
import { projectRoot } from "../../build/bundles.ts";
import { startServer } from "../server_process.ts";

Deno.test("a server is backed up while it runs, and restored into another data folder", async () => {
  const folder = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const file = join(folder, "backup.bkg");
  const [one, two] = [join(folder, "one"), join(folder, "two")];
  {
    await using server = await startServer({ dataDir: one });
    const disabled = await server.fetch("/api/plugins/llmserver/config", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ enabled: false }),
    });
    assert.equal(disabled.status, 200, await disabled.text());
    const taken = await bkg(["backup", file], { BKG_DATA_DIR: one, BKG_URL: server.url });
    assert.equal(taken.code, 0, taken.text);
    const refused = await bkg(["restore", file], { BKG_DATA_DIR: one });
    assert.equal(refused.code, 1);
    assert.match(refused.text, /is in use by another bkg/);
    const { status } = await fetch(`${server.url}/admin/backup`);
    assert.equal(status, 401);
    const left = await Array.fromAsync(Deno.readDir(join(one, "backups")));
    assert.deepEqual(left, []);
    // No time to say goodbye: what was answered with 200 must be there.
    await server.end("SIGKILL");
  }
  assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
  assert.equal((await bkg(["restore", file], { BKG_DATA_DIR: two })).code, 0);
  const again = await bkg(["restore", file], { BKG_DATA_DIR: two });
  assert.equal(again.code, 1);
  assert.match(again.text, /--force/);
  assert.equal((await bkg(["restore", "--force", file], { BKG_DATA_DIR: two })).code, 0);
  const stopped = await bkg(["backup", join(folder, "stopped.bkg")], { BKG_DATA_DIR: two });
  assert.match(stopped.text, /plugins +1 rows/);
  for (const dataDir of [one, two]) {
    await using server = await startServer({ dataDir });
    const plugin = await (await server.fetch("/api/plugins/llmserver")).json();
    assert.equal(plugin.enabled, false);
  }
  await Deno.remove(folder, { recursive: true });
});

async function bkg(args: string[], env: Record<string, string>) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "server/cli/main.ts", ...args],
    cwd: projectRoot,
    env: { ...env, NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}
