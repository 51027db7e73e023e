// /admin/users, /admin/roles, /admin/keys and /api/keys, on a real database with real passwords and identities.

import assert from "node:assert/strict";
import {
  goodPassword,
  openTestAccess,
  type TestAccess,
  visitor,
} from "../../testing/test_access.ts";
import { ask, createTestApp, type TestApp, token } from "../../testing/test_app.ts";
import { openTestDatabase } from "../../testing/test_database.ts";

const database = await openTestDatabase();
Deno.test.afterAll(async () => await database[Symbol.asyncDispose]());

const dayMs = 24 * 60 * 60_000;

Deno.test("a user manager gives nothing he lacks, by whatever route", async () => {
  await withApp(async (world) => {
    const { accounts, send } = world;
    const scopes = ["users:manage", "keys:manage", "account", "invoke:llm.*"];
    await accounts.putRole({ name: "manager", scopes, limits: null });
    await accounts.putRole({ name: "chatter", scopes: ["invoke:llm.chat"], limits: null });
    const manager = await world.person("manager", "manager");
    const anna = await world.person("anna", "user");
    const chatter = await world.person("chatter", "chatter");
    const theirs = await world.keys.create({
      userId: anna.id,
      name: "k",
      scopes: ["models:read"],
    });
    const refused: [string, string, unknown][] = [
      ["POST", "/admin/users", { name: "x", role: "admin" }],
      ["POST", "/admin/users", { name: "x", role: "user" }],
      ["POST", "/admin/users", { name: "x", role: "chatter", scopes: ["plugins:manage"] }],
      ["PATCH", `/admin/users/${manager.id}`, { role: "admin" }],
      ["PATCH", `/admin/users/${chatter.id}`, { role: "user" }],
      ["PATCH", `/admin/users/${chatter.id}`, { scopes: ["*"] }],
      ["PATCH", `/admin/users/${anna.id}`, { disabled: true }],
      ["PATCH", "/admin/users/operator", { disabled: true }],
      ["POST", "/admin/users/operator/invite", undefined],
      ["POST", `/admin/users/${anna.id}/invite`, undefined],
      ["DELETE", `/admin/users/${anna.id}`, undefined],
      ["DELETE", "/admin/users/operator", undefined],
      ["PUT", "/admin/roles/manager", { scopes: [...scopes, "settings:manage"] }],
      ["PUT", "/admin/roles/user", { scopes: [] }],
      ["PUT", "/admin/roles/new", { scopes: ["invoke:*"] }],
      ["PUT", "/admin/roles/new", { scopes: ["plugins:*"] }],
      ["POST", "/api/keys", { name: "k", scopes: ["*"] }],
      ["POST", "/api/keys", { name: "k", scopes: ["invoke:llm.chat", "models:read"] }],
      ["POST", "/admin/keys", { userId: "operator", name: "k", scopes: ["account"] }],
      ["POST", "/admin/keys", { userId: anna.id, name: "k", scopes: ["account"] }],
      ["POST", "/admin/keys", { userId: chatter.id, name: "k", scopes: ["account"] }],
      ["PATCH", `/admin/keys/${theirs.view.id}`, { name: "mine" }],
      ["POST", `/admin/keys/${theirs.view.id}/rotate`, {}],
    ];
    for (const [method, path, body] of refused) {
      const { status, answer } = await send(manager.token, method, path, body);
      assert.deepEqual([status, answer.code], [403, "FORBIDDEN"], `${method} ${path}`);
      assert.match(answer.detail, /the scope "[a-z*:.]+"/);
      assert.equal(world.deeds.at(-1)?.outcome, "denied");
    }
    // What he has he gives, and takes.
    for (
      const [method, path, body] of [
        ["POST", "/admin/users", { name: "x", role: "chatter", scopes: ["invoke:llm.chat"] }],
        ["PUT", "/admin/roles/new", { scopes: ["invoke:llm.complete", "account"] }],
        ["DELETE", "/admin/roles/new", undefined],
        ["PATCH", `/admin/users/${chatter.id}`, { disabled: true }],
        ["POST", "/admin/keys", { userId: chatter.id, name: "k", scopes: ["invoke:llm.chat"] }],
        ["DELETE", `/admin/keys/${theirs.view.id}`, undefined],
        ["DELETE", `/admin/users/${chatter.id}`, undefined],
      ] as const
    ) assert.equal((await send(manager.token, method, path, body)).status, 200, path);
    assert.equal((await accounts.get(anna.id)).status, "active");
  });
});

Deno.test("the operator's account is neither deleted, nor disabled, nor lowered, by anyone", async () => {
  await withApp(async ({ send }) => {
    const refused: [string, string, unknown][] = [
      ["DELETE", "/admin/users/operator", undefined],
      ["PATCH", "/admin/users/operator", { disabled: true }],
      ["PATCH", "/admin/users/operator", { role: "user" }],
      ["PATCH", "/admin/users/operator", { scopes: [] }],
      ["PATCH", "/admin/users/operator", { name: "root" }],
      ["PUT", "/admin/roles/admin", { scopes: [] }],
      ["DELETE", "/admin/roles/admin", undefined],
    ];
    for (const [method, path, body] of refused) {
      assert.equal((await send(token, method, path, body)).status, 403, path);
    }
  });
});

Deno.test("who has not the scope gets in by no route", async () => {
  await withApp(async (world) => {
    const anna = await world.person("anna", "user");
    const { key } = await world.keys.create({
      userId: anna.id,
      name: "chat",
      scopes: ["invoke:llm.chat"],
    });
    const routes = [
      ...[["GET", "/admin/users"], ["POST", "/admin/users"], ["GET", "/admin/users/operator"]],
      ...[["PATCH", "/admin/users/operator"], ["DELETE", "/admin/users/operator"]],
      ...[["POST", "/admin/users/operator/invite"], ["GET", "/admin/roles"]],
      ...[["PUT", "/admin/roles/x"], ["DELETE", "/admin/roles/x"], ["GET", "/admin/keys"]],
      ...[["POST", "/admin/keys"], ["PATCH", "/admin/keys/x"], ["DELETE", "/admin/keys/x"]],
      ["POST", "/admin/keys/x/rotate"],
    ] as [string, string][];
    for (const [method, path] of routes) {
      assert.equal((await world.send(anna.token, method, path)).status, 403, path);
      assert.equal((await world.send(key, method, path)).status, 403, path);
      assert.equal((await world.send("", method, path)).status, 401, path);
    }
    for (const [method, path] of [["GET", "/api/keys"], ["POST", "/api/keys"]] as const) {
      assert.equal((await world.send(key, method, path)).status, 403, path);
    }
  });
});

Deno.test("another's key is NOT_FOUND by each of one's own routes", async () => {
  await withApp(async (world) => {
    const [anna, bob] = [await world.person("anna", "user"), await world.person("bob", "user")];
    const made = await world.send(anna.token, "POST", "/api/keys", {
      name: "k",
      scopes: ["account"],
    });
    const path = `/api/keys/${made.answer.view.id}`;
    const attempts: [string, string, unknown][] = [
      ["PATCH", path, { name: "mine" }],
      ["DELETE", path, undefined],
      ["POST", `${path}/rotate`, {}],
    ];
    for (const [method, route, body] of attempts) {
      const { status, answer } = await world.send(bob.token, method, route, body);
      assert.deepEqual([status, answer.code], [404, "NOT_FOUND"]);
      const unknown = await world.send(
        bob.token,
        method,
        route.replace(made.answer.view.id, "abcdefghijkl"),
        body,
      );
      // Not even that there is such a key.
      assert.equal(
        unknown.answer.detail.replace("abcdefghijkl", made.answer.view.id),
        answer.detail,
      );
    }
    // Nor by naming its owner.
    const named = await world.send(bob.token, "POST", "/api/keys", {
      userId: anna.id,
      name: "k",
      scopes: ["account"],
    });
    assert.equal(named.status, 400);
    const listed = await world.send(bob.token, "GET", `/api/keys?userId=${anna.id}`);
    assert.deepEqual(listed.answer, { keys: [] });
    assert.equal((await world.send(made.answer.key, "GET", "/auth/me")).status, 200);
    // With the scope for everyone's, by the routes for everyone's.
    const all = await world.send(token, "GET", `/admin/keys?userId=${anna.id}`);
    assert.equal(all.answer.keys.length, 1);
    assert.equal(
      (await world.send(token, "DELETE", `/api/keys/${made.answer.view.id}`)).status,
      404,
    );
    assert.equal(
      (await world.send(token, "DELETE", `/admin/keys/${made.answer.view.id}`)).status,
      200,
    );
    assert.equal((await world.send(made.answer.key, "GET", "/auth/me")).status, 401);
  });
});

Deno.test("a key gives no more than it has, and none that outlives its own bounds", async () => {
  await withApp(async (world) => {
    const anna = await world.person("anna", "user");
    const make = async (bearer: string, key: Record<string, unknown>) =>
      await world.send(bearer, "POST", "/api/keys", { name: "k", ...key });
    const wide = await make(anna.token, { scopes: ["account", "invoke:*"] });
    const narrow = await make(anna.token, { scopes: ["account", "invoke:llm.chat"] });
    const { key, view } = narrow.answer;
    const wideId = wide.answer.view.id;
    for (
      const [method, path, body] of [
        ["POST", "/api/keys", { name: "k", scopes: ["invoke:*"] }],
        ["PATCH", `/api/keys/${view.id}`, { scopes: ["account", "invoke:llm.*"] }],
        // The secret of a key that may do more would be the same as that key.
        ["POST", `/api/keys/${wideId}/rotate`, {}],
        ["PATCH", `/api/keys/${wideId}`, { name: "mine" }],
      ] as const
    ) assert.equal((await world.send(key, method, path, body)).status, 403, path);
    assert.equal((await make(key, { scopes: ["invoke:llm.chat"] })).status, 200);
    assert.equal((await world.send(key, "POST", `/api/keys/${view.id}/rotate`, {})).status, 200);
    assert.equal((await world.send(key, "DELETE", `/api/keys/${wideId}`)).status, 200);

    for (
      const bound of [
        { expiresAtMs: world.clock.nowMs + dayMs },
        { limits: { requestsPerMinute: 5 } },
      ]
    ) {
      const { answer } = await make(anna.token, { scopes: ["account"], ...bound });
      const self = `/api/keys/${answer.view.id}`;
      assert.equal((await make(answer.key, { scopes: ["account"] })).status, 403);
      assert.equal((await world.send(answer.key, "PATCH", self, { limits: null })).status, 403);
      const rotated = await world.send(answer.key, "POST", `${self}/rotate`, {});
      assert.equal(rotated.status, 200);
      assert.equal(rotated.answer.view.expiresAtMs, answer.view.expiresAtMs);
      assert.deepEqual(rotated.answer.view.limits, answer.view.limits);
    }
  });
});

Deno.test("a key never does more than its owner, whoever makes it, and less once the owner may less", async () => {
  await withApp(async (world) => {
    const anna = await world.person("anna", "user");
    const made = (scopes: string[]) =>
      world.send(token, "POST", "/admin/keys", { userId: anna.id, name: "k", scopes });
    const refused = await made(["plugins:manage"]);
    assert.deepEqual([refused.status, refused.answer.details], [403, { scope: "plugins:manage" }]);
    const { answer } = await made(["plugins:read", "models:read"]);
    const list = () => world.send(answer.key, "GET", "/api/plugins");
    assert.equal((await list()).status, 200);
    await world.send(token, "PATCH", `/admin/users/${anna.id}`, { scopes: ["models:read"] });
    assert.equal((await list()).status, 403);
    assert.equal((await made(["plugins:read"])).status, 403);
    await world.send(token, "PATCH", `/admin/users/${anna.id}`, { scopes: null });
    assert.equal((await list()).status, 200);
    await world.send(token, "PUT", "/admin/roles/user", { scopes: ["models:read"] });
    assert.equal((await list()).status, 403);
    assert.equal((await world.send(token, "GET", "/admin/keys/nobody")).status, 405);
    assert.equal((await made(["plugins:read"])).status, 403);
    const nobody = { userId: "nobody", name: "k", scopes: ["account"] };
    assert.equal((await world.send(token, "POST", "/admin/keys", nobody)).status, 404);
  });
});

Deno.test("who is deleted or disabled is out with the next request, sessions and keys alike", async () => {
  await withApp(async (world) => {
    for (const change of ["delete", "disable"] as const) {
      const anna = await world.person(`anna-${change}`, "user");
      const other = await world.person(`bob-${change}`, "user");
      const scopes = ["invoke:*", "plugins:read"];
      const { key } =
        (await world.send(anna.token, "POST", "/api/keys", { name: "k", scopes })).answer;
      const stuck = (bearer: string) =>
        world.app.fetch(ask("/api/capabilities/test.stuck", {
          method: "POST",
          headers: {
            authorization: `Bearer ${bearer}`,
            "content-type": "application/json",
            accept: "text/event-stream",
          },
          body: "1",
        }));
      const [byKey, bySession, others] = [
        await stuck(key),
        await stuck(anna.token),
        await stuck(other.token),
      ];
      const texts = [byKey.text(), bySession.text()];
      const path = `/admin/users/${anna.id}`;
      const changed = change === "delete"
        ? await world.send(token, "DELETE", path)
        : await world.send(token, "PATCH", path, { disabled: true });
      assert.equal(changed.status, 200);
      for (const bearer of [key, anna.token]) {
        assert.equal((await world.send(bearer, "GET", "/api/plugins")).status, 401);
      }
      for (const text of await Promise.all(texts)) assert.match(text, /"code":"UNAUTHENTICATED"/);
      assert.equal((await world.send(other.token, "GET", "/api/plugins")).status, 200);
      await others.body!.cancel();
      await assert.rejects(
        world.signIn.withPassword(`anna-${change}`, goodPassword, visitor),
        { code: "UNAUTHENTICATED" },
      );
      if (change === "delete") continue;
      await world.send(token, "PATCH", path, { disabled: false });
      assert.equal((await world.send(key, "GET", "/api/plugins")).status, 200);
      // A session that ended is not begun again by that.
      assert.equal((await world.send(anna.token, "GET", "/api/plugins")).status, 401);
      await world.signIn.withPassword(`anna-${change}`, goodPassword, visitor);
    }
  });
});

Deno.test("a rotated key's old secret works to the end of its overlap, and not a millisecond longer", async () => {
  await withApp(async (world) => {
    const anna = await world.person("anna", "user");
    const first = (await world.send(anna.token, "POST", "/api/keys", {
      name: "k",
      scopes: ["account", "plugins:read"],
    })).answer;
    const works = async (key: string) =>
      (await world.send(key, "GET", "/api/plugins")).status === 200;
    const rotate = async (options: unknown) =>
      (await world.send(anna.token, "POST", `/api/keys/${first.view.id}/rotate`, options)).answer;
    assert.ok(await works(first.key));
    const second = await rotate({ overlapMs: 60_000 });
    assert.notEqual(second.key, first.key);
    assert.equal(second.view.id, first.view.id);
    assert.deepEqual([await works(first.key), await works(second.key)], [true, true]);
    world.clock.advance(59_999);
    assert.deepEqual([await works(first.key), await works(second.key)], [true, true]);
    world.clock.advance(1);
    assert.deepEqual([await works(first.key), await works(second.key)], [false, true]);
    const third = await rotate({ overlapMs: 0 });
    assert.deepEqual([await works(second.key), await works(third.key)], [false, true]);
    // A third rotation ends what the second one left.
    const fourth = await rotate({});
    const fifth = await rotate({});
    assert.deepEqual(
      [await works(third.key), await works(fourth.key), await works(fifth.key)],
      [false, true, true],
    );
    await world.send(anna.token, "DELETE", `/api/keys/${first.view.id}`);
    assert.deepEqual([await works(fourth.key), await works(fifth.key)], [false, false]);
    for (const overlapMs of [-1, 0.5, 7 * dayMs + 1, "1"]) {
      assert.equal(
        (await world.send(anna.token, "POST", "/api/keys/x/rotate", { overlapMs })).status,
        400,
      );
    }
  });
});

Deno.test("a key that expires works until then", async () => {
  await withApp(async (world) => {
    const anna = await world.person("anna", "user");
    const { key } = (await world.send(anna.token, "POST", "/api/keys", {
      name: "k",
      scopes: ["account", "plugins:read"],
      expiresAtMs: world.clock.nowMs + 1000,
    })).answer;
    assert.equal((await world.send(key, "GET", "/api/plugins")).status, 200);
    world.clock.advance(1000);
    assert.equal((await world.send(key, "GET", "/api/plugins")).status, 401);
  });
});

Deno.test("an invitation is a link with the code in its fragment, good once, and never told again", async () => {
  await withApp(async (world) => {
    const made = await world.send(token, "POST", "/admin/users", { name: "Anna", role: "user" });
    const { user, invitation } = made.answer;
    assert.equal(made.response.headers.get("cache-control"), "no-store");
    assert.equal(invitation.url, `https://example.org/bkg/#invitation=${invitation.code}`);
    assert.deepEqual([user.name, user.status], ["anna", "invited"]);
    const tokens = await world.signIn.withInvitation(invitation.code, goodPassword, visitor);
    await assert.rejects(world.signIn.withInvitation(invitation.code, goodPassword, visitor), {
      code: "UNAUTHENTICATED",
    });
    assert.equal(
      (await world.send(token, "GET", `/admin/users/${user.id}`)).answer.status,
      "active",
    );
    // Another link ends the password and the session that there were.
    const again = (await world.send(token, "POST", `/admin/users/${user.id}/invite`)).answer;
    assert.equal((await world.send(tokens.token, "GET", "/auth/me")).status, 401);
    await assert.rejects(world.signIn.withPassword("anna", goodPassword, visitor), {
      code: "UNAUTHENTICATED",
    });
    const listed = JSON.stringify([
      (await world.send(token, "GET", "/admin/users")).answer,
      world.deeds.map((deed) => ({ ...deed, principal: undefined })),
      world.logged(),
    ]);
    assert.ok(!listed.includes(invitation.code) && !listed.includes(again.code));
    assert.deepEqual(
      world.deeds.map(({ action, object, outcome }) => [action, object, outcome]).slice(-2),
      [["user.create", `user:${user.id}`, "ok"], ["user.invite", `user:${user.id}`, "ok"]],
    );
  }, { publicUrl: "https://example.org/bkg" });
});

Deno.test("bodies and queries that are none are refused, naming the field, in short answers", async () => {
  await withApp(async (world) => {
    const anna = await world.person("anna", "user");
    const long = "x".repeat(10_000_000);
    const key = { name: "k", scopes: ["account"] };
    const bad: [string, string, unknown][] = [
      ["POST", "/admin/users", { role: "user" }],
      ["POST", "/admin/users", { name: "a b", role: "user" }],
      ["POST", "/admin/users", { name: "\u202eevil", role: "user" }],
      ["POST", "/admin/users", { name: long, role: "user" }],
      ["POST", "/admin/users", { name: "x", role: "none" }],
      ["POST", "/admin/users", { name: "x", role: "user", scopes: ["everything"] }],
      ["POST", "/admin/users", { name: "x", role: "user", scopes: Array(101).fill("account") }],
      ["POST", "/admin/users", { name: "x", role: "user", password: "short" }],
      ["POST", "/admin/users", { name: "x", role: "user", id: "operator" }],
      ["POST", "/admin/users", { name: "x", role: "user", limits: { tokensPerDay: -1 } }],
      ["PATCH", `/admin/users/${anna.id}`, { password: goodPassword }],
      ["PATCH", `/admin/users/${anna.id}`, { disabled: "yes" }],
      ["PATCH", `/admin/users/${anna.id}`, null],
      ["PUT", "/admin/roles/UPPER", { scopes: [] }],
      ["PUT", "/admin/roles/x", { scopes: "account" }],
      ["POST", "/api/keys", { ...key, scopes: [] }],
      ["POST", "/api/keys", { ...key, name: " " }],
      ["POST", "/api/keys", { ...key, name: "a\u0000b" }],
      ["POST", "/api/keys", { ...key, name: "a\u001b[2Jb" }],
      ["POST", "/api/keys", { ...key, name: "a\u2066b" }],
      ["POST", "/api/keys", { ...key, name: long }],
      ["POST", "/api/keys", { ...key, expiresAtMs: world.clock.nowMs }],
      ["POST", "/api/keys", { ...key, expiresAtMs: 1e300 }],
      ["POST", "/api/keys", { ...key, key: "bkg_operator_x" }],
      ["GET", "/api/keys?limit=0", undefined],
      ["GET", "/api/keys?limit=201", undefined],
      ["GET", "/api/keys?limit=ten", undefined],
      ["GET", "/api/keys?after=none", undefined],
      ["GET", `/admin/users?query=${"x".repeat(65)}`, undefined],
      ["GET", `/admin/users?after=${"x".repeat(501)}`, undefined],
    ];
    for (const [method, path, body] of bad) {
      const { status, answer, text } = await world.send(token, method, path, body);
      const what = `${method} ${path} ${JSON.stringify(body)?.slice(0, 80)}`;
      assert.deepEqual([status, answer.code], [400, "INVALID_INPUT"], what);
      assert.ok(text.length < 10_000, what);
    }
    for (const name of ["Anna's phone", "büro 💡", "日本語"]) {
      const { answer } = await world.send(anna.token, "POST", "/api/keys", { ...key, name });
      assert.equal(answer.view.name, name);
    }
    assert.deepEqual((await world.send(token, "GET", "/admin/users?query=%00")).answer, {
      users: [],
    });
    assert.equal((await world.send(token, "GET", "/admin/users/%00")).status, 404);
  });
});

Deno.test("/openapi.json describes the bodies without a reference that leads nowhere", async () => {
  await withApp(async ({ send }) => {
    const { answer: { paths, components } } = await send(token, "GET", "/openapi.json");
    for (const [path, method] of [["/admin/users", "post"], ["/api/keys", "post"]] as const) {
      const text = JSON.stringify(paths[path][method]);
      assert.match(text, /tokensPerDay/);
      for (const [, name = ""] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
        assert.ok(name.startsWith("components/schemas/"), name);
        assert.ok(components.schemas[name.split("/")[2]!], name);
      }
    }
  });
});

interface World extends TestApp, Omit<TestAccess, "deeds"> {
  /** A user who is signed in. */
  person(name: string, role: string): Promise<{ id: string; token: string }>;
  send(bearer: string, method: string, path: string, body?: unknown): Promise<{
    status: number;
    response: Response;
    text: string;
    // deno-lint-ignore no-explicit-any
    answer: any;
  }>;
}

async function withApp(
  run: (world: World) => Promise<void>,
  config: Parameters<typeof createTestApp>[0] = {},
): Promise<void> {
  await database.db.transaction(({ script }) => script("truncate roles, users cascade"));
  await using access = await openTestAccess(database.db);
  const { auth, signIn, accounts, keys: apiKeys } = access;
  const test = createTestApp(config, { auth, signIn, accounts, apiKeys });
  try {
    await run({
      ...access,
      ...test,
      async person(name, role) {
        const { user } = await accounts.create({ name, role, password: goodPassword });
        const { token } = await signIn.withPassword(name, goodPassword, visitor);
        return { id: user.id, token };
      },
      async send(bearer, method, path, body) {
        const response = await test.app.fetch(ask(path, {
          method,
          headers: {
            ...(bearer === "" ? {} : { authorization: `Bearer ${bearer}` }),
            ...(body === undefined ? {} : { "content-type": "application/json" }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }));
        const text = await response.text();
        const answer = text === "" ? undefined : JSON.parse(text);
        return { status: response.status, response, text, answer };
      },
    });
  } finally {
    test.app.close();
  }
}
