// The plugin's handlers on the server's accounts: what the broker does between is served_calls_test's affair, and all
// of it together is end_to_end/accounts_test's.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createScopes } from "../../server/auth/scopes.ts";
import type { Identity } from "../../server/auth/authenticator.ts";
import { createAuthHost } from "../../server/services/auth_host.ts";
import type { Deed } from "../../server/services/audit_log.ts";
import {
  goodPassword,
  openTestAccess,
  type TestAccess,
  testOperatorToken,
  visitor,
} from "../../server/testing/test_access.ts";
import { openTestDatabase } from "../../server/testing/test_database.ts";
import { authMethods } from "../runtime/contract/auth_service.ts";
import { parseManifest } from "../runtime/contract/manifest.ts";
import { assertMatches, compileSchema } from "../runtime/contract/schema.ts";
import type { Principal } from "../runtime/host/host.ts";
import plugin from "./plugin.ts";

const manifest = parseManifest(
  JSON.parse(readFileSync(new URL("./plugin.json", import.meta.url), "utf8")),
);

const database = await openTestDatabase();
Deno.test.afterAll(async () => await database[Symbol.asyncDispose]());

Deno.test("plugin.json is valid, asks for accounts alone, and runs in no page", () => {
  const { permissions, browser, capabilities } = manifest;
  assert.deepEqual(permissions.services, ["auth"]);
  assert.deepEqual([permissions.fetch, permissions.models, permissions.commands], [[], [], []]);
  assert.equal(browser, false);
  assert.deepEqual(capabilities.map(({ id }) => id), authMethods.map((name) => `auth.${name}`));
  assert.deepEqual(Object.keys(plugin.capabilities), capabilities.map(({ id }) => id));
  for (const { id, title, description, inputSchema, examples } of capabilities) {
    assert.ok(title && description && examples.length > 0, id);
    for (const { input } of examples) {
      assertMatches(compileSchema(inputSchema, id), input, "INVALID_INPUT", id);
    }
  }
});

Deno.test("auth.createKey, auth.listKeys, auth.validate and auth.revokeKey are of the caller's own keys", async () => {
  await withPlugin(async ({ call, person, access, deeds }) => {
    const [anna, bob] = [await person("anna"), await person("bob")];
    const input = {
      name: "k",
      scopes: ["invoke:llm.chat"],
      expiresAtMs: access.clock.nowMs + 1000,
    };
    const made = await call("auth.createKey", input, anna);
    assert.match(made.key, /^bkg_[a-z0-9]{12}_[\w-]{43}$/);
    assert.equal((await access.auth.authenticate(made.key)).id, anna.id);
    assert.deepEqual(await call("auth.listKeys", {}, anna), { keys: [made.view] });
    assert.deepEqual(await call("auth.listKeys", {}, bob), { keys: [] });
    assert.deepEqual(await call("auth.validate", { key: made.key }, bob), {
      valid: true,
      principal: { id: anna.id, name: "anna", role: "user" },
      scopes: ["invoke:llm.chat"],
      expiresAtMs: input.expiresAtMs,
    });
    const { id } = made.view;
    await assert.rejects(call("auth.revokeKey", { id }, bob), { code: "NOT_FOUND" });
    assert.deepEqual(await call("auth.revokeKey", { id }, anna), {});
    assert.deepEqual(await call("auth.validate", { key: made.key }, bob), { valid: false });
    assert.deepEqual(
      deeds.map(({ principal, action, outcome }) => [principal?.name, action, outcome]),
      [
        ["anna", "key.create", "ok"],
        ["bob", "key.revoke", "failed"],
        ["anna", "key.revoke", "ok"],
      ],
    );
    assert.ok(!JSON.stringify(deeds.map(({ object }) => object)).includes(made.key.slice(17)));
  });
});

Deno.test("auth.listKeys pages without a gap", async () => {
  await withPlugin(async ({ call, person, access }) => {
    const anna = await person("anna");
    for (let count = 0; count < 23; count++) {
      await access.keys.create({ userId: anna.id, name: `k${count}`, scopes: ["account"] });
    }
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await call("auth.listKeys", { limit: 5, ...(after && { after }) }, anna);
      seen.push(...page.keys.map(({ id }: { id: string }) => id));
      after = page.next;
    } while (after !== undefined);
    assert.deepEqual([seen.length, new Set(seen).size], [23, 23]);
    await assert.rejects(call("auth.listKeys", { after: "x" }, anna), { code: "INVALID_INPUT" });
  });
});

Deno.test("auth.validate tells nothing of what is no API key", async () => {
  await withPlugin(async ({ call, person, access }) => {
    const anna = await person("anna");
    const { token, refreshToken } = await access.signIn.withPassword("anna", goodPassword, visitor);
    const { key, view } = await access.keys.create({
      userId: anna.id,
      name: "k",
      scopes: ["account"],
      expiresAtMs: access.clock.nowMs + 1000,
    });
    const others = ["x", token.slice(0, 200), refreshToken, testOperatorToken, key + "x"];
    const wrongSecret = `bkg_${view.id}_${"A".repeat(43)}`;
    for (const wrong of [...others, wrongSecret, key.toUpperCase(), ` ${key}`]) {
      assert.deepEqual(await call("auth.validate", { key: wrong }, anna), { valid: false });
    }
    access.clock.advance(1000);
    assert.deepEqual(await call("auth.validate", { key }, anna), { valid: false });
  });
});

Deno.test("auth.login answers tokens, and refuses what is wrong in one way, without ending the caller", async () => {
  await withPlugin(async ({ call, person, access }) => {
    const anna = await person("anna");
    const tokens = await call("auth.login", { name: "ANNA", password: goodPassword }, anna);
    assert.equal((await access.auth.authenticate(tokens.token)).id, anna.id);
    const messages = new Set<string>();
    for (const name of ["anna", "nobody", "\u0000", "a b"]) {
      await assert.rejects(
        call("auth.login", { name, password: "a wrong long password" }, anna),
        (error: Error & { code: string }) => {
          messages.add(`${error.code} ${error.message}`);
          return true;
        },
      );
    }
    assert.deepEqual([...messages], ["FORBIDDEN The name or the password is wrong"]);
  });
});

Deno.test("who may not use his own account, or gives more than he has, is refused", async () => {
  await withPlugin(async ({ call, person }) => {
    const anna = await person("anna");
    const narrowed = (scopes: string[]): Identity => ({ ...anna, scopes: createScopes(scopes) });
    const chat = narrowed(["invoke:*"]);
    for (const { id, examples } of manifest.capabilities) {
      await assert.rejects(call(id, examples[0]!.input, chat), {
        code: "FORBIDDEN",
        details: { scope: "account" },
      });
      // A plugin that calls another is nobody with an account.
      await assert.rejects(
        call(id, examples[0]!.input, { id: "operator", role: "admin" }),
        { code: "FORBIDDEN" },
      );
    }
    for (const scopes of [["*"], ["invoke:*"], ["users:manage"]]) {
      await assert.rejects(
        call("auth.createKey", { name: "k", scopes }, narrowed(["account", "invoke:llm.*"])),
        { code: "FORBIDDEN", details: { scope: scopes[0] } },
      );
    }
  });
});

Deno.test("what a plugin makes of an input is parsed again", async () => {
  await withPlugin(async ({ host, person }) => {
    const anna = await person("anna");
    const key = { name: "k", scopes: ["account"] };
    for (
      const [method, input] of [
        ["createKey", { ...key, userId: "operator" }],
        ["createKey", { ...key, name: "a\u202eb" }],
        ["createKey", { ...key, scopes: ["everything"] }],
        ["createKey", { ...key, name: "x".repeat(1_000_000) }],
        ["createKey", { ...key, expiresAtMs: 1 }],
        ["revokeKey", {}],
        ["revokeKey", { id: { toString: "x" } }],
        ["listKeys", { limit: 1000 }],
        ["validate", { key: 1 }],
        ["login", null],
        ["login", { name: "x", password: "x".repeat(1001) }],
      ] as const
    ) {
      await assert.rejects(host.call(method, input, anna), (error: Error & { code: string }) => {
        assert.equal(error.code, "INVALID_INPUT", method);
        assert.ok(error.message.length < 2000);
        return true;
      });
    }
  });
});

interface World {
  access: TestAccess;
  deeds: Deed[];
  host: ReturnType<typeof createAuthHost>;
  person(name: string): Promise<Identity>;
  /** One call of a capability, input and output checked as the bus does. */
  // deno-lint-ignore no-explicit-any
  call(capability: string, input: unknown, principal: Principal): Promise<any>;
}

async function withPlugin(run: (world: World) => Promise<void>): Promise<void> {
  await database.db.transaction(({ script }) => script("truncate roles, users cascade"));
  await using access = await openTestAccess(database.db);
  const { auth, signIn, accounts, keys: apiKeys } = access;
  const deeds: Deed[] = [];
  const record = (deed: Deed) => void deeds.push(deed);
  const host = createAuthHost({ accounts, apiKeys, auth, signIn, audit: { record } });
  await run({
    access,
    deeds,
    host,
    async person(name) {
      await accounts.create({ name, role: "user", password: goodPassword });
      const { token } = await signIn.withPassword(name, goodPassword, visitor);
      return await auth.authenticate(token);
    },
    async call(capability, input, principal) {
      const declared = manifest.capabilities.find(({ id }) => id === capability)!;
      const check = (schema: typeof declared.inputSchema, value: unknown) =>
        assertMatches(compileSchema(schema, capability), value, "INVALID_OUTPUT", capability);
      check(declared.inputSchema, input);
      const service = Object.fromEntries(
        authMethods.map((method) => [
          method,
          (given: unknown) => host.call(method, given, principal),
        ]),
      );
      const handler = plugin.capabilities[capability]!;
      const value = await handler(input as never, { ctx: { auth: service } } as never);
      check(declared.outputSchema, value);
      return value;
    },
  });
}
