// Users, keys and the plugin apikeys as people meet them: `bkg user`, `bkg key` and HTTP on a real server, running and
// stopped; and the plugin's end, which changes nothing about who is who.

import assert from "node:assert/strict";
import { projectRoot } from "../../build/bundles.ts";
import { skipUnless } from "../require.ts";
import { type ServerProcess, startServer } from "../server_process.ts";

const source = ["run", "-A", "--no-prompt", "server/cli/main.ts"];
const password = "a horse with a battery";

Deno.test("an invited user makes a key by the plugin, which works on when the plugin is killed", async () => {
  await using server = await startServer();
  const env = { BKG_DATA_DIR: server.dataDir, BKG_URL: server.url };
  const invited = await bkg(["user", "add", "anna"], env);
  assert.equal(invited.code, 0, invited.err);
  const [, code] = /#invitation=(\S+)\n$/.exec(invited.out)!;
  const anna = await signIn(server, { invitation: code, password });
  assert.equal(
    (await send(server, "/auth/login", { body: { invitation: code, password } })).status,
    401,
  );
  const invoke = (bearer: string, name: string, body: unknown) =>
    send(server, `/api/capabilities/${name}`, { bearer, body });
  const scopes = ["invoke:auth.*", "account", "plugins:read"];
  const made = await invoke(anna, "auth.createKey", { name: "Anna's phone", scopes });
  assert.equal(made.status, 200, JSON.stringify(made.answer));
  const { key, view } = made.answer;
  const works = async () => (await send(server, "/api/plugins", { bearer: key })).status;
  assert.equal(await works(), 200);
  const listed = (await invoke(key, "auth.listKeys", {})).answer;
  assert.deepEqual(listed.keys.map(({ id }: { id: string }) => id), [view.id]);

  // Each acts as who calls, in one cell.
  const operators = await invoke(server.token, "auth.listKeys", {});
  assert.deepEqual(operators.answer, { keys: [] });
  const beyond = await invoke(key, "auth.createKey", { name: "k", scopes: ["invoke:*"] });
  assert.deepEqual([beyond.status, beyond.answer.code], [403, "FORBIDDEN"]);
  const callsAlone =
    (await invoke(anna, "auth.createKey", { name: "k", scopes: ["invoke:*"] })).answer.key;
  for (
    const [name, input] of [
      ["auth.createKey", { name: "k", scopes: ["invoke:*"] }],
      ["auth.listKeys", {}],
      ["auth.revokeKey", { id: view.id }],
      ["auth.validate", { key }],
      ["auth.login", { name: "anna", password }],
    ] as const
  ) {
    const refused = await invoke(callsAlone, name, input);
    assert.deepEqual([refused.status, refused.answer.details], [403, { scope: "account" }], name);
  }
  const wrong = await invoke(anna, "auth.login", { name: "anna", password: "not her password" });
  assert.equal(wrong.status, 403);

  // Killed, then stopped: keys are the server's affair.
  const { answer: { pid } } = await send(server, "/api/plugins/apikeys/telemetry", {
    bearer: server.token,
  });
  Deno.kill(pid, "SIGKILL");
  assert.equal(await works(), 200);
  await send(server, "/api/plugins/apikeys/stop", { bearer: server.token, method: "POST" });
  assert.equal(await works(), 200);
  assert.equal((await invoke(key, "auth.listKeys", {})).status, 409);
  assert.equal(
    await signIn(server, { name: "anna", password }).then((token) => typeof token),
    "string",
  );
  const revoked = await bkg(["key", "revoke", view.id, "--all"], env);
  assert.equal(revoked.code, 0, revoked.err);
  assert.equal(await works(), 401);
  assert.equal((await bkg(["user", "delete", "anna", "--yes"], env)).code, 0);
  assert.equal((await send(server, "/auth/me", { bearer: anna })).status, 401);
  const printed = server.output();
  for (const secret of [key, code!, password, anna]) assert.ok(!printed.includes(secret));
});

Deno.test("bkg user reset-password works with the server running, stopped, and not where one is hidden", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  try {
    const nowhere = { BKG_DATA_DIR: dataDir, BKG_PORT: "1" };
    const link = /^http:\S+\/#invitation=(\S+)\n$/;
    let old = "";
    {
      await using server = await startServer({ dataDir });
      const env = { BKG_DATA_DIR: dataDir, BKG_URL: server.url };
      const running = await bkg(["user", "reset-password"], env);
      assert.equal(running.code, 0, running.err);
      const [, code] = link.exec(running.out)!;
      old = await signIn(server, { invitation: code, password });
      // It runs, and the command looks for it elsewhere: the database is not opened under it.
      const hidden = await bkg(["user", "reset-password"], nowhere);
      assert.deepEqual([hidden.code, hidden.out], [1, ""]);
      assert.match(hidden.err, /is in use by another bkg/);
      const remote = await bkg(["user", "reset-password", "--url", "http://127.0.0.1:1"], env);
      assert.equal(remote.code, 3);
      assert.equal((await send(server, "/auth/me", { bearer: old })).status, 200);
      await server.end("SIGTERM");
    }
    const stopped = await bkg(["user", "reset-password"], nowhere);
    assert.equal(stopped.code, 0, stopped.err);
    assert.match(stopped.err, /The server is stopped/);
    const [, code] = link.exec(stopped.out)!;
    assert.equal((await bkg(["user", "reset-password", "nobody"], nowhere)).code, 1);
    assert.equal((await bkg(["user", "list"], nowhere)).code, 3);
    await using server = await startServer({ dataDir });
    assert.equal((await send(server, "/auth/me", { bearer: old })).status, 401);
    assert.equal(
      (await send(server, "/auth/login", { body: { name: "admin", password } })).status,
      401,
    );
    const again = "another horse and battery";
    await signIn(server, { invitation: code, password: again });
    await signIn(server, { name: "admin", password: again });
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test({
  name: "bkg user reset-password on a terminal takes a password that is not shown",
  ignore: skipUnless("reset-password on a terminal", terminalProblem()),
  fn: async () => {
    const typed = "typed without an echo";
    await using server = await startServer();
    const onTerminal = async (env: Record<string, string>) => {
      const child = new Deno.Command("script", {
        args: ["-qefc", `${Deno.execPath()} ${source.join(" ")} user reset-password`, "/dev/null"],
        cwd: projectRoot,
        env: { BKG_DATA_DIR: server.dataDir, NO_COLOR: "1", ...env },
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      const keys = child.stdin.getWriter();
      let shown = "";
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
        shown += text;
        if (/(?:instead\)|again): $/.test(text)) {
          await keys.write(new TextEncoder().encode(`${typed}\r`));
        }
      }
      await keys.close().catch(() => {});
      return { code: (await child.status).code, shown };
    };
    const running = await onTerminal({ BKG_URL: server.url });
    assert.equal(running.code, 0, running.shown);
    assert.match(running.shown, /admin signs in with the new password/);
    assert.doesNotMatch(running.shown, /typed/);
    await signIn(server, { name: "admin", password: typed });
  },
});

async function signIn(server: ServerProcess, body: unknown): Promise<string> {
  const { status, answer } = await send(server, "/auth/login", { body });
  assert.equal(status, 200, JSON.stringify(answer));
  return answer.token;
}

async function send(
  server: ServerProcess,
  path: string,
  { bearer, body, method }: { bearer?: string; body?: unknown; method?: string },
) {
  const response = await fetch(server.url + path, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: {
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, answer: text === "" ? undefined : JSON.parse(text) };
}

async function bkg(args: string[], env: Record<string, string>) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...source, ...args],
    cwd: projectRoot,
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
    signal: AbortSignal.timeout(60_000),
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** `script` gives a command a terminal of its own. */
function terminalProblem(): string | undefined {
  try {
    const { success } = new Deno.Command("script", {
      args: ["--version"],
      stdout: "null",
      stderr: "null",
    }).outputSync();
    if (success) return undefined;
  } catch {
    // Said below.
  }
  return '"script" of util-linux is absent';
}
