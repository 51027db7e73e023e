// `bkg doctor` against servers that are well, ill, silent and gone.

import assert from "node:assert/strict";
import { join } from "node:path";
import { startServer } from "../../testing/server_process.ts";
import type { CliIo } from "../command.ts";
import { runCli } from "../main.ts";

const token = "bkg_operator_" + "A".repeat(43);

Deno.test("doctor: a server that is well, with a plugin that is not", async () => {
  await using folder = await makeFolder();
  await writePlugin(join(folder.path, "broken"));
  await using server = await startServer({ env: { BKG_PLUGIN_PATHS: folder.path } });
  const env = { BKG_DATA_DIR: server.dataDir, BKG_URL: server.url };

  const before = terminal(env);
  assert.equal(await runCli(["doctor", "--quiet"], before.io), 0);
  assert.equal(before.printed.out, "");
  assert.equal(await runCli(["doctor"], before.io), 0);
  assert.match(
    before.printed.out,
    /^ok +server .* is ready\n(?:ok .*\n)*ok +plugin broken +stopped\n/,
  );

  await (await server.fetch("/api/plugins/broken/start", { method: "POST" })).body?.cancel();
  const after = terminal(env);
  assert.equal(await runCli(["doctor", "--quiet"], after.io), 0);
  assert.match(after.printed.out, /^warn {2}plugin broken {2}.*the disk is on fire/);
  assert.doesNotMatch(after.printed.out.trimEnd(), /\p{Cc}/u);

  const wrongKey = terminal({ BKG_TOKEN: token, BKG_URL: server.url });
  assert.equal(await runCli(["doctor"], wrongKey.io), 1);
  assert.match(wrongKey.printed.out, /^ok +server .*\nfail +server +Send a valid key/);

  await server.end("SIGTERM");
  const gone = terminal(env);
  assert.equal(await runCli(["doctor", "--json"], gone.io), 3);
  const [finding] = JSON.parse(gone.printed.out) as { state: string; what: string }[];
  assert.deepEqual([finding?.state, finding?.what], ["fail", "server"]);
});

Deno.test("doctor: before the first start it tells what is amiss with the machine", async () => {
  await using folder = await makeFolder();
  await using stranger = serve(() => new Response("<html>", { status: 200 }));
  const port = new URL(stranger.url).port;
  const env = { BKG_DATA_DIR: folder.path, BKG_PORT: port, BKG_TRUSTED_PROXIES: "10.0.0.1" };
  await Deno.chmod(folder.path, 0o755);
  const { io, printed } = terminal(env);
  assert.equal(await runCli(["doctor"], io), 3);
  assert.match(printed.out, /^fail +server +There is no key/);
  const stateOf = (what: string) =>
    new RegExp(`^(\\w+) +${what} +(.*)$`, "m").exec(printed.out)?.slice(1) ?? [];
  assert.match(stateOf("port").join(), /^fail,.*is in use, but not by this bkg: set BKG_PORT/);
  assert.match(stateOf("reach").join(), /^warn,.*BKG_TRUSTED_PROXIES: add "loopback"/);
  assert.match(stateOf("data folder").join(), /^warn,.*chmod 700/);
  assert.match(stateOf("database").join(), /^ok,PGlite/);
  assert.match(stateOf("clock").join(), /^ok,/);
  for (const what of ["disk", "memory", "GPU"]) assert.equal(stateOf(what).length, 2, what);

  const bad = terminal({ ...env, BKG_TLS_CERT: "/x" });
  assert.equal(await runCli(["doctor"], bad.io), 1);
  assert.match(bad.printed.out, /^fail {2}settings {2}BKG_TLS_KEY must be set.*\n$/);
  const only = terminal(env);
  assert.equal(await runCli(["doctor", "--server", "-q"], only.io), 3);
  assert.match(only.printed.out, /^fail {2}server {2}There is no key.*\n$/);
});

Deno.test("doctor: what answers and is no bkg fails, and the port with it", async () => {
  await using folder = await makeFolder();
  for (
    const [body, status] of [["<html>", 200], ["<html>", 404], ["{}", 200], ["null", 200]] as const
  ) {
    await using stranger = serve(() => new Response(body, { status }));
    const env = {
      BKG_TOKEN: token,
      BKG_PORT: new URL(stranger.url).port,
      BKG_DATA_DIR: folder.path,
    };
    const { io, printed } = terminal(env);
    assert.equal(await runCli(["doctor", "--json"], io), 1);
    const failed = (JSON.parse(printed.out) as { state: string; what: string; message: string }[])
      .filter(({ state }) => state === "fail");
    assert.deepEqual(failed.map(({ what }) => what), ["server", "port"], printed.out);
    assert.match(failed[0]!.message, /is no bkg: set BKG_PORT/);
  }
});

Deno.test("doctor: an unknown part is a mistake on the command line", async () => {
  const { io, printed } = terminal({});
  assert.equal(await runCli(["doctor", "cpu"], io), 2);
  assert.match(printed.err, /"gpu", not "cpu"/);
});

Deno.test("doctor: a server that drains is not ready", async () => {
  await using server = serve(() =>
    Response.json({ code: "UNAVAILABLE", detail: "The server is shutting down" }, { status: 503 })
  );
  const { io, printed } = terminal({ BKG_TOKEN: token, BKG_URL: server.url });
  assert.equal(await runCli(["doctor", "-q"], io), 1);
  assert.equal(printed.out, "fail  server  The server is shutting down\n");
});

Deno.test("doctor: backups that cannot be made are told of", async () => {
  const answers: Record<string, unknown> = {
    "/healthz": { status: "ok" },
    "/readyz": {},
    "/api/plugins": { plugins: [] },
    "/api/engines": { engines: [] },
    "/admin/settings": { backups: { lastAtMs: 0, failure: { message: "no room\u001b[2J" } } },
  };
  await using server = serve((request) => Response.json(answers[new URL(request.url).pathname]));
  const { io, printed } = terminal({ BKG_TOKEN: token, BKG_URL: server.url });
  assert.equal(await runCli(["doctor", "-q"], io), 0);
  assert.match(
    printed.out,
    /^warn +backups +cannot be made \(no room.*the last one is of 1970-01-01/,
  );
  assert.doesNotMatch(printed.out.trimEnd(), /\p{Cc}/u);
});

Deno.test("doctor: a server that hangs counts as gone, within the health check's 5 s", async () => {
  const never = Promise.withResolvers<Response>();
  await using server = serve(() => never.promise);
  const { io } = terminal({ BKG_TOKEN: token, BKG_URL: server.url });
  const startedMs = performance.now();
  assert.equal(await runCli(["doctor", "-q"], io), 3);
  assert.ok(performance.now() - startedMs < 4500);
  never.resolve(new Response());
});

async function writePlugin(folder: string): Promise<void> {
  await Deno.mkdir(folder);
  await Deno.writeTextFile(
    join(folder, "plugin.json"),
    JSON.stringify({
      contract: "1",
      id: "broken",
      name: "Broken",
      version: "1.0.0",
      capabilities: [{
        id: "broken.call",
        title: "Call",
        inputSchema: { type: "object" },
        outputSchema: {},
      }],
    }),
  );
  await Deno.writeTextFile(
    join(folder, "plugin.ts"),
    `import { definePlugin } from "@bkg/plugin";
export default definePlugin({
  setup() {
    throw new Error("the disk is on fire\\n\\u001b[2J");
  },
  capabilities: { "broken.call": () => ({}) },
});
`,
  );
}

function serve(
  answer: (request: Request) => Response | Promise<Response>,
): { url: string } & AsyncDisposable {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answer);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function makeFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "bkg-doctor-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

function terminal(env: Record<string, string>) {
  const printed = { out: "", err: "" };
  const io: CliIo = {
    env,
    out: (text) => void (printed.out += text),
    err: (text) => void (printed.err += text),
    interactive: false,
    readAll: () => Promise.resolve(""),
    openPrompt: () => assert.fail("nothing is asked"),
    askSecret: () => assert.fail("nothing is asked"),
    fetch,
  };
  return { io, printed };
}
