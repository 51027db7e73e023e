// /admin/audit, /admin/usage, /api/usage and /admin/settings over the real stores.

import assert from "node:assert/strict";
import { readConfig } from "../../config.ts";
import type { Deed } from "../../services/audit_log.ts";
import { openAuditStore } from "../../services/audit_store.ts";
import { openServerSettings } from "../../services/server_settings_store.ts";
import { addUsers } from "../../testing/database_engines.ts";
import { openUsageStore } from "../../services/usage_store.ts";
import { ask as request, createTestApp } from "../../testing/test_app.ts";
import { openTestDatabase } from "../../testing/test_database.ts";
import { testIdentity } from "../../testing/test_guard.ts";
import { askAs, identityAuthenticator } from "../../testing/test_identities.ts";

const database = await openTestDatabase();
Deno.test.afterAll(async () => await database[Symbol.asyncDispose]());
const { db } = database;
const failed = (error: unknown) => assert.fail(String(error));
const auth = identityAuthenticator({
  ada: ["account"],
  bob: ["account"],
  auditor: ["audit:read"],
  counter: ["usage:read"],
  keeper: ["settings:manage"],
});

Deno.test("/admin/audit", async (t) => {
  await database.reset();
  await using audit = await openAuditStore({ db, oldPaths: [], failed });
  const { app } = createTestApp({}, { auth, audit });
  const deed = (object: string): Deed => {
    const action = object === "last" ? "role.put" : "user.change";
    return { principal: testIdentity(), address: "::1", action, object, outcome: "ok" };
  };
  for (let i = 0; i < 250; i++) audit.record(deed(`user:${i}`));
  for (const object of ['=cmd("x"),1', "a\nb", "last"]) audit.record(deed(object));
  const get = (query: string) => askAs(app, "auditor", `GET /admin/audit${query}`);

  await t.step("pages, newest first, and filters", async () => {
    const { body } = await get("?limit=2");
    assert.deepEqual(body.entries.map(({ object }: Deed) => object), ["last", "a\nb"]);
    assert.equal((await get(`?limit=200&after=${body.next}`)).body.entries.length, 200);
    assert.equal((await get("?action=role.put")).body.entries.length, 1);
    assert.equal((await get("?object=user:7&principal=ada")).body.entries[0].address, "::1");
    assert.equal((await get(`?to=${Date.now() - 60_000}`)).body.entries.length, 0);
    assert.equal((await get("?principal=%00")).body.entries.length, 0);
  });

  await t.step("refuses what is no filter by its name", async () => {
    for (
      const [query, field] of [
        ["limit=0", "limit"],
        ["limit=1e2", "limit"],
        ["after=x", "after"],
        ["from=yesterday", "from"],
        ["to=-1", "to"],
        [`action=${"x".repeat(1001)}`, "action"],
      ]
    ) {
      const { status, body } = await get(`?${query}`);
      assert.deepEqual([status, body.details.field], [400, field], query);
    }
  });

  await t.step("as CSV all of it, with no formula of a stranger's in it", async () => {
    const response = await app.fetch(request("/admin/audit?principal=ada", {
      headers: { authorization: "Bearer auditor", accept: "text/csv" },
    }));
    assert.equal(response.headers.get("content-type"), "text/csv; charset=utf-8");
    const text = await response.text();
    const lines = text.split("\r\n");
    assert.equal(lines.length, 1 + 253 + 1);
    assert.match(lines[0]!, /^id,atMs,principal,principalName,credential,address,/);
    assert.match(text, /,user\.change,"'=cmd\(""x""\),1",ok,1\r\n/);
    assert.match(text, /,"a\nb",ok,1\r\n/);
    const cut = await app.fetch(request("/admin/audit", {
      headers: { authorization: "Bearer auditor", accept: "text/csv" },
    }));
    await cut.body!.cancel();
  });
});

Deno.test("/api/usage and /admin/usage", async (t) => {
  await database.reset();
  await addUsers(db);
  await using usage = openUsageStore({ db, failed });
  const { app } = createTestApp({}, { auth, usage });
  for (const id of ["ada", "bob"]) {
    usage.add({
      principal: testIdentity({ id }),
      capability: "llm.chat",
      pluginId: "llmserver",
      failed: false,
      promptTokens: 3,
      completionTokens: 4,
      busyMs: 5,
    });
  }

  await t.step("one's own alone, and everyone's with the scope for it", async () => {
    const { body } = await askAs(app, "ada", "GET /api/usage");
    const today = new Date().toISOString().slice(0, 10);
    const day = {
      day: today,
      capability: "llm.chat",
      pluginId: "llmserver",
      keyId: "",
      calls: 1,
      errors: 0,
      promptTokens: 3,
      completionTokens: 4,
      busyMs: 5,
    };
    assert.deepEqual([body.days, body.quotas, body.to], [[day], [], today]);
    const own = await askAs(app, "ada", "GET /api/usage?userId=bob");
    assert.equal(own.body.days.length, 1);
    const all = await askAs(app, "counter", "GET /admin/usage");
    assert.deepEqual(
      all.body.days.map(({ userId, userName }: Record<string, string>) => [userId, userName]),
      [["bob", "bob"], ["ada", "ada"]],
    );
    assert.equal((await askAs(app, "counter", "GET /admin/usage?userId=bob")).body.days.length, 1);
    assert.equal((await askAs(app, "counter", "GET /admin/usage?userId=%00")).status, 200);
  });

  await t.step("days that are none are refused", async () => {
    for (const query of ["from=2026-02-30", "to=x", "from=2026-1-1", "after=x"]) {
      assert.equal((await askAs(app, "ada", `GET /api/usage?${query}`)).status, 400, query);
    }
    assert.deepEqual((await askAs(app, "ada", "GET /api/usage?to=2001-01-01")).body.days, []);
  });

  await t.step("tells what each limit leaves, of user and key", async () => {
    const principal = testIdentity({
      scopes: ["account", "invoke:*"],
      limits: { requestsPerMinute: 5 },
      key: { id: "k1", limits: { capabilities: { "test.echo": { requestsPerMinute: 2 } } } },
    });
    const { app } = createTestApp({}, {
      auth: { authenticate: () => principal, watch: () => () => {} },
    });
    await askAs(app, "k1", "POST /api/capabilities/test.echo", {});
    const { body } = await askAs(app, "k1", "GET /api/usage");
    assert.deepEqual(
      body.quotas.map(({ subject, policy, used, remaining }: Record<string, unknown>) =>
        [subject, policy, used, remaining].join(" ")
      ),
      ["user:ada requests 1 4", "key:k1 requests:test.echo 1 1"],
    );
  });
});

Deno.test("/admin/settings", async (t) => {
  await database.reset();
  const config = readConfig({ BKG_DATA_DIR: "/tmp", BKG_ALLOWED_ORIGINS: "https://a.example" });
  const settings = await openServerSettings({ db, config, warn: assert.fail });
  const { app, deeds } = createTestApp({}, { auth, settings });
  const patch = (body: unknown) => askAs(app, "keeper", "PATCH /admin/settings", body);
  const atHost = async (host: string) => {
    const headers = { host, authorization: "Bearer keeper" };
    const response = await app.fetch(request("/auth/me", { headers }));
    await response.body?.cancel();
    return response.status;
  };

  await t.step("a host is answered to from the moment it is stored, until it goes", async () => {
    assert.equal(await atHost("bkg.lan"), 421);
    const { status, body } = await patch({ allowedHosts: ["BKG.lan"], auditDays: 30 });
    assert.equal(status, 200);
    const view = body.settings.find(({ name }: { name: string }) => name === "allowedHosts");
    assert.deepEqual([view.value, view.source, view.restart], [["bkg.lan"], "stored", false]);
    assert.equal(await atHost("bkg.lan"), 200);
    assert.equal(await atHost("evil.lan"), 421);
    await patch({ allowedHosts: null });
    assert.equal(await atHost("bkg.lan"), 421);
    assert.equal((await askAs(app, "keeper", "GET /admin/settings")).status, 200);
  });

  await t.step("each change is recorded, those that are refused too", async () => {
    deeds.length = 0;
    await patch({ auditDays: 31 });
    assert.equal((await patch({ auditDays: 0 })).status, 400);
    assert.equal((await patch({ allowedOrigins: [] })).status, 409);
    assert.equal((await patch([])).status, 400);
    assert.deepEqual(
      deeds.map(({ action, object, outcome }) => `${action} ${object} ${outcome}`),
      [
        'settings.change {"auditDays":31} ok',
        'settings.change {"auditDays":0} failed',
        'settings.change {"allowedOrigins":[]} failed',
      ],
    );
  });
});
