// A stranger's plugin, as an operator meets it: found, without grants, granted, revoked.

import assert from "node:assert/strict";
import { join } from "node:path";
import { projectRoot } from "../../build/bundles.ts";
import { type ServerProcess, startServer } from "../server_process.ts";

const manifest = {
  contract: "1",
  id: "stranger",
  name: "Stranger",
  version: "1.0.0",
  capabilities: [{ id: "stranger.models", title: "Models", inputSchema: {}, outputSchema: {} }],
  permissions: { services: ["models"], models: ["*"] },
};

const source = `
  import { definePlugin } from "@bkg/plugin";
  export default definePlugin({
    capabilities: {
      "stranger.models": async (_input: unknown, { ctx }) =>
        (await ctx.models.list()).map((model: { id: string }) => model.id),
    },
  });`;

Deno.test("a stranger's plugin has no grants until bkg plugin grant, and none after they are revoked", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(join(folder, "stranger"));
  await Deno.writeTextFile(join(folder, "stranger", "plugin.json"), JSON.stringify(manifest));
  await Deno.writeTextFile(join(folder, "stranger", "plugin.ts"), source);
  await using server = await startServer({ env: { BKG_PLUGIN_PATHS: folder } });

  const denied = await call(server);
  assert.equal(denied.status, 403);
  assert.equal(denied.body.code, "GRANT_DENIED");
  assert.match(denied.body.detail, /bkg plugin grant stranger/);

  assert.match(await bkg(server, "plugin", "list"), /stranger .*models: \*/);
  await bkg(server, "plugin", "grant", "stranger", "--all");
  const granted = await call(server);
  assert.equal(granted.status, 200, JSON.stringify(granted.body));
  assert.deepEqual(granted.body, ["demo-stories-q8_0"]);

  await bkg(server, "plugin", "grant", "stranger", "--none");
  assert.equal((await call(server)).status, 403);

  const { entries } = await (await server.fetch("/api/plugins/stranger/audit")).json();
  const seen = entries.map((entry: { action: string; outcome: string }) =>
    `${entry.action} ${entry.outcome}`
  );
  for (const expected of ["service denied", "grant ok", "service ok", "invoke ok"]) {
    assert.ok(seen.includes(expected), `"${expected}" is not in: ${seen.join(", ")}`);
  }
  await Deno.remove(folder, { recursive: true });
});

async function call(server: ServerProcess) {
  const answer = await server.fetch("/api/capabilities/stranger.models", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  return { status: answer.status, body: await answer.json() };
}

async function bkg(server: ServerProcess, ...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "server/cli/main.ts", ...args],
    cwd: projectRoot,
    env: { BKG_DATA_DIR: server.dataDir, BKG_URL: server.url, NO_COLOR: "1" },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
