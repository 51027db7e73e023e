import assert from "node:assert/strict";
import { createSession, sessionKey } from "../stores/session.ts";
import { createTabs } from "../stores/testing_tabs.ts";
import { createLive, type Live, type LiveDeps } from "./live.ts";
import type { Tokens } from "../../server/auth/sign_in.ts";
import { goodPassword, visitor } from "../../server/testing/test_access.ts";
import { createLiveServer, type LiveServer } from "../../server/testing/live_server.ts";

Deno.test("live comes back within 2 s of a restart, and no line is missed or doubled", async () => {
  await using server = await createLiveServer();
  using page = await openPage(server);
  const seen = followLogs(page.live, 0);
  server.write("one", "first");
  await until(() => seen.lines.length === 1);
  for (let round = 0; round < 3; round++) {
    await server.stop();
    await until(() => page.live.state.kind === "lost");
    server.write("one", `while away ${round}`);
    server.write("two", `while away ${round}`);
    await pause(700);
    server.start();
    const startedAtMs = performance.now();
    await until(() => page.live.state.kind === "open");
    const tookMs = performance.now() - startedAtMs;
    assert.ok(tookMs < 2000, `${tookMs} ms`);
    server.write("one", `back ${round}`);
    await until(() => seen.lines.length === 4 + round * 3);
  }
  assert.deepEqual(seen.lines, [
    "first",
    ...[0, 1, 2].flatMap((round) => [
      `while away ${round}`,
      `while away ${round}`,
      `back ${round}`,
    ]),
  ]);
  assert.deepEqual(seen.marks, ["ready", "ready", "ready", "ready"]);
});

Deno.test("live connects when the server starts after the page", async () => {
  await using server = await createLiveServer();
  await server.stop();
  using page = await openPage(server);
  await until(() => page.live.state.kind === "lost");
  await pause(500);
  server.start();
  await until(() => page.live.state.kind === "open");
});

Deno.test("live ends the session when the server does, whichever way it is told", async (test) => {
  await test.step("by the socket's close code", async () => {
    await using server = await createLiveServer();
    using page = await openPage(server);
    await until(() => page.live.state.kind === "open");
    await server.access.signIn.signOut(await server.access.auth.authenticate(page.session.token));
    await until(() => page.live.state.kind === "refused");
    assert.equal(page.session.token, undefined);
    assert.match(page.session.notice ?? "", /sign in again/);
  });
  await test.step("by /auth/me, when the socket is refused", async () => {
    await using server = await createLiveServer();
    using page = await openPage(server, {}, { token: "x.y.z", refreshToken: "bkg_refresh_x_y" });
    await until(() => page.live.state.kind === "refused");
    assert.equal(page.session.token, undefined);
  });
});

Deno.test("live stays open across refreshes, and comes back with other rights", async () => {
  await using server = await createLiveServer();
  const { accounts, signIn } = server.access;
  const { user } = await accounts.create({ name: "eve", role: "user", password: goodPassword });
  const eve = await signIn.withPassword("eve", goodPassword, visitor);
  using page = await openPage(server, {}, eve);
  await until(() => page.live.state.kind === "open");
  const seen: string[] = [];
  page.live.subscribe(() => seen.push(page.live.state.kind));
  for (let round = 0; round < 3; round++) {
    assert.equal(await page.session.refresh(page.session.token!), "renewed");
    page.live.open();
  }
  assert.notEqual(page.session.token, eve.token);
  await pause(100);
  assert.deepEqual(seen, []);
  await accounts.change(user.id, { scopes: ["plugins:read", "account"] });
  await until(() => page.live.state.kind === "lost");
  await until(() => page.live.state.kind === "open");
  assert.deepEqual([...page.session.principal!.scopes].sort(), ["account", "plugins:read"]);
  await accounts.change(user.id, { disabled: true });
  await until(() => page.live.state.kind === "refused");
  assert.equal(page.session.token, undefined);
});

Deno.test("live opens with an access token that expired long ago", async () => {
  await using server = await createLiveServer();
  using page = await openPage(server, {}, { token: "x.y.z", expiresAtMs: 1 });
  await until(() => page.live.state.kind === "open");
  assert.deepEqual(server.requests.map((path) => path.replace("/bkg", "")), [
    "/auth/refresh",
    "/ws/plugins",
  ]);
});

Deno.test("live does not end a session for a proxy that lets no socket through", async () => {
  await using server = await createLiveServer();
  server.refuseSockets = true;
  using page = await openPage(server);
  await until(() => server.requests.filter((path) => path === "/bkg/auth/me").length >= 2);
  await until(() =>
    page.live.state.kind === "lost" && /do not come through/.test(page.live.state.reason)
  );
  assert.notEqual(page.session.token, undefined);
  server.refuseSockets = false;
  await until(() => page.live.state.kind === "open");
});

Deno.test("live leaves a server that says nothing any more, and keeps a quiet one", async () => {
  const patience = { quietMs: 100, answerMs: 200, connectTimeoutMs: 300 };
  await using quiet = await createLiveServer();
  using page = await openPage(quiet, patience);
  await until(() => page.live.state.kind === "open");
  await pause(700);
  assert.equal(page.live.state.kind, "open");
  assert.equal(quiet.requests.filter((path) => path.includes("/ws/")).length, 1);

  // As a machine that was suspended: the connection is there, and nothing comes.
  using relay = createRelay(quiet.baseUrl);
  using lost = await openPage({ ...quiet, baseUrl: relay.baseUrl }, patience);
  await until(() => lost.live.state.kind === "open");
  relay.frozen = true;
  await until(() => lost.live.state.kind === "lost");
  assert.ok(lost.live.state.kind === "lost" && /does not answer/.test(lost.live.state.reason));
  // A try that gets no answer at all is given up as well.
  await until(() => relay.connections >= 3);
  relay.frozen = false;
  await until(() => lost.live.state.kind === "open");
});

Deno.test("live keeps to its pace with a server that drops each connection", async () => {
  await using server = await createLiveServer();
  using page = await openPage(server);
  let opened = 0;
  let restarting: Promise<void> | undefined;
  page.live.subscribe(() => {
    if (page.live.state.kind !== "open") return;
    opened++;
    restarting = server.stop().then(() => server.start());
  });
  await pause(1500);
  assert.ok(opened >= 2 && opened <= 6, `${opened} connections in 1.5 s`);
  page.live.close();
  await restarting;
});

Deno.test("a hidden page waits longer, and tries at once when it is looked at", async () => {
  await using server = await createLiveServer();
  await server.stop();
  let look = () => {};
  const presence = { visible: false, watch: (listener: () => void) => (look = listener, () => {}) };
  using page = await openPage(server, { page: presence });
  const waits: number[] = [];
  page.live.subscribe(() => {
    if (page.live.state.kind === "lost") waits.push(page.live.state.retryAtMs - Date.now());
  });
  await until(() => waits.at(-1)! > 1600);
  server.start();
  presence.visible = true;
  look();
  const startedAtMs = performance.now();
  await until(() => page.live.state.kind === "open");
  assert.ok(performance.now() - startedAtMs < 500);
});

Deno.test("listeners of one topic share a subscription, and each gets the history it asked for", async () => {
  await using server = await createLiveServer();
  const first = server.write("one", "a");
  server.write("one", "b");
  using page = await openPage(server);
  const all = followLogs(page.live, 0, "one");
  const early = followLogs(page.live, 0, "one");
  await until(() => all.marks.length === 1 && early.marks.length === 1);
  const sameAgain = followLogs(page.live, undefined, "one");
  const late = followLogs(page.live, first, "one");
  // Written before the server has read of it: live for some, part of the replay for others.
  server.write("one", "c");
  await until(() => late.lines.length === 2);
  await until(() => all.lines.length === 3 && sameAgain.lines.length === 1);
  server.write("one", "d");
  await until(() => [all, early, sameAgain, late].every(({ lines }) => lines.at(-1) === "d"));
  assert.deepEqual(all.lines, ["a", "b", "c", "d"]);
  assert.deepEqual(early.lines, ["a", "b", "c", "d"]);
  assert.deepEqual(late.lines, ["b", "c", "d"]);
  assert.deepEqual(sameAgain.lines, ["c", "d"]);

  await server.stop();
  server.write("one", "e");
  server.start();
  await until(() => [all, early, sameAgain, late].every(({ lines }) => lines.at(-1) === "e"));
  for (const { lines, marks } of [all, early, sameAgain, late]) {
    assert.equal(new Set(lines).size, lines.length);
    assert.deepEqual(marks, ["ready", "ready"]);
  }
  for (const { stop } of [all, early, sameAgain]) stop();
  server.write("one", "f");
  await until(() => late.lines.at(-1) === "f");
  late.stop();
  server.write("one", "g");
  const again = followLogs(page.live, undefined, "one");
  await until(() => again.marks.length === 1);
  server.write("one", "h");
  await until(() => again.lines.length > 0);
  assert.deepEqual(again.lines, ["h"]);
  assert.equal(late.lines.at(-1), "f");
});

Deno.test("a follower of all plugins loses nothing to another's replay of one", async () => {
  await using server = await createLiveServer();
  using page = await openPage(server);
  const everything = followLogs(page.live, 0);
  await until(() => everything.marks.length === 1);
  const expected: string[] = [];
  for (let round = 0; round < 30; round++) {
    for (const pluginId of ["two", "one", "three"]) {
      expected.push(`${pluginId} ${round}`);
      server.write(pluginId, `${pluginId} ${round}`);
    }
    const one = followLogs(page.live, 0, "one");
    await until(() => one.lines.length === round + 1);
    one.stop();
  }
  await until(() => everything.lines.length >= expected.length);
  assert.deepEqual([...everything.lines].sort(), expected.sort());
});

Deno.test("a gap is told to who missed lines, and not to who asks for all that is kept", async () => {
  await using server = await createLiveServer();
  for (let count = 0; count < 1100; count++) server.write("one", `line ${count}`);
  using page = await openPage(server);
  const seen = followLogs(page.live, 0, "one");
  await until(() => seen.lines.length === 1000);
  assert.deepEqual(seen.marks, ["ready"]);
  await server.stop();
  for (let count = 1100; count < 2200; count++) server.write("one", `line ${count}`);
  server.start();
  await until(() => seen.lines.at(-1) === "line 2199");
  assert.equal(seen.lines.length, 2000);
  assert.equal(seen.lines[1000], "line 1200");
  assert.deepEqual(seen.marks, ["ready", "gap", "ready"]);
});

Deno.test("a server that counts anew is followed from its start", async () => {
  await using server = await createLiveServer();
  using page = await openPage(server);
  server.write("one", "old");
  const seen = followLogs(page.live, 0, "one");
  await until(() => seen.lines.length === 1);
  await server.stop();
  server.forget();
  server.write("one", "new");
  server.start();
  await until(() => seen.lines.length === 2);
  assert.deepEqual(seen.lines, ["old", "new"]);
  assert.ok(seen.marks.includes("gap"));
});

Deno.test("a listener that throws harms nobody else", async () => {
  await using server = await createLiveServer();
  const failures: unknown[] = [];
  using page = await openPage(server, { failed: (error) => failures.push(error) });
  page.live.follow({ topic: "logs", after: 0 }, {
    event() {
      throw new Error("a fault of the page");
    },
  });
  const seen = followLogs(page.live, 0);
  server.write("one", "fine");
  await until(() => seen.lines.length === 1);
  assert.equal(failures.length, 1);
  assert.equal(page.live.state.kind, "open");
});

Deno.test("close ends the socket and all tries; open takes another session", async () => {
  await using server = await createLiveServer();
  using page = await openPage(server);
  await until(() => page.live.state.kind === "open");
  page.live.open();
  page.live.close();
  assert.equal(page.live.state.kind, "closed");
  assert.equal(page.live.bootstrap, undefined);
  const other = await server.signIn();
  page.otherTab.set(sessionKey, JSON.stringify(other));
  await until(() => page.session.token === other.token);
  page.live.open();
  await until(() => page.live.state.kind === "open");
  assert.equal(server.requests.filter((path) => path.includes("/ws/")).length, 2);
});

async function openPage(
  server: Pick<LiveServer, "baseUrl" | "signIn">,
  options: Partial<LiveDeps> = {},
  tokens?: Partial<Tokens>,
) {
  const { baseUrl } = server;
  const tabs = createTabs();
  const storage = tabs.open();
  const otherTab = tabs.open();
  storage.set(sessionKey, JSON.stringify({ ...await server.signIn(), ...tokens }));
  const session = createSession({ storage, fetch, baseUrl, verifyTimeoutMs: 1000 });
  const live = createLive({ session, WebSocket, baseUrl, ...options });
  live.open();
  const dispose = () => {
    live.close();
    session[Symbol.dispose]();
  };
  return { session, live, otherTab, [Symbol.dispose]: dispose };
}

function followLogs(live: Live, after?: number, pluginId?: string) {
  const lines: string[] = [];
  const marks: string[] = [];
  const stop = live.follow({
    topic: "logs",
    ...(after === undefined ? {} : { after }),
    ...(pluginId === undefined ? {} : { pluginId }),
  }, {
    event(event) {
      assert.equal(event.type, "logs");
      if (event.type === "logs") lines.push(...event.payload.lines.map(({ message }) => message));
    },
    gap: () => marks.push("gap"),
    ready: () => marks.push("ready"),
  });
  return { lines, marks, stop };
}

/** Passes on what goes to the server, and what comes back while it is not frozen. */
function createRelay(baseUrl: string) {
  const target = new URL(baseUrl);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open: Deno.Conn[] = [];
  const relay = {
    baseUrl: `http://127.0.0.1:${listener.addr.port}${target.pathname}`,
    frozen: false,
    connections: 0,
    [Symbol.dispose]() {
      listener.close();
      for (const connection of open) connection.close();
    },
  };
  const pass = async (from: Deno.Conn, write: (bytes: Uint8Array) => Promise<unknown>) => {
    const bytes = new Uint8Array(65_536);
    for (let count = await from.read(bytes); count !== null; count = await from.read(bytes)) {
      await write(bytes.slice(0, count));
    }
  };
  const serve = async () => {
    for await (const client of listener) {
      relay.connections++;
      const server = await Deno.connect({ hostname: "127.0.0.1", port: Number(target.port) });
      open.push(client, server);
      pass(client, (bytes) => server.write(bytes)).catch(() => {});
      pass(server, async (bytes) => relay.frozen || await client.write(bytes)).catch(() => {});
    }
  };
  serve().catch(() => {});
  return relay;
}

async function until(holds: () => boolean): Promise<void> {
  const limitAtMs = performance.now() + 5000;
  while (!holds()) {
    assert.ok(performance.now() < limitAtMs, `not within 5 s: ${holds}`);
    await pause(5);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
