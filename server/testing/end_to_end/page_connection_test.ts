// What the page is made of, against a server as a person starts it: signing in, calls, the files that a browser
// takes to run a plugin itself, and a server that is killed and comes back.

import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "../../../plugins/runtime/contract/error.ts";
import type { LogLine } from "../../../plugins/runtime/host/host.ts";
import { createApi } from "../../../ui/api/client.ts";
import { createLive } from "../../../ui/api/live.ts";
import { createLocalSource } from "../../../ui/stores/local_source.ts";
import { createPlugins } from "../../../ui/stores/plugins.ts";
import { createSession } from "../../../ui/stores/session.ts";
import { createTabs } from "../../../ui/stores/testing_tabs.ts";
import { type ServerProcess, startServer } from "../server_process.ts";

const demo = "demo-stories-q8_0";
const story = { model: demo, messages: [{ role: "user", content: "Tell me a story" }] };
/** Said over and over, it fills the model's context: it lasts for seconds. */
const endlessStory = { ...story, maxTokens: 2000, temperature: 0, repeatPenalty: 0.7 };

Deno.test("the page's connection to a server", async (t) => {
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  let server = await startServer({ dataDir });
  await using parts = new AsyncDisposableStack();
  parts.defer(() => Deno.remove(dataDir, { recursive: true }));
  parts.defer(async () => void await server.end("SIGKILL"));
  const { url } = server;
  const page = parts.use(openPage(url));
  const { session, api, live, plugins } = page;

  await t.step("a wrong code is refused, a good one signs in, and works once", async () => {
    await rejects(session.signIn({ code: "A".repeat(32) }), "UNAUTHENTICATED");
    const code = await makeCode(server);
    await session.signIn({ code });
    assert.equal(await session.verify(), "valid");
    await rejects(session.signIn({ code }), "UNAUTHENTICATED");
    assert.notEqual(session.token, undefined);
  });

  await t.step(
    "the plugins come with the first message, their changes as they happen",
    async () => {
      live.open();
      await until(() => plugins.get("llmserver") !== undefined);
      assert.equal(plugins.get("llmserver")?.status, "stopped");
      await api.send("POST", "/api/plugins/llmserver/start");
      await until(() => plugins.get("llmserver")?.status === "running");
      await until(() => plugins.telemetry("llmserver") !== undefined);
    },
  );

  await t.step("a call streams, and one that is left ends on the server", async () => {
    const stream = api.stream("llm.chat", { ...story, maxTokens: 5 }, {});
    let items = 0;
    for (let next = await stream.next(); !next.done; next = await stream.next()) items++;
    assert.ok(items >= 5, `${items} items`);
    for await (const _ of api.stream("llm.chat", { ...story, maxTokens: 2000 }, {})) break;
    await until(async () =>
      (await api.get<{ active: number }>("/api/plugins/llmserver/telemetry")).active === 0
    );
    await rejects(api.stream("llm.chat", { model: 5 }, {}).next(), "INVALID_INPUT");
    await rejects(api.get("/api/plugins/none"), "NOT_FOUND");
  });

  await t.step("what a browser needs to run a plugin comes whole and compared", async () => {
    const source = createLocalSource({ api, plugins });
    const { manifest, digest, code } = await source.plugin("llmserver");
    assert.equal(manifest.id, "llmserver");
    assert.equal(digest, plugins.get("llmserver")?.bundleDigest);
    assert.match(code, /llm\.chat/);
    assert.ok((await source.asset("boot.js")).length > 1000);
    assert.ok((await source.models()).some(({ id }) => id === demo));
    const { files: [file] } = await source.model(demo);
    assert.ok(file !== undefined);
    const part = async (offset: number) => {
      const { signal } = new AbortController();
      const stream = await source.file(demo, file, { offset, signal });
      return new Uint8Array(await new Response(stream).arrayBuffer());
    };
    const whole = await part(0);
    assert.equal(whole.length, file.size);
    assert.equal(await sha256(whole), file.digest);
    assert.deepEqual(await part(file.size - 1000), whole.slice(-1000));
    const replaced = { ...file, digest: `sha256:${"0".repeat(64)}` };
    const { signal } = new AbortController();
    await rejects(source.file(demo, replaced, { offset: 10, signal }), "CONFLICT");
  });

  await t.step(
    "a killed server is found again after its return, nothing missed or doubled",
    async () => {
      const seen: LogLine[] = [];
      const marks: string[] = [];
      live.follow({ topic: "logs", pluginId: "llmserver", after: 0 }, {
        event: (event) => event.type === "logs" && void seen.push(...event.payload.lines),
        ready: () => void marks.push("ready"),
        gap: () => void marks.push("gap"),
      });
      await until(() => marks.length === 1 && seen.length > 0);
      const answer = api.stream("llm.chat", endlessStory, {});
      assert.equal((await answer.next()).done, false);
      await server.end("SIGKILL");
      await rejects(drain(answer), "UNAVAILABLE");
      await until(() => live.state.kind === "lost");
      assert.notEqual(session.token, undefined);

      server = await startServer({ dataDir, env: { BKG_PORT: new URL(url).port } });
      // Written before the page is back: its missing lines.
      await server.fetch("/api/plugins/llmserver/start", { method: "POST" });
      await until(() => live.state.kind === "open");
      await server.fetch("/api/plugins/llmserver/stop", { method: "POST" });
      await until(() => plugins.get("llmserver")?.status === "stopped");
      const kept =
        (await api.get<{ lines: LogLine[] }>("/api/plugins/llmserver/logs?lines=1000")).lines;
      await until(() => seen.at(-1)?.seq === kept.at(-1)?.seq);
      const seqs = seen.map(({ seq }) => seq);
      // The page may have seen more than is kept: a kill costs the file its lines of the last 200 ms.
      assert.deepEqual(seqs, [...new Set(seqs)].sort((a, b) => a - b));
      assert.deepEqual(kept.filter(({ seq }) => !seqs.includes(seq)), []);
      assert.deepEqual(marks, ["ready", "ready"]);
    },
  );

  await t.step("a session that ends elsewhere ends here: call, socket and page", async () => {
    await api.send("POST", "/api/plugins/llmserver/start");
    const answer = api.stream("llm.chat", endlessStory, {});
    assert.equal((await answer.next()).done, false);
    const authorization = `Bearer ${session.token}`;
    await (await fetch(`${url}/auth/logout`, { method: "POST", headers: { authorization } }))
      .text();
    await rejects(drain(answer), "UNAUTHENTICATED");
    await until(() => live.state.kind === "refused" || session.token === undefined);
    assert.match(session.notice ?? "", /sign in again/);
    await rejects(api.get("/api/plugins"), "UNAUTHENTICATED");
  });
});

function openPage(baseUrl: string) {
  const session = createSession({ storage: createTabs().open(), fetch, baseUrl });
  const api = createApi({ session, fetch, baseUrl });
  const live = createLive({ session, WebSocket, baseUrl });
  const plugins = createPlugins({ live, api });
  const dispose = () => {
    live.close();
    plugins[Symbol.dispose]();
    session[Symbol.dispose]();
  };
  return { session, api, live, plugins, [Symbol.dispose]: dispose };
}

async function makeCode(server: ServerProcess): Promise<string> {
  const response = await server.fetch("/auth/codes", { method: "POST" });
  return (await response.json() as { code: string }).code;
}

async function drain(stream: AsyncGenerator<unknown, unknown>): Promise<void> {
  for await (const _ of stream);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `sha256:${hash.toHex()}`;
}

async function rejects(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof AppError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const limitAtMs = performance.now() + 15_000;
  while (!await holds()) {
    assert.ok(performance.now() < limitAtMs, `not within 15 s: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
