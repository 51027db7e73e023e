// What every engine of the database must do: run by db_test.ts on PGlite and on a real PostgreSQL.

import assert from "node:assert/strict";
import { type Db, json } from "./db.ts";

export interface EngineUnderTest {
  /** Opens an empty database; the same one again after it was closed. */
  open(options?: { deadlineMs?: number }): Promise<Db>;
}

export async function testDbConformance(t: Deno.TestContext, engine: EngineUnderTest) {
  const step = (name: string, run: (db: Db) => Promise<void>, options?: { deadlineMs: number }) =>
    t.step(name, async () => {
      await using db = await engine.open(options);
      await db.sql`drop table if exists things`;
      await db.sql`create table things (id bigint primary key, text text, data jsonb)`;
      await run(db);
    });

  await step("values come back as they went in", async (db) => {
    const big = 2 ** 53 - 1;
    const text = `it's "quoted" \\ $1 ü 💡`;
    const data = { a: [1, "two", null, { b: true }], 'q"': "\\" };
    const [row] = await db.sql`
      select ${big}::bigint as big, ${-1.5}::float8 as float, ${text}::text as text, ${true}::bool as yes,
        ${null}::text as nothing, ${json(data)} as data, ${json("word")} as word,
        ${json(undefined)}::jsonb as absent, ${new Uint8Array([
      0,
      255,
    ])}::bytea as bytes, count(*) as count
      from things`;
    const { bytes, ...rest } = row!;
    assert.deepEqual([...bytes as Uint8Array], [0, 255]);
    assert.deepEqual(rest, {
      big,
      float: -1.5,
      text,
      yes: true,
      nothing: null,
      data,
      word: "word",
      absent: null,
      count: 0,
    });
  });

  await step("rows of JSON become rows of a table", async (db) => {
    const rows = Array.from({ length: 1000 }, (_, id) => ({ id, text: `t${id}`, data: { id } }));
    await db.sql`
      insert into things select * from jsonb_populate_recordset(null::things, ${json(rows)})`;
    const [row] = await db.sql`select count(*) as count, sum(id) as sum from things`;
    assert.equal(row?.["count"], 1000);
    const [last] = await db.sql`select * from things where id = ${999}`;
    assert.deepEqual(last, { id: 999, text: "t999", data: { id: 999 } });
  });

  await step("a statement that fails has a code, and tells no SQL", async (db) => {
    await db.sql`insert into things (id) values (1)`;
    await assert.rejects(db.sql`insert into things (id) values (1)`, { code: "CONFLICT" });
    for (
      const wrong of [
        () => db.sql`select hush from things`,
        () => db.sql`nonsense`,
        () => db.sql`select ${"x"}::int`,
      ]
    ) {
      await assert.rejects(wrong(), (error: Error & { code: string }) => {
        assert.equal(error.code, "INTERNAL");
        assert.doesNotMatch(JSON.stringify(error) + error.message, /hush|things|nonsense/);
        return true;
      });
    }
  });

  await step("a transaction is all or nothing", async (db) => {
    const put = (id: number, fails: boolean) =>
      db.transaction(async ({ sql }) => {
        await sql`insert into things (id) values (${id})`;
        await sql`insert into things (id) values (${id + 1})`;
        if (fails) throw new Error("changed my mind");
        return id;
      });
    await assert.rejects(put(10, true), { message: "changed my mind" });
    assert.equal(await put(20, false), 20);
    await assert.rejects(
      db.transaction(async ({ sql }) => {
        await sql`insert into things (id) values (30)`;
        await sql`insert into things (id) values (20)`;
      }),
      { code: "CONFLICT" },
    );
    assert.deepEqual(await db.sql`select id from things order by id`, [{ id: 20 }, { id: 21 }]);
  });

  await step("a transaction's handle is of no use after it", async (db) => {
    let late: (() => Promise<unknown>) | undefined;
    await db.transaction(({ sql }) => {
      late = () => sql`insert into things (id) values (1)`;
      return Promise.resolve();
    });
    await assert.rejects(async () => await late!());
    assert.deepEqual(await db.sql`select id from things`, []);
  });

  await step("many at once are all done", async (db) => {
    await Promise.all(
      Array.from(
        { length: 100 },
        (_, id) =>
          id % 2 === 0
            ? db.sql`insert into things (id) values (${id})`
            : db.transaction(({ sql }) => sql`insert into things (id) values (${id})`),
      ),
    );
    assert.deepEqual(await db.sql`select count(*) as count from things`, [{ count: 100 }]);
  });

  await step("a snapshot sees no later change and writes nothing", async (db) => {
    await db.sql`insert into things (id) values (1)`;
    await assert.rejects(
      db.transaction(({ sql }) => sql`insert into things (id) values (2)`, { snapshot: true }),
      { code: "INTERNAL" },
    );
    assert.deepEqual(await db.sql`select id from things`, [{ id: 1 }]);
  });

  await step(
    "a statement without an end meets its deadline; others wait, and then work",
    async (db) => {
      await db.sql`insert into things (id) values (1)`;
      const startedAt = performance.now();
      const runaway = db
        .sql`with recursive loop(i) as (select 1 union all select i from loop) select count(*) from loop`;
      const others = Promise.all(Array.from({ length: 5 }, () => db.sql`select id from things`));
      await assert.rejects(runaway, { code: "DEADLINE_EXCEEDED" });
      assert.deepEqual(await others, Array.from({ length: 5 }, () => [{ id: 1 }]));
      assert.ok(performance.now() - startedAt < 10_000);
      assert.ok((await db.health()).ok);
    },
    { deadlineMs: 1000 },
  );

  await step("a transaction that dawdles is rolled back at its deadline", async (db) => {
    const dawdle = db.transaction(async ({ sql }) => {
      await sql`insert into things (id) values (1)`;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await sql`insert into things (id) values (2)`;
    }, { deadlineMs: 300 });
    await assert.rejects(dawdle, { code: "DEADLINE_EXCEEDED" });
    assert.deepEqual(await db.sql`select id from things`, []);
    await new Promise((resolve) => setTimeout(resolve, 800));
    assert.deepEqual(await db.sql`select id from things`, []);
  });

  await t.step(
    "what was written is there when it is opened again; closed, it says so",
    async () => {
      const first = await engine.open();
      await first.sql`delete from things`;
      await first.sql`insert into things (id, text) values (1, 'kept')`;
      await first[Symbol.asyncDispose]();
      await assert.rejects(first.sql`select 1`, { code: "UNAVAILABLE", retryable: false });
      assert.equal((await first.health()).ok, false);
      await using again = await engine.open();
      assert.deepEqual(await again.sql`select text from things`, [{ text: "kept" }]);
      await again.sql`drop table things`;
    },
  );
}
