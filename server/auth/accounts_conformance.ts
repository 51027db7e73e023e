// What accounts and keys must do on every engine: run by accounts_store_test.ts on PGlite and a real PostgreSQL.

import assert from "node:assert/strict";
import type { Db } from "../db/db.ts";
import { createAccounts } from "./accounts_store.ts";
import type { Accounts, UserView } from "./accounts.ts";
import type { ApiKeys, KeyView } from "./api_keys.ts";
import { createApiKeys } from "./api_keys_store.ts";
import type { Change } from "./identities.ts";
import { seedAccounts } from "./roles_store.ts";
import { hashSecret } from "./secrets.ts";

interface World {
  db: Db;
  accounts: Accounts;
  keys: ApiKeys;
  clock: { nowMs: number };
  /** What the identities were told, in order. */
  changes: Change[];
  user(name: string, role?: string): Promise<UserView>;
}

const hourMs = 60 * 60_000;
const anyone = { userId: undefined };

export async function testAccountsConformance(t: Deno.TestContext, db: Db): Promise<void> {
  const step = (name: string, run: (world: World) => Promise<void>) =>
    t.step(name, async () => {
      await db.transaction(({ script }) => script("truncate roles, users, keys, sessions cascade"));
      const clock = { nowMs: 1_800_000_000_000 };
      const now = () => clock.nowMs;
      await Promise.all([seedAccounts(db, now), seedAccounts(db, now)]);
      const changes: Change[] = [];
      const identities = { changed: (change: Change) => void changes.push(change) };
      const passwords = { hash: (password: string) => Promise.resolve(hashSecret(password)) };
      const accounts = createAccounts({ db, identities, passwords, now });
      const keys = createApiKeys({ db, identities, now });
      const user = async (name: string, role = "user") =>
        (await accounts.create({ name, role })).user;
      await run({ db, accounts, keys, clock, changes, user });
    });

  await step(
    "the operator and the built-in roles are there, and stay as they are",
    async (world) => {
      const { accounts, changes } = world;
      const { users } = await accounts.list({});
      assert.deepEqual(users.map(({ id, name, role, status }) => [id, name, role, status]), [
        ["operator", "admin", "admin", "active"],
      ]);
      assert.deepEqual((await accounts.roles()).map(({ name, builtin }) => [name, builtin]), [
        ["admin", true],
        ["operator", true],
        ["user", true],
      ]);
      await assert.rejects(accounts.delete("operator"), { code: "FORBIDDEN" });
      for (
        const change of [
          { disabled: true },
          { role: "user" },
          { scopes: ["account"] },
          { limits: { requestsPerMinute: 1 } },
          { name: "root" },
        ]
      ) {
        await assert.rejects(accounts.change("operator", change), { code: "FORBIDDEN" });
      }
      await accounts.change("operator", { role: "admin", disabled: false, scopes: null });
      await accounts.setPassword("operator", "a long enough one");
      assert.equal((await accounts.get("operator")).hasPassword, true);
      await assert.rejects(
        accounts.putRole({ name: "admin", scopes: ["account"], limits: null }),
        { code: "FORBIDDEN" },
      );
      await assert.rejects(accounts.deleteRole("user"), { code: "FORBIDDEN" });
      assert.deepEqual(changes, [{ kind: "user", id: "operator" }]);
    },
  );

  await step(
    "names that are none are refused, and what is the same name is taken",
    async (world) => {
      const { accounts } = world;
      const hostile = [
        ...["", " ", "a b", "a\u0000", "a\u001b[2J", "\u202enimda", "a\u200b", "ä", "a/b", "<b>"],
        ...["a".repeat(65), "a".repeat(10_000_000), "\ud800", "'; drop table users; --"],
      ];
      for (const name of hostile) {
        await assert.rejects(accounts.create({ name, role: "user" }), (error: Error) => {
          assert.equal((error as Error & { code: string }).code, "INVALID_INPUT");
          assert.ok(error.message.length < 500);
          return true;
        });
        assert.equal(await accounts.findByName(name), undefined);
        assert.deepEqual((await accounts.list({ query: name || "\u0000" })).users, []);
      }
      const { user } = await accounts.create({ name: "Ａnna@Home", role: "user" });
      assert.equal(user.name, "anna@home");
      assert.deepEqual(await accounts.findByName("ANNA@HOME"), user);
      for (const name of ["anna@home", "ANNA@home", "Admin"]) {
        await assert.rejects(accounts.create({ name, role: "user" }), { code: "CONFLICT" });
      }
      const other = await world.user("other");
      await assert.rejects(accounts.change(other.id, { name: "Anna@home" }), {
        code: "CONFLICT",
        message: 'The name "anna@home" is taken',
      });
      await accounts.change(other.id, { name: "other.two" });
      assert.equal((await accounts.get(other.id)).name, "other.two");
    },
  );

  await step("unknown ids are NOT_FOUND, whatever is in them", async ({ accounts, keys }) => {
    for (const id of ["nobody", "", "\u0000", "a".repeat(100_000), "\ud800", "../operator", "%"]) {
      for (
        const attempt of [
          () => accounts.get(id),
          () => accounts.change(id, { disabled: true }),
          () => accounts.invite(id),
          () => accounts.setPassword(id, "a long enough one"),
          () => accounts.delete(id),
          () => accounts.deleteRole(id),
          () => keys.get(anyone, id),
          () => keys.change(anyone, id, { name: "x" }),
          () => keys.rotate(anyone, id, {}),
          () => keys.revoke(anyone, id),
          () => keys.create({ userId: id, name: "x", scopes: ["account"] }),
        ]
      ) await assert.rejects(attempt, { code: "NOT_FOUND" }, id.slice(0, 20));
      assert.deepEqual(await keys.list({ userId: id }, {}), { keys: [] });
    }
    await assert.rejects(accounts.create({ name: "x", role: "\u0000" }), { code: "INVALID_INPUT" });
    await assert.rejects(accounts.create({ name: "x", role: "none" }), { code: "INVALID_INPUT" });
  });

  await step("of twenty who make one name at once, one does", async ({ accounts, user }) => {
    const made = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => user(index % 2 === 0 ? "same" : "SAME")),
    );
    assert.equal(made.filter(({ status }) => status === "fulfilled").length, 1);
    for (const result of made) {
      if (result.status === "rejected") assert.equal(result.reason.code, "CONFLICT");
    }
    const [one, two] = [await user("one"), await user("two")];
    const renamed = await Promise.allSettled(
      [one, two].map(({ id }) => accounts.change(id, { name: "three" })),
    );
    assert.equal(renamed.filter(({ status }) => status === "fulfilled").length, 1);
    const refused = renamed.find(({ status }) => status === "rejected") as PromiseRejectedResult;
    assert.equal(refused.reason.code, "CONFLICT");
  });

  await step("pages have no gap and no double while users come and go", async (world) => {
    const { accounts, user } = world;
    const names = Array.from(
      { length: 500 },
      (_, index) => `user-${String(index * 2).padStart(4, "0")}`,
    );
    for (let from = 0; from < names.length; from += 50) {
      await Promise.all(names.slice(from, from + 50).map((name) => user(name)));
    }
    const seen: string[] = [];
    let after: string | undefined;
    let pages = 0;
    do {
      const page = await accounts.list({ limit: 37, after, query: "user-" });
      assert.ok(page.users.length <= 37);
      seen.push(...page.users.map(({ name }) => name));
      after = page.next;
      // One behind and one ahead of where the next page begins.
      const at = Number(seen.at(-1)!.slice(5));
      await user(`user-${String(at - 1).padStart(4, "0")}x`);
      const behind = await accounts.findByName(seen[pages]!);
      await accounts.delete(behind!.id);
      pages++;
    } while (after !== undefined);
    assert.equal(new Set(seen).size, seen.length);
    assert.deepEqual(names.filter((name) => !seen.includes(name)), []);
    assert.deepEqual(seen, seen.toSorted());
    for (
      const page of [
        { after: "x" },
        { after: btoa('"a"') },
        { after: btoa('["\\u0000"]') },
        { after: "A".repeat(10_000_000) },
        { limit: 0 },
        { limit: 201 },
        { limit: 1.5 },
        { limit: NaN },
      ]
    ) {
      await assert.rejects(accounts.list(page), { code: "INVALID_INPUT" });
      await assert.rejects(world.keys.list(anyone, page), { code: "INVALID_INPUT" });
    }
  });

  await step(
    "an invitation is kept as a hash, for 72 hours, and the newest alone",
    async (world) => {
      const { db, accounts, clock } = world;
      const { user, invitation } = await accounts.create({ name: "anna", role: "user" });
      assert.equal(user.status, "invited");
      assert.equal(invitation!.expiresAtMs, clock.nowMs + 72 * hourMs);
      const rows = () => db.sql`select hash, user_id, expires_at_ms from invitations`;
      assert.deepEqual(await rows(), [{
        hash: hashSecret(invitation!.code),
        user_id: user.id,
        expires_at_ms: invitation!.expiresAtMs,
      }]);
      clock.nowMs += hourMs;
      await accounts.setPassword(user.id, "a long enough one");
      assert.deepEqual(await rows(), []);
      assert.equal((await accounts.get(user.id)).status, "active");
      await addSession(world, user.id);
      world.changes.length = 0;
      const again = await accounts.invite(user.id);
      assert.deepEqual((await rows()).map(({ hash }) => hash), [hashSecret(again.code)]);
      assert.deepEqual(world.changes, [{ kind: "session", id: `s-${user.id}` }]);
      assert.equal((await accounts.get(user.id)).hasPassword, false);
      assert.equal(
        (await accounts.create({ name: "bob", role: "user", password: "a long enough one" }))
          .invitation,
        undefined,
      );
      for (const password of ["short", "", "berta", "x".repeat(201)]) {
        await assert.rejects(accounts.create({ name: "berta", role: "user", password }), {
          code: "INVALID_INPUT",
        });
      }
    },
  );

  await step(
    "who is disabled or deleted has no sessions, no invitation, and is told of",
    async (world) => {
      const { db, accounts, keys, changes } = world;
      const anna = await world.user("anna");
      await addSession(world, anna.id);
      await keys.create({ userId: anna.id, name: "k", scopes: ["account"] });
      const count = async () =>
        (await db.sql`
        select (select count(*) from sessions) as sessions, (select count(*) from keys) as keys,
          (select count(*) from invitations) as invitations`)[0];
      const disabled = await accounts.change(anna.id, { disabled: true });
      assert.equal(disabled.status, "disabled");
      assert.deepEqual(await count(), { sessions: 0, keys: 1, invitations: 0 });
      assert.deepEqual(changes.splice(0), [{ kind: "user", id: anna.id }]);
      await assert.rejects(accounts.invite(anna.id), { code: "CONFLICT" });
      assert.equal((await accounts.change(anna.id, { name: "ann" })).status, "disabled");
      assert.equal((await accounts.change(anna.id, { disabled: false })).status, "invited");
      await addSession(world, anna.id);
      changes.length = 0;
      await accounts.delete(anna.id);
      assert.deepEqual(await count(), { sessions: 0, keys: 0, invitations: 0 });
      assert.deepEqual(changes, [{ kind: "user", id: anna.id }]);
      await assert.rejects(accounts.delete(anna.id), { code: "NOT_FOUND" });
      assert.equal(changes.length, 1);
    },
  );

  await step(
    "roles are made, narrowed and deleted, and everyone who has one is told of",
    async (world) => {
      const { accounts, changes } = world;
      const family = { name: "family", scopes: ["invoke:llm.*", "account"], limits: null };
      assert.deepEqual(await accounts.putRole(family), { ...family, builtin: false, users: 0 });
      const anna = await world.user("anna", "family");
      const limits = { tokensPerDay: 1000 };
      assert.deepEqual(await accounts.putRole({ ...family, limits }), {
        ...family,
        limits,
        builtin: false,
        users: 1,
      });
      assert.deepEqual(changes.splice(0), Array(2).fill({ kind: "role", name: "family" }));
      await assert.rejects(accounts.deleteRole("family"), { code: "CONFLICT" });
      await accounts.change(anna.id, { role: "user" });
      await accounts.deleteRole("family");
      await assert.rejects(accounts.deleteRole("family"), { code: "NOT_FOUND" });
      await accounts.putRole({ name: "user", scopes: ["invoke:llm.chat"], limits: null });
      for (const scopes of [["*"], ["users:manage"], ["plugins:*"]]) {
        await assert.rejects(accounts.putRole({ name: "user", scopes, limits: null }), {
          code: "FORBIDDEN",
        });
      }
      for (const name of ["", "A", "a b", "1a", "a\u0000", "a".repeat(65)]) {
        await assert.rejects(accounts.putRole({ ...family, name }), { code: "INVALID_INPUT" });
      }
    },
  );

  await step("a role is not deleted under the user who gets it", async ({ accounts, user }) => {
    for (let round = 0; round < 10; round++) {
      const name = `r${round}`;
      await accounts.putRole({ name, scopes: ["account"], limits: null });
      const [made, deleted] = await Promise.allSettled([
        user(name, name),
        accounts.deleteRole(name),
      ]);
      assert.notEqual(made.status, deleted.status);
    }
  });

  await step("a key is shown once, kept as a hash, and its owner's alone", async (world) => {
    const { db, keys, clock } = world;
    const [anna, bob] = [await world.user("anna"), await world.user("bob")];
    const expiresAtMs = clock.nowMs + hourMs;
    const { key, view } = await keys.create({
      userId: anna.id,
      name: "Anna's phone",
      scopes: ["invoke:llm.chat"],
      expiresAtMs,
    });
    const [, id, secret] = /^bkg_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/.exec(key)!;
    const expected: KeyView = {
      id: id!,
      userId: anna.id,
      userName: "anna",
      name: "Anna's phone",
      scopes: ["invoke:llm.chat"],
      limits: null,
      createdAtMs: clock.nowMs,
      expiresAtMs,
      lastUsedAtMs: null,
      previousUntilMs: null,
    };
    assert.deepEqual(view, expected);
    const rows = JSON.stringify(await db.sql`select * from keys`);
    assert.ok(rows.includes(hashSecret(secret!)) && !rows.includes(secret!));
    assert.deepEqual(await keys.list({ userId: anna.id }, {}), { keys: [view] });
    assert.deepEqual(await keys.list({ userId: bob.id }, {}), { keys: [] });
    const others = { userId: bob.id };
    for (
      const attempt of [
        () => keys.get(others, id!),
        () => keys.change(others, id!, { name: "mine" }),
        () => keys.rotate(others, id!, {}),
        () => keys.revoke(others, id!),
      ]
    ) {
      await assert.rejects(attempt, {
        code: "NOT_FOUND",
        message: `There is no key "${id}"`,
      });
    }
    assert.deepEqual(world.changes, []);
    for (const past of [clock.nowMs, clock.nowMs - 1, 0]) {
      await assert.rejects(
        keys.create({ userId: anna.id, name: "old", scopes: ["account"], expiresAtMs: past }),
        { code: "INVALID_INPUT" },
      );
    }
    await keys.revoke({ userId: anna.id }, id!);
    assert.deepEqual(world.changes, [{ kind: "key", id }]);
    assert.deepEqual(await db.sql`select id from keys`, []);
  });

  await step("a rotated key's old secret is kept for its overlap, and one alone", async (world) => {
    const { db, keys, clock } = world;
    const anna = await world.user("anna");
    const owner = { userId: anna.id };
    const first = await keys.create({ userId: anna.id, name: "k", scopes: ["account"] });
    const { id } = first.view;
    const hashes = async () =>
      (await db.sql`
        select secret_hash, previous_secret_hash, previous_until_ms from keys`)[0]!;
    const hashOf = ({ key }: { key: string }) => hashSecret(key.slice(-43));
    const second = await keys.rotate(owner, id, {});
    const untilMs = clock.nowMs + 24 * hourMs;
    assert.equal(second.view.previousUntilMs, untilMs);
    assert.deepEqual(await hashes(), {
      secret_hash: hashOf(second),
      previous_secret_hash: hashOf(first),
      previous_until_ms: untilMs,
    });
    clock.nowMs = untilMs;
    assert.equal((await keys.get(owner, id)).previousUntilMs, null);
    const third = await keys.rotate(owner, id, { overlapMs: 1000 });
    assert.equal((await hashes())["previous_secret_hash"], hashOf(second));
    const fourth = await keys.rotate(owner, id, { overlapMs: 0 });
    assert.deepEqual(await hashes(), {
      secret_hash: hashOf(fourth),
      previous_secret_hash: null,
      previous_until_ms: null,
    });
    assert.equal(new Set([first, second, third, fourth].map(({ key }) => key)).size, 4);
    assert.deepEqual(world.changes, Array(3).fill({ kind: "key", id }));
    const expiresAtMs = clock.nowMs + 1;
    const short = await keys.create({
      userId: anna.id,
      name: "s",
      scopes: ["account"],
      expiresAtMs,
    });
    clock.nowMs = expiresAtMs;
    await assert.rejects(keys.rotate(owner, short.view.id, {}), { code: "CONFLICT" });
  });

  await step(
    "a user has a hundred keys at most, also when they are made at once",
    async (world) => {
      const { keys } = world;
      const anna = await world.user("anna");
      const make = () => keys.create({ userId: anna.id, name: "k", scopes: ["account"] });
      const made = await Promise.allSettled(Array.from({ length: 110 }, make));
      assert.equal(made.filter(({ status }) => status === "fulfilled").length, 100);
      for (const result of made) {
        if (result.status === "rejected") assert.equal(result.reason.code, "CONFLICT");
      }
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const page = await keys.list(anyone, { limit: 9, after });
        seen.push(...page.keys.map(({ id }) => id));
        after = page.next;
      } while (after !== undefined);
      assert.equal(new Set(seen).size, 100);
      assert.equal(seen.length, 100);
      const bob = await world.user("bob");
      world.clock.nowMs++;
      const newest = await keys.create({ userId: bob.id, name: "k", scopes: ["account"] });
      assert.equal((await keys.list(anyone, { limit: 1 })).keys[0]!.id, newest.view.id);
    },
  );

  await step("a key changes what is given, and nothing else", async ({ keys, user }) => {
    const anna = await user("anna");
    const limits = { requestsPerMinute: 5 };
    const { view } = await keys.create({ userId: anna.id, name: "k", scopes: ["account"], limits });
    const owner = { userId: anna.id };
    assert.deepEqual(await keys.change(owner, view.id, {}), view);
    assert.deepEqual(await keys.change(owner, view.id, { name: "n" }), { ...view, name: "n" });
    assert.deepEqual(await keys.change(owner, view.id, { limits: null, scopes: ["invoke:*"] }), {
      ...view,
      name: "n",
      limits: null,
      scopes: ["invoke:*"],
    });
  });
}

async function addSession({ db, clock }: World, userId: string): Promise<void> {
  await db.sql`
    insert into sessions
      (id, user_id, refresh_hash, refreshed_at_ms, created_at_ms, expires_at_ms, client, address)
    values (${`s-${userId}`}, ${userId}, 'x', ${clock.nowMs}, ${clock.nowMs},
      ${clock.nowMs + hourMs}, '', '')`;
}
