import assert from "node:assert/strict";
import { serveHttp } from "../../serve.ts";
import {
  goodPassword,
  openTestAccess,
  type TestAccess,
  testOperatorToken as token,
  visitor,
} from "../../testing/test_access.ts";
import { ask, createTestApp, type TestApp, until } from "../../testing/test_app.ts";
import { openTestDatabase } from "../../testing/test_database.ts";
import type { HttpConfig } from "../services.ts";

const database = await openTestDatabase();
Deno.test.afterAll(async () => await database[Symbol.asyncDispose]());

const key = { authorization: `Bearer ${token}` };
const json = { "content-type": "application/json" };
const minuteMs = 60_000;

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

Deno.test("login refuses another site, a form, and a body that is none, naming the field", async () => {
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
      [{ code, name: "eve", password: "x" }, /code/],
      [{ name: "eve" }, /\/password: /],
      [{ name: "", password: "x" }, /\/name: /],
      [{ name: "x".repeat(201), password: "x" }, /\/name: /],
      [{ name: ["eve"], password: { $ne: "" } }, /\/name: .*\/password: /],
      [{ name: "eve", password: "x".repeat(201) }, /\/password: /],
      [{ invitation: "x" }, /\/password: /],
      [{ invitation: 5, password: "x" }, /\/invitation: /],
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

Deno.test("what needs a credential is refused without one, and what needs none is open", async () => {
  await withApp(async ({ get, send }) => {
    assert.equal((await send("POST", "/auth/codes", undefined, {})).status, 401);
    assert.equal((await send("POST", "/auth/logout", undefined, {})).status, 401);
    assert.equal((await send("POST", "/auth/password", { next: "x" }, {})).status, 401);
    assert.equal((await send("DELETE", "/auth/sessions/x", undefined, {})).status, 401);
    for (const path of ["/auth/me", "/auth/sessions"]) assert.equal((await get(path)).status, 401);
    assert.deepEqual(await (await get("/auth/status")).json(), {
      password: false,
      signedUp: false,
    });
    const { keys } = await (await get("/.well-known/jwks.json")).json();
    assert.deepEqual(keys.map(({ kty, d }: { kty: string; d?: string }) => [kty, d]), [
      ["OKP", undefined],
    ]);
  });
});

Deno.test("a code becomes a session that may do what the operator may, and may not be stored", async () => {
  await withApp(async (world) => {
    const { code, url } = await world.code();
    assert.equal(url, `http://localhost/#code=${code}`);
    const response = await world.login({ code });
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.equal(response.headers.get("set-cookie"), null);
    const tokens = await response.json();
    const principal = { id: "operator", name: "admin", role: "admin", scopes: ["*"] };
    assert.deepEqual(tokens, {
      token: tokens.token,
      expiresAtMs: world.clock.nowMs + 15 * minuteMs,
      refreshToken: tokens.refreshToken,
      sessionExpiresAtMs: world.clock.nowMs + 30 * 24 * 60 * minuteMs,
      principal,
    });
    const bearer = { authorization: `Bearer ${tokens.token}` };
    const { sessions } = await (await world.get("/auth/sessions", bearer)).json();
    const me = await (await world.get("/auth/me", bearer)).json();
    assert.deepEqual(me, {
      principal,
      credential: { kind: "session", id: sessions[0].id },
      limits: [],
    });
    assert.equal((await world.get("/api/plugins", bearer)).status, 200);
    assert.equal((await world.login({ code: (await world.code(bearer)).code })).status, 200);
    // The operator's key has no session to end.
    await world.send("POST", "/auth/logout", undefined, key);
    assert.equal((await world.get("/auth/me", key)).status, 200);
    assert.equal((await world.send("POST", "/auth/logout", undefined, bearer)).status, 200);
    assert.equal((await world.get("/auth/me", bearer)).status, 401);
    const logged = world.logged();
    for (const secret of [tokens.token, tokens.refreshToken]) assert.ok(!logged.includes(secret));
    assert.deepEqual(world.deeds.map(({ action, object }) => `${action} ${object}`), [
      "code.create user:operator",
      "code.create user:operator",
      `session.end session:${sessions[0].id}`,
    ]);
  });
});

Deno.test("a code's link leads to the public URL, with its path", async () => {
  await withApp(async (world) => {
    const { url, code } = await world.code();
    assert.equal(url, `https://example.org/bkg/#code=${code}`);
  }, { publicUrl: "https://example.org/bkg" });
});

Deno.test("only who may do everything makes a code, which signs in as an admin", async () => {
  await withApp(async ({ access, send }) => {
    await access.accounts.putRole({
      name: "clerk",
      scopes: ["users:manage", "account"],
      limits: null,
    });
    const clerk = await access.accounts.create({
      name: "clerk",
      role: "clerk",
      password: goodPassword,
    });
    const { token } = await access.signIn.withPassword("clerk", goodPassword, visitor);
    const { key: narrowed } = await access.keys.create({
      userId: "operator",
      name: "k",
      scopes: ["users:manage"],
    });
    const { key: full } = await access.keys.create({
      userId: "operator",
      name: "k",
      scopes: ["*"],
    });
    for (const bearer of [token, narrowed]) {
      const refused = await send("POST", "/auth/codes", undefined, {
        authorization: `Bearer ${bearer}`,
      });
      assert.deepEqual([refused.status, (await refused.json()).code], [403, "FORBIDDEN"]);
    }
    const made = await send("POST", "/auth/codes", undefined, { authorization: `Bearer ${full}` });
    assert.equal(made.status, 200);
    assert.equal(clerk.user.role, "clerk");
  });
});

Deno.test("a name and a password sign in; too many wrong ones are told when to come again", async () => {
  await withApp(async (world) => {
    await world.access.accounts.create({ name: "eve", role: "user", password: goodPassword });
    const right = await world.login({ name: "eve", password: goodPassword });
    assert.equal(right.status, 200);
    assert.equal((await right.json()).principal.name, "eve");
    const details = new Set<string>();
    for (let count = 0; count < 5; count++) {
      for (const name of ["eve", "nobody"]) {
        const wrong = await world.login({ name, password: `wrong ${count}` });
        assert.equal(wrong.status, 401);
        details.add((await wrong.json()).detail);
      }
    }
    assert.equal(details.size, 1);
    for (let count = 5; count < 10; count++) await world.login({ name: "eve", password: "wrong" });
    const limited = await world.login({ name: "eve", password: goodPassword });
    assert.equal(limited.status, 429);
    assert.ok(Number(limited.headers.get("retry-after")) > 14 * 60);
    assert.doesNotMatch(world.logged(), /battery|wrong \d/);
  });
});

Deno.test("an invitation becomes a session, and a password is changed", async () => {
  await withApp(async (world) => {
    const { invitation } = await world.access.accounts.create({ name: "eve", role: "user" });
    const short = await world.login({ invitation: invitation!.code, password: "short" });
    assert.deepEqual([short.status, (await short.json()).details.field], [400, "password"]);
    const response = await world.login({ invitation: invitation!.code, password: goodPassword });
    assert.equal(response.headers.get("cache-control"), "no-store");
    const { token } = await response.json();
    const bearer = { authorization: `Bearer ${token}` };
    const next = "quite other words";
    const wrong = await world.send("POST", "/auth/password", { current: "wrong", next }, bearer);
    // No 401: the session is good.
    assert.deepEqual([wrong.status, (await wrong.json()).details], [400, { field: "current" }]);
    const change = { current: goodPassword, next };
    assert.equal((await world.send("POST", "/auth/password", change, bearer)).status, 200);
    assert.equal((await world.login({ name: "eve", password: goodPassword })).status, 401);
    assert.equal((await world.login({ name: "eve", password: next })).status, 200);
    assert.equal((await world.login({ invitation: invitation!.code, password: next })).status, 401);
  });
});

Deno.test("a refresh token is exchanged once, and its second use ends the session", async () => {
  await withApp(async (world) => {
    const first = await world.tokens();
    const response = await world.send("POST", "/auth/refresh", {
      refreshToken: first.refreshToken,
    });
    assert.equal(response.headers.get("cache-control"), "no-store");
    const second = await response.json();
    assert.notEqual(second.refreshToken, first.refreshToken);
    const bearer = { authorization: `Bearer ${second.token}` };
    assert.equal((await world.get("/auth/me", bearer)).status, 200);
    world.clock.nowMs += 10_000;
    const again = await world.send("POST", "/auth/refresh", { refreshToken: first.refreshToken });
    assert.equal(again.status, 401);
    assert.equal((await world.get("/auth/me", bearer)).status, 401);
    for (const refreshToken of ["", 5, "x".repeat(201)]) {
      assert.equal((await world.send("POST", "/auth/refresh", { refreshToken })).status, 400);
    }
    assert.ok(!world.logged().includes(first.refreshToken));
  });
});

Deno.test("a credential counts as Authorization alone, whatever else carries it", async () => {
  await withApp(async ({ access, get, app }) => {
    const { key: apiKey } = await access.keys.create({
      userId: "operator",
      name: "k",
      scopes: ["*"],
    });
    const { token: session } = await access.signIn.withCode(
      access.signIn.createCode().code,
      visitor,
    );
    for (const bearer of [token, apiKey, session]) {
      for (
        const headers of [
          { "x-api-key": bearer },
          { "api-key": bearer },
          { cookie: `token=${bearer}; session=${bearer}` },
          { "proxy-authorization": `Bearer ${bearer}` },
          { authorization: bearer },
          { authorization: `Basic ${btoa(`x:${bearer}`)}` },
          { authorization: `Token ${bearer}` },
          { "sec-websocket-protocol": `bkg, bearer.${bearer}` },
        ] as Record<string, string>[]
      ) {
        assert.equal((await get("/auth/me", headers)).status, 401, JSON.stringify(headers));
      }
      for (const name of ["token", "access_token", "key", "api_key"]) {
        assert.equal((await app.fetch(ask(`/auth/me?${name}=${bearer}`))).status, 401);
      }
      for (const path of ["/auth/me", "/api/plugins", "/v1/models", "/api/models"]) {
        const response = await get(path, { authorization: `Bearer ${bearer}` });
        assert.equal(response.status, 200, path);
      }
    }
  });
});

Deno.test("what ends a credential ends its streams and sockets before it is answered, and its next call", async (test) => {
  const ends: [string, (world: World, held: Held) => Promise<unknown>][] = [
    ["signing out", ({ send }, { bearer }) => send("POST", "/auth/logout", undefined, bearer)],
    ["ending the session", async ({ send, get }, { bearer }) => {
      const { sessions } = await (await get("/auth/sessions", bearer)).json();
      const { id } = sessions.find(({ current }: { current: boolean }) => current);
      await send("DELETE", `/auth/sessions/${id}`, undefined, bearer);
    }],
    [
      "disabling the user",
      ({ access }, { userId }) => access.accounts.change(userId, { disabled: true }),
    ],
    ["deleting the user", ({ access }, { userId }) => access.accounts.delete(userId)],
    ["a stolen refresh token", async (world, { tokens }) => {
      const { refreshToken } = tokens;
      await world.send("POST", "/auth/refresh", { refreshToken });
      world.clock.nowMs += 10_000;
      await world.send("POST", "/auth/refresh", { refreshToken });
    }],
  ];
  for (const [name, end] of ends) {
    await test.step(name, async () => {
      await withApp(async (world) => {
        const { user } = await world.access.accounts.create({
          name: "eve",
          role: "user",
          password: goodPassword,
        });
        const tokens = await world.access.signIn.withPassword("eve", goodPassword, visitor);
        const bearer = { authorization: `Bearer ${tokens.token}` };
        const server = serveHttp(world.app, { host: "127.0.0.1", port: 0 });
        const stream = (headers: Record<string, string>) =>
          fetch(`${server.url}/api/capabilities/test.stuck`, {
            method: "POST",
            headers: { ...json, ...headers, accept: "text/event-stream" },
            body: "1",
          });
        const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws/plugins`, [
          "bkg",
          `bearer.${tokens.token}`,
        ]);
        await new Promise((resolve) => socket.onopen = resolve);
        const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
        const mine = await stream(bearer);
        const others = await stream(key);
        const text = mine.text();
        await end(world, { bearer, tokens, userId: user.id });
        const endedAtMs = performance.now();
        // Not soon after the answer, but before it.
        assert.equal(world.calls[0]!.signal!.aborted, true);
        const again = await fetch(`${server.url}/auth/me`, { headers: bearer });
        assert.equal(again.status, 401);
        await again.body?.cancel();
        assert.match(
          await text,
          /^data: 1\n\nevent: error\ndata: .*"code":"UNAUTHENTICATED".*\n\n$/,
        );
        assert.equal((await closed).code, 4401);
        const tookMs = performance.now() - endedAtMs;
        console.log(`${name}: the next call, the stream and the socket in ${tookMs.toFixed(0)} ms`);
        assert.ok(tookMs < 1000, `${tookMs} ms`);
        assert.equal(world.calls[1]!.signal!.aborted, false);
        assert.equal((await stream(bearer).then(drained)).status, 401);
        await others.body!.cancel();
        await until(() => world.calls[1]!.signal!.aborted);
        await server.shutdown();
      });
    });
  }
});

Deno.test("a role that is lowered in the middle ends the streams; the next call has the new rights", async () => {
  await withApp(async (world) => {
    const { access } = world;
    const { user } = await access.accounts.create({
      name: "eve",
      role: "user",
      password: goodPassword,
    });
    const { token, refreshToken } = await access.signIn.withPassword("eve", goodPassword, visitor);
    const bearer = { authorization: `Bearer ${token}` };
    const call = () => world.send("POST", "/api/capabilities/test.echo", 1, bearer);
    const streaming = await world.send("POST", "/api/capabilities/test.stuck", 1, {
      ...bearer,
      accept: "text/event-stream",
    });
    assert.equal((await call()).status, 200);
    const text = streaming.text();
    await access.accounts.putRole({ name: "reader", scopes: ["plugins:read"], limits: null });
    await access.accounts.change(user.id, { role: "reader" });
    assert.match(await text, /event: error/);
    assert.equal((await call()).status, 403);
    assert.equal((await world.get("/api/plugins", bearer)).status, 200);
    const me = await (await world.get("/auth/me", bearer)).json();
    assert.deepEqual(me.principal, {
      id: user.id,
      name: "eve",
      role: "reader",
      scopes: ["plugins:read"],
    });
    const refreshed = await (await world.send("POST", "/auth/refresh", { refreshToken })).json();
    assert.deepEqual(refreshed.principal, me.principal);
  });
});

Deno.test("a session whose stream still waits for its first event ends it when it is there", async () => {
  await withApp(async (world) => {
    const { token } = await world.tokens();
    const authorization = `Bearer ${token}`;
    const answer = world.send("POST", "/api/capabilities/test.hang", 1, {
      authorization,
      accept: "text/event-stream",
    });
    await until(() => world.calls.length === 1);
    await world.send("POST", "/auth/logout", undefined, { authorization });
    assert.match(await (await answer).text(), /^event: error\ndata: .*"code":"UNAUTHENTICATED"/);
    assert.equal(world.calls[0]!.signal!.aborted, true);
  }, { streamGraceMs: 50 });
});

interface Held {
  bearer: { authorization: string };
  tokens: { token: string; refreshToken: string };
  userId: string;
}

interface World extends TestApp {
  access: TestAccess;
  clock: TestAccess["clock"];
  /** A fresh code, asked for with the operator's key. */
  code(
    headers?: Record<string, string>,
  ): Promise<{ code: string; url: string; expiresAtMs: number }>;
  login(body: unknown, headers?: Record<string, string>): Promise<Response>;
  /** Of a new session. */
  tokens(): Promise<{ token: string; refreshToken: string }>;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  send(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Response>;
}

async function withApp(
  run: (world: World) => Promise<void>,
  config: Partial<HttpConfig> = {},
): Promise<void> {
  await database.reset();
  await using access = await openTestAccess(database.db);
  const test = createTestApp(config, { auth: access.auth, signIn: access.signIn });
  const send: World["send"] = (method, path, body, headers = {}) =>
    test.app.fetch(
      ask(path, {
        method,
        headers: { ...json, ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
  const login: World["login"] = (body, headers = json) =>
    test.app.fetch(ask("/auth/login", { method: "POST", headers, body: JSON.stringify(body) }));
  const code: World["code"] = async (headers = key) =>
    (await send("POST", "/auth/codes", undefined, headers)).json();
  try {
    await run({
      ...test,
      access,
      clock: access.clock,
      code,
      login,
      tokens: async () => (await login({ code: (await code()).code })).json(),
      get: (path, headers = {}) => test.app.fetch(ask(path, { headers })),
      send,
    });
  } finally {
    test.app.close();
  }
}

async function drained(response: Response): Promise<Response> {
  await response.body?.cancel();
  return response;
}
