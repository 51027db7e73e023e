import assert from "node:assert/strict";
import { openAccess } from "../../auth/access.ts";
import { openSessionStore } from "../../auth/session_store.ts";
import { serveHttp } from "../../serve.ts";
import { openTestDatabase } from "../../testing/test_database.ts";
import { ask, createTestApp, type TestApp, token, until } from "../../testing/test_app.ts";
import type { HttpConfig } from "../services.ts";

const database = await openTestDatabase();
Deno.test.afterAll(async () => await database[Symbol.asyncDispose]());

const key = { authorization: `Bearer ${token}` };
const json = { "content-type": "application/json" };

Deno.test("login refuses a replayed, an expired and a wrong code alike, the eleventh with a wait", async () => {
  await withApp(async (world) => {
    const { code, expiresAtMs } = await world.code();
    assert.equal((await world.login({ code })).status, 200);
    const expired = await world.code();
    world.clock.nowMs = expired.expiresAtMs;
    assert.equal(expiresAtMs, expired.expiresAtMs);
    const details = new Set<string>();
    for (const wrong of [code, expired.code, ..."abcdefgh"]) {
      const response = await world.login({ code: wrong });
      assert.equal(response.status, 401);
      details.add((await response.json()).detail);
    }
    assert.equal(details.size, 1);
    const eleventh = await world.login({ code: "k" });
    assert.equal(eleventh.status, 429);
    assert.equal(eleventh.headers.get("retry-after"), "60");
    assert.equal((await eleventh.json()).code, "RATE_LIMITED");
  });
});

Deno.test("login refuses another site, a form, and a body that is no code, naming the field", async () => {
  await withApp(async (world) => {
    const { code } = await world.code();
    for (const origin of ["https://evil.example", "null"]) {
      const response = await world.login({ code }, { ...json, origin });
      assert.equal(response.status, 403, origin);
      assert.equal(response.headers.get("access-control-allow-origin"), null);
    }
    const form = { "content-type": "application/x-www-form-urlencoded" };
    assert.equal((await world.login({ code }, form)).status, 415);
    assert.equal((await world.login({ code }, { "content-type": "text/plain" })).status, 415);
    assert.equal((await world.login({ code }, { ...json, host: "evil.example" })).status, 421);
    const bodies = [
      [{}, /\/code: /],
      [{ code: 1 }, /\/code: /],
      [{ code: "" }, /\/code: /],
      [{ code: "x".repeat(201) }, /\/code: /],
      [{ code, role: "admin" }, /role/],
      [[code], /\(root\): /],
      [null, /\(root\): /],
    ] as const;
    for (const [body, pattern] of bodies) {
      const response = await world.login(body);
      assert.equal(response.status, 400);
      assert.match((await response.json()).detail, pattern);
    }
    // None of that used the code up.
    assert.equal(
      (await world.login({ code }, { ...json, origin: "http://localhost" })).status,
      200,
    );
    assert.doesNotMatch(world.logged(), new RegExp(code));
  });
});

Deno.test("codes, me and logout need a bearer, and a session may do what the operator may", async () => {
  await withApp(async (world) => {
    for (const [path, method] of [["codes", "POST"], ["logout", "POST"], ["me", "GET"]] as const) {
      assert.equal((await world.app.fetch(ask(`/auth/${path}`, { method }))).status, 401, path);
    }
    const { code, url } = await world.code();
    assert.equal(url, `http://localhost/#code=${code}`);
    const response = await world.login({ code });
    assert.equal(response.headers.get("cache-control"), "no-store");
    const session = await response.json();
    const principal = { id: "operator", role: "operator" };
    assert.deepEqual(session, {
      token: session.token,
      expiresAtMs: world.clock.nowMs + 30 * 24 * 60 * 60_000,
      principal,
    });
    const bearer = { authorization: `Bearer ${session.token}` };
    const me = await world.app.fetch(ask("/auth/me", { headers: bearer }));
    assert.deepEqual(await me.json(), { principal });
    assert.equal((await world.app.fetch(ask("/api/plugins", { headers: bearer }))).status, 200);
    assert.equal((await world.login({ code: (await world.code(bearer)).code })).status, 200);
    // The operator's key has no session to end.
    await world.app.fetch(ask("/auth/logout", { method: "POST", headers: key }));
    assert.equal((await world.app.fetch(ask("/auth/me", { headers: key }))).status, 200);
    assert.doesNotMatch(world.logged(), new RegExp(session.token));
  });
});

Deno.test("a code's link leads to the public URL, with its path", async () => {
  await withApp(async (world) => {
    const { url, code } = await world.code();
    assert.equal(url, `https://example.org/bkg/#code=${code}`);
  }, { publicUrl: "https://example.org/bkg" });
});

Deno.test("logout ends the bearer and its running stream at once, and no other stream", async () => {
  await withApp(async (world) => {
    const server = serveHttp(world.app, { host: "127.0.0.1", port: 0 });
    const { token } = await (await world.login({ code: (await world.code()).code })).json();
    const bearer = { authorization: `Bearer ${token}` };
    const stream = (headers: Record<string, string>, path: string, body: unknown) =>
      fetch(server.url + path, {
        method: "POST",
        headers: { ...json, ...headers, accept: "text/event-stream" },
        body: JSON.stringify(body),
      });
    const stuck = "/api/capabilities/test.stuck";
    const mine = await stream(bearer, stuck, 1);
    const others = await stream(key, stuck, 1);
    const text = mine.text();
    const out = await fetch(`${server.url}/auth/logout`, { method: "POST", headers: bearer });
    assert.equal(out.status, 200);
    assert.deepEqual(await out.json(), {});
    const again = await fetch(`${server.url}/auth/me`, { headers: bearer });
    assert.equal(again.status, 401);
    await again.body?.cancel();
    assert.match(await text, /^data: 1\n\nevent: error\ndata: .*"code":"UNAUTHENTICATED".*\n\n$/);
    assert.equal(world.calls[0]!.signal!.aborted, true);
    assert.equal(world.calls[1]!.signal!.aborted, false);
    assert.equal((await stream(bearer, stuck, 1).then(drained)).status, 401);
    await others.body!.cancel();
    await until(() => world.calls[1]!.signal!.aborted);
    await server.shutdown();
  });
});

Deno.test("a session whose stream still waits for its first event ends it when it is there", async () => {
  await withApp(async (world) => {
    const { token } = await (await world.login({ code: (await world.code()).code })).json();
    const authorization = `Bearer ${token}`;
    const answer = world.app.fetch(ask("/api/capabilities/test.hang", {
      method: "POST",
      headers: { ...json, authorization, accept: "text/event-stream" },
      body: "1",
    }));
    await until(() => world.calls.length === 1);
    await world.app.fetch(ask("/auth/logout", { method: "POST", headers: { authorization } }));
    assert.match(await (await answer).text(), /^event: error\ndata: .*"code":"UNAUTHENTICATED"/);
    assert.equal(world.calls[0]!.signal!.aborted, true);
  }, { streamGraceMs: 50 });
});

Deno.test("a session outlives the server: another one on the same database knows it", async () => {
  let authorization = "";
  await withApp(
    async (world) => {
      const { token } = await (await world.login({ code: (await world.code()).code })).json();
      authorization = `Bearer ${token}`;
    },
  );
  await withApp(
    async (world) => {
      const me = () => world.app.fetch(ask("/auth/me", { headers: { authorization } }));
      assert.equal((await me()).status, 200);
      world.clock.nowMs += 30 * 24 * 60 * 60_000;
      assert.equal((await me()).status, 401);
    },
    {},
    { restarted: true },
  );
});

interface World extends TestApp {
  clock: { nowMs: number };
  /** A fresh code, asked for with the operator's key. */
  code(
    headers?: Record<string, string>,
  ): Promise<{ code: string; url: string; expiresAtMs: number }>;
  login(body: unknown, headers?: Record<string, string>): Promise<Response>;
}

async function withApp(
  run: (world: World) => Promise<void>,
  config: Partial<HttpConfig> = {},
  { restarted = false } = {},
): Promise<void> {
  if (!restarted) await database.reset();
  const clock = { nowMs: Date.now() };
  using access = await openAccess({
    sessionStore: await openSessionStore({
      db: database.db,
      oldPath: `${database.dataDir}/sessions.json`,
      warn: assert.fail,
    }),
    operatorToken: token,
    now: () => clock.nowMs,
  });
  const test = createTestApp(config, access);
  try {
    await run({
      ...test,
      clock,
      code: async (headers = key) =>
        (await test.app.fetch(ask("/auth/codes", { method: "POST", headers }))).json(),
      login: (body, headers = json) =>
        test.app.fetch(
          ask("/auth/login", { method: "POST", headers, body: JSON.stringify(body) }),
        ),
    });
  } finally {
    test.app.close();
  }
}

async function drained(response: Response): Promise<Response> {
  await response.body?.cancel();
  return response;
}
