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
  assert.match(after.printed.out, /^bad {2}plugin broken {2}.*the disk is on fire/);
  assert.doesNotMatch(after.printed.out.trimEnd(), /\p{Cc}/u);

  const wrongKey = terminal({ BKG_TOKEN: token, BKG_URL: server.url });
  assert.equal(await runCli(["doctor"], wrongKey.io), 1);
  assert.match(wrongKey.printed.out, /^ok +server .*\nbad +server +Send a valid key/);

  await server.end("SIGTERM");
  const gone = terminal(env);
  assert.equal(await runCli(["doctor", "--json"], gone.io), 3);
  const [finding] = JSON.parse(gone.printed.out) as { ok: boolean; what: string }[];
  assert.deepEqual([finding?.ok, finding?.what], [false, "server"]);
});

Deno.test("doctor: no key yet is no server", async () => {
  await using folder = await makeFolder();
  const { io, printed } = terminal({ BKG_DATA_DIR: folder.path });
  assert.equal(await runCli(["doctor", "-q"], io), 3);
  assert.match(printed.out, /^bad {2}server {2}There is no key/);
});

Deno.test("doctor: a server that drains is not ready", async () => {
  await using server = serve(() =>
    Response.json({ code: "UNAVAILABLE", detail: "The server is shutting down" }, { status: 503 })
  );
  const { io, printed } = terminal({ BKG_TOKEN: token, BKG_URL: server.url });
  assert.equal(await runCli(["doctor", "-q"], io), 1);
  assert.equal(printed.out, "bad  server  The server is shutting down\n");
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

function serve(answer: () => Response | Promise<Response>): { url: string } & AsyncDisposable {
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
    fetch,
  };
  return { io, printed };
}
