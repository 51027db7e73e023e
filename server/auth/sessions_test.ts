import assert from "node:assert/strict";
import type { Db } from "../db/db.ts";
import { openDatabase } from "../db/open.ts";
import { postgresProblem, startPostgres } from "../testing/postgres.ts";
import { skipUnless } from "../testing/require.ts";
import { databaseOptions, openTestDatabase } from "../testing/test_database.ts";
import { openTestAccess, visitor } from "../testing/test_access.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

Deno.test("sessions on PGlite", async (test) => {
  await using database = await openTestDatabase();
  await testSessions(test, database.db);
});

Deno.test({
  name: "sessions on PostgreSQL",
  ignore: skipUnless("sessions on PostgreSQL", postgresProblem()),
  fn: async (test) => {
    await using server = await startPostgres();
    const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
    try {
      await using db = await openDatabase({ ...await databaseOptions(dataDir), url: server.url });
      await testSessions(test, db);
    } finally {
      await Deno.remove(dataDir, { recursive: true });
    }
  },
});

/** What they promise on either engine. */
async function testSessions(test: Deno.TestContext, db: Db): Promise<void> {
  const empty = () => db.transaction(({ script }) => script("truncate users, sessions cascade"));
  const step = async (
    name: string,
    run: (access: Awaited<ReturnType<typeof open>>) => Promise<void>,
  ) => {
    await test.step(name, async () => {
      await empty();
      await using access = await open(db);
      await run(access);
    });
  };

  await step("a code begins a session of the operator, known by hashes alone", async (world) => {
    const { signIn, auth, clock } = world;
    const tokens = await world.signIn.withCode(signIn.createCode().code, visitor);
    const { id, name, role, scopes } = tokens.principal;
    assert.deepEqual([id, name, role, scopes], ["operator", "admin", "admin", ["*"]]);
    assert.equal(tokens.expiresAtMs, clock.nowMs + 15 * minuteMs);
    assert.equal(tokens.sessionExpiresAtMs, clock.nowMs + 30 * dayMs);
    const identity = await auth.authenticate(tokens.token);
    assert.equal(identity.credential.kind, "session");
    assert.equal(auth.authenticate(tokens.token), identity);
    const rows = JSON.stringify(await db.sql`select * from sessions`);
    assert.doesNotMatch(rows, new RegExp(tokens.refreshToken.slice(-43)));
    // Where a restart finds it.
    await using again = await open(db);
    assert.equal((await again.auth.authenticate(tokens.token)).id, "operator");
    await again.signIn.refresh(tokens.refreshToken, visitor);
  });

  await step("parallel exchanges of one refresh token make one rotation", async (world) => {
    const first = await world.begin();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => world.signIn.refresh(first.refreshToken, visitor)),
    );
    assert.equal(new Set(answers.map(({ refreshToken }) => refreshToken)).size, 1);
    assert.notEqual(answers[0]!.refreshToken, first.refreshToken);
    for (const { token } of answers) await world.auth.authenticate(token);
    assert.equal((await world.rows()).length, 1);
    // An answer that was lost is given again, by another server too, and its token goes on.
    await using restarted = await open(db);
    world.clock.nowMs += 9999;
    restarted.clock.nowMs = world.clock.nowMs;
    const again = await restarted.signIn.refresh(first.refreshToken, visitor);
    assert.equal(again.refreshToken, answers[0]!.refreshToken);
    await restarted.signIn.refresh(again.refreshToken, visitor);
  });

  await step(
    "a refresh token that comes again later ends its session, and is told of",
    async (world) => {
      const other = await world.begin();
      const first = await world.begin();
      const second = await world.signIn.refresh(first.refreshToken, visitor);
      const told: string[] = [];
      world.auth.watch(second.token, () => told.push("second"));
      world.auth.watch(other.token, () => told.push("other"));
      world.clock.nowMs += 10_000;
      await assert.rejects(world.signIn.refresh(first.refreshToken, visitor), {
        code: "UNAUTHENTICATED",
      });
      assert.deepEqual(told, ["second"]);
      await world.refuses(first.token);
      await world.refuses(second.token);
      await assert.rejects(world.signIn.refresh(second.refreshToken, visitor), {
        code: "UNAUTHENTICATED",
      });
      await world.auth.authenticate(other.token);
      const reuse = world.deeds.filter(({ action }) => action === "session.reuse");
      assert.deepEqual(reuse, [{
        principal: undefined,
        address: visitor.address,
        action: "session.reuse",
        object: "user:operator",
        outcome: "denied",
      }]);
    },
  );

  await step("a thief who refreshed twice is found out by the first token", async (world) => {
    const stolen = await world.begin();
    const once = await world.signIn.refresh(stolen.refreshToken, visitor);
    const twice = await world.signIn.refresh(once.refreshToken, visitor);
    // Within the seconds of grace, but not the one before the last.
    await assert.rejects(world.signIn.refresh(stolen.refreshToken, visitor), {
      code: "UNAUTHENTICATED",
    });
    await world.refuses(twice.token);
  });

  await step("an invented refresh token is refused, and ends nothing", async (world) => {
    const { token, refreshToken } = await world.begin();
    const last = refreshToken.at(-9) === "A" ? "B" : "A";
    for (
      const wrong of [
        "",
        "bkg_refresh_",
        refreshToken + "A",
        refreshToken.slice(0, -9) + last + refreshToken.slice(-8),
        refreshToken.slice(0, -43) + "A".repeat(43),
        refreshToken.replace(/_[a-z0-9]{12}_/, "_aaaaaaaaaaaa_"),
        token,
      ]
    ) {
      await assert.rejects(world.signIn.refresh(wrong, visitor), { code: "UNAUTHENTICATED" });
    }
    await world.auth.authenticate(token);
    await world.signIn.refresh(refreshToken, visitor);
    // It is no bearer either.
    await world.refuses(refreshToken);
  });

  await step("a session slides by its refreshes, and ends after a year", async (world) => {
    let tokens = await world.begin();
    const startMs = world.clock.nowMs;
    const told: number[] = [];
    world.auth.watch(tokens.token, () => told.push(world.clock.nowMs));
    for (let month = 0; month < 12; month++) {
      world.clock.advance(29 * dayMs);
      tokens = await world.signIn.refresh(tokens.refreshToken, visitor);
    }
    world.clock.advance(10 * dayMs);
    assert.deepEqual(told, []);
    tokens = await world.signIn.refresh(tokens.refreshToken, visitor);
    assert.equal(tokens.sessionExpiresAtMs, startMs + 365 * dayMs);
    await world.auth.authenticate(tokens.token);
    world.clock.advance(startMs + 365 * dayMs - world.clock.nowMs);
    assert.equal(told.length, 1);
    await assert.rejects(world.signIn.refresh(tokens.refreshToken, visitor), {
      code: "UNAUTHENTICATED",
    });
    await world.begin();
    assert.equal((await world.rows()).length, 1);
  });

  await step("a session that nobody refreshes ends after 30 days", async (world) => {
    const { refreshToken } = await world.begin();
    world.clock.nowMs += 30 * dayMs;
    await assert.rejects(world.signIn.refresh(refreshToken, visitor), { code: "UNAUTHENTICATED" });
  });

  await step(
    "the hundred-and-first session of a user ends the oldest, and nobody else's",
    async (world) => {
      const { user } = await world.accounts.create({
        name: "eve",
        role: "user",
        password: "x".repeat(9) + "yz",
      });
      const others = await world.begin();
      const sessions = [];
      for (let count = 0; count < 101; count++) {
        world.clock.nowMs++;
        sessions.push(await world.signIn.withPassword("eve", "x".repeat(9) + "yz", visitor));
      }
      await world.refuses(sessions[0]!.token);
      await world.auth.authenticate(sessions[1]!.token);
      await world.auth.authenticate(others.token);
      const identity = await world.auth.authenticate(sessions[100]!.token);
      assert.equal(identity.id, user.id);
      const listed = await world.signIn.sessions(identity);
      assert.equal(listed.length, 100);
      assert.deepEqual(listed.map(({ current }) => current), [true, ...Array(99).fill(false)]);
    },
  );

  await step("sessions are listed and ended by their owner alone", async (world) => {
    await world.accounts.create({ name: "eve", role: "user", password: "some words here" });
    const eve = await world.signIn.withPassword("eve", "some words here", {
      address: "192.0.2.7",
      client: "x".repeat(500) + "\u0000",
    });
    const mine = await world.begin();
    const eves = await world.auth.authenticate(eve.token);
    const me = await world.auth.authenticate(mine.token);
    const [listed, ...rest] = await world.signIn.sessions(eves);
    assert.deepEqual(rest, []);
    assert.deepEqual([listed!.address, listed!.client, listed!.current], [
      "192.0.2.7",
      "x".repeat(200),
      true,
    ]);
    for (const id of [listed!.id, "", "x".repeat(1000), "'; --"]) {
      await assert.rejects(world.signIn.endSession(me, id), { code: "NOT_FOUND" });
    }
    await world.auth.authenticate(eve.token);
    await world.signIn.endSession(eves, listed!.id);
    await world.refuses(eve.token);
    await assert.rejects(world.signIn.endSession(eves, listed!.id), { code: "NOT_FOUND" });
  });

  async function open(db: Db) {
    const access = await openTestAccess(db);
    const { signIn, auth } = access;
    return {
      ...access,
      begin: () => signIn.withCode(signIn.createCode().code, visitor),
      rows: () => db.sql`select id from sessions`,
      async refuses(bearer: string) {
        await assert.rejects(async () => await auth.authenticate(bearer), {
          code: "UNAUTHENTICATED",
        });
      },
    };
  }
}
