import assert from "node:assert/strict";
import { join } from "node:path";
import { buildBundles } from "../build/bundles.ts";
import { postgresProblem, startPostgres } from "../testing/postgres.ts";
import { skipUnless } from "../testing/require.ts";
import { testDbConformance } from "./conformance.ts";
import { openPglite } from "./pglite.ts";
import { openPostgres } from "./postgres.ts";

const { folder: bundles } = await buildBundles({ log: console.log });
const assets = join(bundles, "database");

Deno.test("PGlite is a Db", async (t) => {
  await inFolder((folder) =>
    testDbConformance(t, { open: (options) => openPglite({ folder, assets, ...options }) })
  );
});

Deno.test({
  name: "PostgreSQL is a Db",
  ignore: skipUnless("PostgreSQL is a Db", postgresProblem()),
  fn: async (t) => {
    await using server = await startPostgres();
    await testDbConformance(t, {
      open: (options) => openPostgres({ url: server.url, assets, ...options }),
    });
  },
});

Deno.test("openPglite lets one server into a folder, and names it to the second", async () => {
  await inFolder(async (folder) => {
    const first = await openPglite({ folder, assets });
    await assert.rejects(openPglite({ folder, assets }), {
      code: "CONFLICT",
      message:
        `"${folder}" is in use by another bkg; stop it, or set BKG_DATA_DIR to another folder`,
    });
    await first.sql`select 1`;
    await first[Symbol.asyncDispose]();
    await (await openPglite({ folder, assets }))[Symbol.asyncDispose]();
  });
});

Deno.test("openPglite lets a bounded number wait", async () => {
  await inFolder(async (folder) => {
    await using db = await openPglite({ folder, assets, maxWaiting: 3 });
    const asked = await Promise.allSettled(Array.from({ length: 5 }, () => db.sql`select 1`));
    assert.deepEqual(asked.map(({ status }) => status === "fulfilled"), [
      ...[true, true, true],
      ...[false, false],
    ]);
    await db.sql`select 1`;
  });
});

Deno.test("openPglite uses the room of what was overwritten again", async () => {
  await inFolder(async (folder) => {
    await using db = await openPglite({ folder, assets });
    await db.sql`create table things (id int primary key, text text)`;
    await db.sql`insert into things values (1, '')`;
    const data = join(folder, "pgdata", "base");
    const emptyBytes = bytesIn(data);
    let written = 0;
    // Random, so that it is not compressed.
    while (written < 120_000_000) {
      const text = crypto.getRandomValues(new Uint8Array(60_000)).toHex();
      await db.sql`update things set text = ${text} where id = 1`;
      written += text.length;
    }
    const grown = bytesIn(data) - emptyBytes;
    assert.ok(grown < written / 2, `${grown} bytes for ${written} that were overwritten`);
  });
});

Deno.test("openPglite keeps its log short under writes, and loses none of them to a kill", async () => {
  await inFolder(async (folder) => {
    await using db = await openPglite({ folder, assets, lost: () => {} });
    await db.sql`create table things (id int primary key, text text)`;
    let rows = 0;
    let longest = 0;
    for (const endsAt = Date.now() + 4000; Date.now() < endsAt || rows < 160_000; rows += 2000) {
      await db.sql`
        insert into things select ${rows}::int + i, repeat(md5(i::text), 20)
        from generate_series(1, 2000) as i`;
      longest = Math.max(longest, bytesIn(join(folder, "pgdata", "pg_wal")));
    }
    const written = rows * 640;
    assert.ok(longest < written / 2, `${longest} bytes of log for ${written}`);
    // Its process is killed in the middle of this; the folder is opened again.
    const endless = db.transaction(
      ({ sql }) => sql`select count(*) from generate_series(1, 1e12::bigint)`,
      { deadlineMs: 200 },
    );
    await assert.rejects(endless, { code: "DEADLINE_EXCEEDED" });
    assert.deepEqual(await db.sql`select count(*) as count from things`, [{ count: rows }]);
  });
});

Deno.test("openPglite has pgvector, also in a folder that is opened again", async () => {
  await inFolder(async (folder) => {
    const nearest = async () => {
      await using db = await openPglite({ folder, assets });
      await db.sql`create extension if not exists vector`;
      await db.sql`create table if not exists points (id int primary key, at vector(2))`;
      await db.sql`create index if not exists points_at on points using hnsw (at vector_l2_ops)`;
      await db.sql`insert into points values (1, '[1,0]'), (2, '[0,1]') on conflict do nothing`;
      return await db.sql`select id from points order by at <-> ${"[0.9,0.2]"}::vector limit 1`;
    };
    assert.deepEqual(await nearest(), [{ id: 1 }]);
    assert.deepEqual(await nearest(), [{ id: 1 }]);
  });
});

Deno.test("openPostgres gives up on a server that is not there, and keeps the password to itself", async () => {
  const url = "postgres://someone:hushhush@127.0.0.1:1/none";
  await assert.rejects(openPostgres({ url, assets, deadlineMs: 3000 }), (error: Error) => {
    assert.equal((error as Error & { code: string }).code, "UNAVAILABLE");
    assert.doesNotMatch(Deno.inspect(error), /hushhush/);
    return true;
  });
});

function bytesIn(folder: string): number {
  return [...Deno.readDirSync(folder)].reduce((sum, { name, isDirectory }) => {
    const path = join(folder, name);
    return sum + (isDirectory ? bytesIn(path) : Deno.statSync(path).size);
  }, 0);
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "bkg-db-" });
  try {
    await run(join(folder, "database"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
