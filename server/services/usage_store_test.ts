import assert from "node:assert/strict";
import type { UsedCall } from "../auth/guarded_bus.ts";
import { createQuotas, type TokenTally } from "../auth/quotas.ts";
import type { Db } from "../db/db.ts";
import { openTestDatabase } from "../testing/test_database.ts";
import { testIdentity } from "../testing/test_guard.ts";
import { testOnEngines } from "../testing/database_engines.ts";
import { openUsageStore, type UsageStoreOptions } from "./usage_store.ts";

const always = { from: "2000-01-01", to: "2999-12-31" };
const ada = testIdentity();

testOnEngines("openUsageStore", async (t, db) => {
  await t.step("adds up over batches, restarts and identities of the same user", async () => {
    for (let start = 0; start < 2; start++) {
      await using usage = open(db);
      for (let batch = 0; batch < 3; batch++) {
        for (let i = 0; i < 10; i++) usage.add(call({ promptTokens: 2, failed: i === 0 }));
        // Another object that stands for the same: their rows meet in one statement.
        usage.add(call({ principal: testIdentity(), completionTokens: 1 }));
        await usage.days(always);
      }
    }
    await using usage = open(db);
    const { days } = await usage.days(always);
    assert.equal(days.length, 1);
    const [{ day, ...row } = assert.fail("no row")] = days;
    assert.equal(day, new Date().toISOString().slice(0, 10));
    assert.deepEqual(row, {
      userId: "ada",
      userName: "ada",
      keyId: "",
      pluginId: "llmserver",
      capability: "llm.chat",
      calls: 66,
      errors: 6,
      promptTokens: 120,
      completionTokens: 6,
      busyMs: 66 * 2,
    });
  });

  await t.step("pages through what is more than one, of one user or of all", async () => {
    await db.sql`delete from usage`;
    await db.sql`
      insert into usage select to_char(date '2025-01-01' + (n % 100), 'YYYY-MM-DD'),
        case when n % 2 = 0 then 'ada' else 'gone' end, '', 'p', 'c' || n, n, 0, 0, 0, 0
      from generate_series(1, 7000) as n`;
    await using usage = open(db);
    const seen = new Set<string>();
    let after: string | undefined;
    let pages = 0;
    do {
      const page = await usage.days({ ...always, after });
      for (const { day, capability } of page.days) seen.add(`${day} ${capability}`);
      after = page.next;
      pages++;
    } while (after !== undefined);
    assert.deepEqual([seen.size, pages], [7000, 2]);
    const own = await usage.days({ ...always, userId: "ada" });
    assert.deepEqual([own.days.length, own.next], [3500, undefined]);
    // The user is gone, and what was used stays.
    const gone = await usage.days({ from: "2025-01-02", to: "2025-01-02", userId: "gone" });
    assert.deepEqual([gone.days.length, gone.days[0]?.userName], [70, undefined]);
    await assert.rejects(usage.days({ ...always, after: "[]" }), { code: "INVALID_INPUT" });
  });

  await t.step("old days go, by the age that is set now", async () => {
    await db.sql`delete from usage`;
    let days = 400;
    let nowMs = Date.parse("2026-03-01T12:00:00Z");
    await using usage = open(db, { now: () => nowMs, maxAgeMs: () => days * 86_400_000 });
    const daysLeft = async () => {
      usage.add(call({}));
      return (await usage.days(always)).days.map(({ day }) => day);
    };
    await db.sql`
      insert into usage values ('2025-01-24', 'ada', '', 'p', 'c', 1, 0, 0, 0, 0),
        ('2025-01-25', 'ada', '', 'p', 'c', 1, 0, 0, 0, 0)`;
    assert.deepEqual(await daysLeft(), ["2026-03-01", "2025-01-25"]);
    days = 31;
    nowMs += 86_400_000;
    assert.deepEqual(await daysLeft(), ["2026-03-02", "2026-03-01"]);
  });

  await t.step("a tally is of this day and month, and of what is not written yet", async () => {
    await db.sql`delete from usage`;
    let nowMs = Date.parse("2026-01-30T23:59:59.000Z");
    await using usage = open(db, { now: () => nowMs });
    const key = testIdentity({ key: { id: "k1" } });
    await db.sql`
      insert into usage values ('2025-12-31', 'ada', 'k1', 'p', 'c', 1, 0, 5000, 0, 0),
        ('2026-01-02', 'ada', 'k1', 'p', 'c', 1, 0, 100, 1, 0),
        ('2026-01-30', 'bob', '', 'p', 'c', 1, 0, 7, 7, 0)`;
    usage.add(call({ principal: key, promptTokens: 10, completionTokens: 1 }));
    const tally = usage.tally("user:ada");
    assert.ok(tally instanceof Promise);
    // While it is read: in it once, not twice and not never.
    usage.add(call({ promptTokens: 1000 }));
    assert.deepEqual(numbers(await tally), [1011, 1112]);
    usage.add(call({ principal: key, completionTokens: 3 }));
    assert.deepEqual(numbers(usage.tally("user:ada")), [1014, 1115]);
    assert.deepEqual(numbers(await usage.tally("key:k1")), [14, 115]);
    nowMs += 1000;
    assert.deepEqual(numbers(usage.tally("user:ada")), [0, 1115]);
    usage.add(call({ promptTokens: 1 }));
    assert.deepEqual(numbers(usage.tally("user:ada")), [1, 1116]);
    nowMs += 86_400_000;
    assert.deepEqual(numbers(usage.tally("user:ada")), [0, 0]);
    // Each on the day on which it was, whatever was written when.
    assert.deepEqual(
      (await usage.days({ ...always, userId: "ada" })).days
        .map(({ day, promptTokens, completionTokens }) => [day, promptTokens + completionTokens])
        .filter(([day]) => day! > "2026-01-10"),
      [["2026-01-31", 1], ["2026-01-30", 14], ["2026-01-30", 1000]],
    );
  });
});

Deno.test("a quota is whole again at midnight UTC; a call over it is charged to the day it ends in", async () => {
  await using test = await openTestDatabase();
  let nowMs = Date.parse("2026-02-28T23:59:50Z");
  const now = () => nowMs;
  await using usage = open(test.db, { now });
  const quotas = createQuotas({ tallies: usage, now });
  const allowances = [{ subject: "user:ada", limits: { tokensPerDay: 100, tokensPerMonth: 150 } }];
  const first = await quotas.take(allowances, 90);
  assert.deepEqual(first.states.map(({ resetMs }) => resetMs), [10_000, 10_000]);
  const refused = (await quotas.take(allowances, 20)).refused;
  assert.deepEqual([refused?.policy, refused?.remaining], ["tokens-day", 10]);
  nowMs += 20_000;
  // What runs still holds its part, of the new day too.
  assert.equal((await quotas.take(allowances, 20)).refused?.remaining, 10);
  usage.add(call({ promptTokens: 60 }));
  first.release();
  first.release();
  assert.deepEqual((await quotas.states(allowances)).map(({ remaining }) => remaining), [40, 90]);
  nowMs += 86_400_000;
  assert.deepEqual((await quotas.states(allowances)).map(({ remaining }) => remaining), [100, 90]);
});

Deno.test("usage of a database that is away is held, bounded, and written when it is back", async () => {
  await using test = await openTestDatabase();
  let away = true;
  const failures: unknown[] = [];
  const db: Db = {
    ...test.db,
    sql: (strings, ...values) =>
      away ? Promise.reject(new Error("away")) : test.db.sql(strings, ...values),
  };
  await using usage = open(db, { maxHeld: 100, failed: (error) => failures.push(error) });
  const flush = () => usage.days(always).catch(() => {});
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 10; i++) usage.add(call({ promptTokens: 1 }));
    await flush();
  }
  await assert.rejects(async () => await usage.tally("user:ada"), /away/);
  assert.equal(failures.length, 5);
  away = false;
  await flush();
  const [row] = (await usage.days(always)).days;
  assert.deepEqual([row?.calls, row?.promptTokens], [50, 50]);
  assert.equal((await usage.tally("user:ada")).month, 50);
  away = true;
  for (let i = 0; i < 500; i++) usage.add(call({ capability: `c${i}` }));
  await flush();
  assert.match(String(failures.at(-1)), /400 rows of usage were lost/);
  away = false;
  await flush();
  assert.equal((await usage.days(always)).days.length, 101);
});

Deno.test("the tallies of many users are bounded in memory: those that were asked for last are kept", async () => {
  await using test = await openTestDatabase();
  await using usage = open(test.db, { maxTallies: 20 });
  for (let round = 0; round < 2; round++) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => usage.tally(`user:u${i}`)));
    for (let i = 30; i < 50; i++) assert.ok(!(usage.tally(`user:u${i}`) instanceof Promise));
  }
  // Asked for once more, so another one goes.
  numbers(usage.tally("user:u30"));
  await usage.tally("user:u0");
  numbers(usage.tally("user:u30"));
  assert.ok(usage.tally("user:u31") instanceof Promise);
});

function open(db: Db, options: Partial<UsageStoreOptions> = {}) {
  return openUsageStore({ db, failed: (error) => assert.fail(String(error)), ...options });
}

function call(change: Partial<UsedCall>): UsedCall {
  return {
    principal: ada,
    capability: "llm.chat",
    pluginId: "llmserver",
    failed: false,
    promptTokens: 0,
    completionTokens: 0,
    busyMs: 2,
    ...change,
  };
}

function numbers(tally: TokenTally | Promise<TokenTally>): number[] {
  assert.ok(!(tally instanceof Promise));
  return [tally.day, tally.month];
}
