import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { PluginConfig, PluginConfigChange } from "../../../plugins/runtime/host/host.ts";
import { createPluginHost } from "../../../plugins/runtime/host/plugin_host.ts";
import type { InstalledPlugin } from "../../../plugins/runtime/host/registry.ts";
import { ask, createTestApp, token } from "../../testing/test_app.ts";

const key = { authorization: `Bearer ${token}` };
const json = { ...key, "content-type": "application/json" };

Deno.test("bundle refuses a plugin that is not for browsers, one that is broken, and an unknown one", async () => {
  await using world = createWorld();
  const refusal = async (id: string) => {
    const response = await world.get(`/api/plugins/${id}/bundle`);
    return { status: response.status, ...await response.json() };
  };
  const server = await refusal("server-only");
  assert.equal(server.status, 403);
  assert.match(server.detail, /"server-only" does not run in browsers: its plugin\.json/);
  const rival = await refusal("rival");
  assert.equal(rival.status, 409);
  assert.match(rival.detail, /Capability "page\.echo" belongs to the plugin "page"/);
  assert.equal((await refusal("broken")).status, 403);
  assert.equal((await refusal("none")).status, 404);
  assert.equal((await world.get("/api/plugins/page/bundle", { authorization: "" })).status, 401);
});

Deno.test("bundle is the plugin's own text, named by its SHA-256, and 304 while it stays", async () => {
  await using world = createWorld();
  const response = await world.get("/api/plugins/page/bundle");
  const digest = `sha256:${createHash("sha256").update(world.code.text).digest("hex")}`;
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/javascript; charset=utf-8");
  assert.equal(response.headers.get("x-content-type-options"), "nosniff");
  assert.equal(response.headers.get("x-bkg-digest"), digest);
  const etag = response.headers.get("etag")!;
  assert.equal(etag, `"${digest}"`);
  assert.equal(await response.text(), world.code.text);
  const again = await world.get("/api/plugins/page/bundle", { "if-none-match": etag });
  assert.equal(again.status, 304);
  assert.equal(await again.text(), "");
  world.code.text += "// another version";
  const newer = await world.get("/api/plugins/page/bundle", { "if-none-match": etag });
  assert.equal(newer.status, 200);
  assert.notEqual(newer.headers.get("etag"), etag);
  await newer.body?.cancel();
});

Deno.test("manifest is plugin.json as it was parsed, defaults and all", async () => {
  await using world = createWorld();
  const manifest = await (await world.get("/api/plugins/page/manifest")).json();
  assert.equal(manifest.browser, true);
  assert.equal(manifest.contract, "1");
  assert.equal(manifest.limits.memoryMb, 512);
  assert.equal((await world.get("/api/plugins/none/manifest")).status, 404);
});

Deno.test("config refuses what is no change, naming the field, and changes nothing", async () => {
  await using world = createWorld();
  for (
    const [body, pattern] of [
      [{ enable: true }, /enable/],
      [{ enabled: "yes" }, /\/enabled: /],
      [{ limits: { memoryMb: 1 } }, /\/limits\/memoryMb: /],
      [{ limits: { memory: 512 } }, /\/limits: .*memory/],
      [{ settings: [] }, /\/settings: /],
      [{ secrets: { token: 5 } }, /\/secrets\/token: /],
      ["enabled", /\(root\): /],
    ] as const
  ) {
    const response = await world.configure(body);
    assert.equal(response.status, 400);
    assert.match((await response.json()).detail, pattern);
  }
  const secret = await world.configure({ secrets: { token: ["do not repeat me"] } });
  assert.doesNotMatch(await secret.text(), /do not repeat me/);
  assert.deepEqual(world.changes, []);
});

Deno.test("config hands on only what is given, and answers what is in force", async () => {
  await using world = createWorld();
  const change = { autostart: true, limits: { memoryMb: 256 }, secrets: { token: null } };
  const response = await world.configure(change);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { ...config, autostart: true });
  assert.deepEqual(world.changes, [change]);
  assert.deepEqual(await (await world.get("/api/plugins/page/config")).json(), config);
});

const limits = {
  memoryMb: 512,
  cpuPercent: 100,
  timeoutMs: 60_000,
  concurrency: 16,
  queue: 256,
  idleTimeoutMs: 600_000,
};
const config: PluginConfig = {
  enabled: true,
  autostart: false,
  settingsSchema: {},
  settings: {},
  secretsSet: [],
  limits,
  defaultLimits: limits,
};

/** The routes over a real host; of its configuration only what reaches it is of interest here. */
function createWorld() {
  const code = { text: "export default 'ö';" };
  const plugin = (id: string, manifest: object): InstalledPlugin => ({
    source: id,
    origin: "external",
    manifest: {
      contract: "1",
      id,
      name: id,
      version: "1.0.0",
      capabilities: [{
        id: `${id}.echo`,
        title: "Echo",
        description: "",
        inputSchema: {},
        outputSchema: {},
      }],
      ...manifest,
    },
    loadCode: () => Promise.resolve(code.text),
  });
  const page = plugin("page", { browser: true });
  const { capabilities } = page.manifest as { capabilities: unknown[] };
  const host = createPluginHost({
    plugins: [
      page,
      plugin("server-only", {}),
      plugin("rival", { browser: true, capabilities }),
      plugin("broken", { browser: true, version: "one" }),
    ],
    spawnCell: () => assert.fail("nothing is started"),
    models: { list: () => Promise.resolve([]), open: () => assert.fail("nothing is opened") },
    threads: 1,
    state: { load: () => undefined, save: () => {} },
  });
  const changes: PluginConfigChange[] = [];
  const { app } = createTestApp({}, {
    host: {
      ...host,
      config: () => config,
      configure(_id, change) {
        changes.push(change);
        return Promise.resolve({ ...config, autostart: change.autostart ?? config.autostart });
      },
    },
  });
  return {
    code,
    changes,
    get: (path: string, headers: Record<string, string> = {}) =>
      app.fetch(ask(path, { headers: { ...key, ...headers } })),
    configure: (body: unknown) =>
      app.fetch(ask("/api/plugins/page/config", {
        method: "POST",
        headers: json,
        body: JSON.stringify(body),
      })),
    async [Symbol.asyncDispose]() {
      app.close();
      await host[Symbol.asyncDispose]();
    },
  };
}
