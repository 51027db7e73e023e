import assert from "node:assert/strict";
import { createSession, sessionKey } from "../stores/session.ts";
import { createTabs } from "../stores/testing_tabs.ts";
import { createLive, type Live, type LiveDeps } from "./live.ts";
import { createLiveServer, type LiveServer } from "./testing_live_server.ts";

Deno.test("live comes back within 2 s of a restart, and no line is missed or doubled", async () => {
  await using server = createLiveServer();
  using page = openPage(server);
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
  await using server = createLiveServer();
  await server.stop();
  using page = openPage(server);
  await until(() => page.live.state.kind === "lost");
  await pause(500);
  server.start();
  await until(() => page.live.state.kind === "open");
});

Deno.test("live ends the session when the server does, whichever way it is told", async (test) => {
  await test.step("by the socket's close code", async () => {
    await using server = createLiveServer();
    using page = openPage(server);
    await until(() => page.live.state.kind === "open");
    server.closeAll(4401);
    await until(() => page.live.state.kind === "refused");
    assert.equal(page.session.token, undefined);
    assert.match(page.session.notice ?? "", /sign in again/);
  });
  await test.step("by /auth/me, when the socket is refused", async () => {
    await using server = createLiveServer();
    server.tokens.clear();
    using page = openPage(server);
    await until(() => page.live.state.kind === "refused");
    assert.equal(page.session.token, undefined);
  });
});

Deno.test("live does not end a session for a proxy that lets no socket through", async () => {
  await using server = createLiveServer();
  server.refuseSockets = true;
  using page = openPage(server);
  await until(() => server.verified >= 2);
  await until(() =>
    page.live.state.kind === "lost" && /do not come through/.test(page.live.state.reason)
  );
  assert.equal(page.session.token, "good");
  server.refuseSockets = false;
  await until(() => page.live.state.kind === "open");
});

Deno.test("live leaves a server that says nothing any more", async () => {
  await using server = createLiveServer();
  using page = openPage(server, { quietMs: 100, answerMs: 200, connectTimeoutMs: 300 });
  await until(() => page.live.state.kind === "open");
  // A quiet server that answers is kept.
  await pause(500);
  assert.equal(page.live.state.kind, "open");
  assert.equal(server.sockets.size, 1);
  server.mute = true;
  await until(() => page.live.state.kind === "lost");
  server.mute = false;
  await until(() => page.live.state.kind === "open");
});

Deno.test("live keeps to its pace with a server that closes at once", async () => {
  await using server = createLiveServer();
  using page = openPage(server);
  let opened = 0;
  page.live.subscribe(() => {
    if (page.live.state.kind !== "open") return;
    opened++;
    server.closeAll(4408);
  });
  await pause(1500);
  assert.ok(opened >= 2 && opened <= 6, `${opened} connections in 1.5 s`);
});

Deno.test("a hidden page waits longer, and tries at once when it is looked at", async () => {
  await using server = createLiveServer();
  await server.stop();
  let look = () => {};
  const presence = { visible: false, watch: (listener: () => void) => (look = listener, () => {}) };
  using page = openPage(server, { page: presence });
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
  await using server = createLiveServer();
  const first = server.write("one", "a");
  server.write("one", "b");
  using page = openPage(server);
  const all = followLogs(page.live, 0, "one");
  await until(() => all.marks.length === 1);
  const sameAgain = followLogs(page.live, undefined, "one");
  const late = followLogs(page.live, first.seq, "one");
  // Written before the server has read the second SUB: live for some, part of the replay for others.
  server.write("one", "c");
  await until(() => late.lines.length === 2);
  await until(() => all.lines.length === 3 && sameAgain.lines.length === 1);
  server.write("one", "d");
  await until(() => late.lines.length === 3);
  assert.deepEqual(all.lines, ["a", "b", "c", "d"]);
  assert.deepEqual(late.lines, ["b", "c", "d"]);
  assert.deepEqual(sameAgain.lines, ["c", "d"]);
  assert.equal(subs(server), 2);

  // After a reconnect all three are equally far, and one SUB does for them.
  server.closeAll(1011);
  await until(() => page.live.state.kind === "lost");
  server.write("one", "e");
  await until(() => [all, sameAgain, late].every(({ lines }) => lines.at(-1) === "e"));
  assert.equal(subs(server), 3);
  late.stop();
  sameAgain.stop();
  all.stop();
  await until(() => server.received.some(({ action }) => action === "UNSUB"));
  assert.equal(server.received.filter(({ action }) => action === "UNSUB").length, 1);
});

Deno.test("a plugin's own replay does not make a follower of all plugins lose lines", async () => {
  await using server = createLiveServer();
  using page = openPage(server);
  const everything = followLogs(page.live, 0);
  await until(() => everything.marks.length === 1);
  // Held back by the server, as it sends lines in batches, while a replay goes out.
  server.writeLater("two", "slow");
  server.writeLater("one", "fast");
  const one = followLogs(page.live, 0, "one");
  await until(() => one.lines.length === 1 && everything.lines.includes("fast"));
  server.write("three", "end");
  await until(() => everything.lines.includes("end"));
  assert.deepEqual([...everything.lines].sort(), ["end", "fast", "slow"]);
});

Deno.test("a gap is told to who missed lines, and not to who asks for all that is kept", async () => {
  await using server = createLiveServer();
  for (let count = 0; count < 5; count++) server.write("one", `line ${count}`);
  server.keep(3);
  using page = openPage(server);
  const seen = followLogs(page.live, 0, "one");
  await until(() => seen.lines.length === 3);
  assert.deepEqual(seen.marks, ["ready"]);
  server.closeAll(1011);
  await until(() => page.live.state.kind === "lost");
  for (let count = 5; count < 12; count++) server.write("one", `line ${count}`);
  server.keep(2);
  await until(() => seen.lines.length === 5);
  assert.deepEqual(seen.lines.slice(3), ["line 10", "line 11"]);
  assert.deepEqual(seen.marks, ["ready", "gap", "ready"]);
});

Deno.test("a server that counts anew is followed from its start", async () => {
  await using server = createLiveServer();
  using page = openPage(server);
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

Deno.test("a listener that throws, and a message that is none, harm nobody else", async () => {
  await using server = createLiveServer();
  const failures: unknown[] = [];
  using page = openPage(server, { failed: (error) => failures.push(error) });
  page.live.follow({ topic: "logs", after: 0 }, {
    event() {
      throw new Error("a fault of the page");
    },
  });
  const seen = followLogs(page.live, 0);
  await until(() => page.live.state.kind === "open");
  for (const socket of server.sockets) {
    for (const text of ["{", "null", "[]", '"x"', '{"type":"new"}', "{}"]) socket.send(text);
  }
  server.write("one", "fine");
  await until(() => seen.lines.length === 1);
  assert.equal(failures.length, 1);
  assert.equal(page.live.state.kind, "open");
});

Deno.test("close ends the socket and all tries; open takes another token", async () => {
  await using server = createLiveServer();
  server.tokens.add("other");
  using page = openPage(server);
  await until(() => server.sockets.size === 1);
  page.live.open();
  page.live.close();
  assert.equal(page.live.state.kind, "closed");
  assert.equal(page.live.bootstrap, undefined);
  await until(() => server.sockets.size === 0);
  page.otherTab.set(sessionKey, JSON.stringify({ token: "other" }));
  await until(() => page.session.token === "other");
  page.live.open();
  await until(() => page.live.state.kind === "open");
});

function openPage(server: LiveServer, options: Partial<LiveDeps> = {}) {
  const { baseUrl } = server;
  const tabs = createTabs();
  const storage = tabs.open();
  const otherTab = tabs.open();
  storage.set(sessionKey, JSON.stringify({ token: "good" }));
  const session = createSession({ storage, fetch, baseUrl });
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

function subs(server: LiveServer): number {
  return server.received.filter(({ action }) => action === "SUB").length;
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
