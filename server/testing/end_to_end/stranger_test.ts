// A stranger's plugin, as an administrator meets it: found, held back, consented to, revoked, asking for more.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { PluginGrants, PluginView } from "../../../plugins/runtime/host/host.ts";
import { projectRoot } from "../../build/bundles.ts";
import { type ServerProcess, startServer } from "../server_process.ts";

const asksForModels = { services: ["models"], models: ["*"] };
const asksForMore = { ...asksForModels, fetch: ["api.example.org"] };

const source = `
  import { definePlugin } from "@bkg/plugin";
  export default definePlugin({
    capabilities: {
      "stranger.models": async (_input: unknown, { ctx }) =>
        (await ctx.models.list()).map((model: { id: string }) => model.id),
    },
  });`;

Deno.test("a stranger's plugin does not start before bkg plugin grant, and is denied what is revoked", async () => {
  await using folder = await strangerFolder();
  await using server = await startServer({ env: { BKG_PLUGIN_PATHS: folder.path } });

  const held = await call(server);
  assert.equal(held.status, 409);
  assert.equal(held.body.code, "CONSENT_REQUIRED");
  assert.match(held.body.detail, /"models: \*".*"plugins\/stranger#permissions".*bkg plugin grant/);
  const started = await send(server, "POST", "/start");
  assert.deepEqual([started.status, started.body.code], [409, "CONSENT_REQUIRED"]);
  const bundle = await server.fetch("/api/plugins/stranger/bundle");
  assert.ok(bundle.status >= 400);
  await bundle.body?.cancel();
  const { status, needsConsent, lastError } = await view(server);
  assert.deepEqual([status, needsConsent], ["stopped", true]);
  assert.equal(lastError?.code, "CONSENT_REQUIRED");

  assert.match(await bkg(server, "plugin", "list"), /stranger .*needs consent/);
  assert.match(await bkg(server, "plugin", "grant", "stranger"), /Read every model on this server/);
  assert.equal((await view(server)).needsConsent, true);
  await bkg(server, "plugin", "grant", "stranger", "--all");
  const granted = await call(server);
  assert.equal(granted.status, 200, JSON.stringify(granted.body));
  assert.deepEqual(granted.body, ["demo-stories-q8_0"]);

  await bkg(server, "plugin", "grant", "stranger", "--none");
  const denied = await call(server);
  assert.deepEqual([denied.status, denied.body.code], [403, "GRANT_DENIED"]);
  assert.equal((await view(server)).status, "running");

  const { entries } = await (await server.fetch("/api/plugins/stranger/audit")).json();
  const seen = entries.map((entry: { action: string; object: string; outcome: string }) =>
    `${entry.action} ${entry.object} ${entry.outcome}`
  );
  const expected = [
    "invoke stranger.models denied",
    "start stranger failed",
    'grant +"models: *", +"services: models" ok',
    "service models.list ok",
    "invoke stranger.models ok",
    'grant -"models: *", -"services: models" ok',
    "service models.list denied",
  ];
  for (const line of expected) {
    assert.ok(seen.includes(line), `"${line}" is not in: ${seen.join(", ")}`);
  }
});

Deno.test("a newer version that asks for more waits: beside the old one, at a start of the server, until a consent", async () => {
  await using folder = await strangerFolder();
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const options = { env: { BKG_PLUGIN_PATHS: folder.path }, dataDir };
  try {
    let shown: string;
    {
      await using server = await startServer(options);
      shown = (await grants(server)).revision;
      const consented = await send(server, "PUT", `/grants?revision=${shown}`, asksForModels);
      assert.equal(consented.status, 200, JSON.stringify(consented.body));
      const autostart = await send(server, "POST", "/config", { autostart: true });
      assert.equal(autostart.status, 200, JSON.stringify(autostart.body));
      assert.equal((await call(server)).status, 200);

      await folder.write({ version: "2.0.0", permissions: asksForMore });
      const refused = await send(server, "POST", "/restart");
      assert.deepEqual([refused.status, refused.body.code], [409, "CONSENT_REQUIRED"]);
      assert.match(refused.body.detail, /2\.0\.0 .*\("fetch: api\.example\.org"\)/);
      const { status, version, needsConsent } = await view(server);
      assert.deepEqual([status, version, needsConsent], ["running", "1.0.0", true]);
      assert.deepEqual((await call(server)).body, ["demo-stories-q8_0"]);
      assert.match(await bkg(server, "plugin", "list"), /stranger .*running, needs consent/);

      // Who looked at the first version's request consents to nothing else, nor by a slip of the pen.
      const stale = await send(server, "PUT", `/grants?revision=${shown}`, asksForMore);
      assert.deepEqual([stale.status, stale.body.code], [409, "CONFLICT"]);
      for (const query of ["consent=yes", "revison=1"]) {
        assert.equal((await send(server, "PUT", `/grants?${query}`, asksForMore)).status, 400);
      }
      assert.equal((await view(server)).needsConsent, true);
      // What runs loses a grant at once, and the newer one waits on.
      const revoked = await send(server, "PUT", "/grants?consent=unchanged", {});
      assert.equal(revoked.body.consent, "needed");
      assert.equal((await call(server)).body.code, "GRANT_DENIED");
      await server.end("SIGTERM");
    }

    await using server = await startServer(options);
    const { status, version, needsConsent } = await view(server);
    assert.deepEqual([status, version, needsConsent], ["stopped", "2.0.0", true]);
    assert.equal((await call(server)).body.code, "CONSENT_REQUIRED");
    const { revision, consent, consented, granted } = await grants(server);
    assert.deepEqual([consent, consented?.models, granted.models], ["needed", ["*"], []]);
    const given = await send(server, "PUT", `/grants?revision=${revision}`, asksForModels);
    assert.deepEqual([given.body.consent, given.body.missing], ["given", [
      "fetch: api.example.org",
    ]]);
    // It starts with the host, so it was waited for.
    await until(async () => (await view(server)).status === "running");
    assert.deepEqual((await call(server)).body, ["demo-stories-q8_0"]);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

/** A folder for BKG_PLUGIN_PATHS with the plugin, whose plugin.json can be written anew. */
async function strangerFolder() {
  const path = await Deno.makeTempDir({ prefix: "bkg-strangers-" });
  const home = join(path, "stranger");
  await Deno.mkdir(home);
  const write = ({ version, permissions }: { version: string; permissions: object }) =>
    Deno.writeTextFile(
      join(home, "plugin.json"),
      JSON.stringify({
        contract: "1",
        id: "stranger",
        name: "Stranger",
        version,
        capabilities: [
          { id: "stranger.models", title: "Models", inputSchema: {}, outputSchema: {} },
        ],
        permissions,
        browser: true,
      }),
    );
  await write({ version: "1.0.0", permissions: asksForModels });
  await Deno.writeTextFile(join(home, "plugin.ts"), source);
  return {
    path,
    write,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

async function send(
  server: ServerProcess,
  method: "POST" | "PUT",
  path: string,
  body: unknown = {},
) {
  const answer = await server.fetch(`/api/plugins/stranger${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

async function call(server: ServerProcess) {
  const answer = await server.fetch("/api/capabilities/stranger.models", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  return { status: answer.status, body: await answer.json() };
}

async function view(server: ServerProcess): Promise<PluginView> {
  return await (await server.fetch("/api/plugins/stranger")).json();
}

async function grants(server: ServerProcess): Promise<PluginGrants & { revision: string }> {
  return await (await server.fetch("/api/plugins/stranger/grants")).json();
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + 10_000;
  while (!await holds()) {
    assert.ok(Date.now() < endMs, "It did not come to hold within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
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
