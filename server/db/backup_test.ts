import assert from "node:assert/strict";
import { join } from "node:path";
import { postgresProblem, startPostgres } from "../testing/postgres.ts";
import { skipUnless } from "../testing/require.ts";
import { databaseOptions } from "../testing/test_database.ts";
import { restoreBackup, sumTables, writeBackup } from "./backup.ts";
import { type Db, json } from "./db.ts";
import { migrate, readMigrations } from "./migrate.ts";
import { openDatabase } from "./open.ts";

Deno.test("a backup is restored on the same engine, with numbers that go on, and only once", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "backup.bkg");
    const options = await databaseOptions(join(folder, "one"));
    const migrations = await readMigrations(options.migrations);
    await using one = await openDatabase(options);
    await fill(one);
    const sums = await writeBackup(one, { path });
    assert.deepEqual(sums, await sumTables(one));
    assert.equal(sums.find(({ table }) => table === "audit")?.rows, 1203);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);

    await using two = await openDatabase(await databaseOptions(join(folder, "two")));
    assert.deepEqual(await restoreBackup(two, { path, migrations }), sums);
    assert.deepEqual(await sumTables(two), sums);
    const [row] = await two.sql`
      insert into audit (at_ms, plugin_id, principal, action, object, outcome, count)
      values (1, 'a', 'b', 'c', 'd', 'ok', 1) returning id`;
    assert.equal(row?.["id"], 1204);

    const kept = await sumTables(two);
    await assert.rejects(restoreBackup(two, { path, migrations }), { code: "CONFLICT" });
    assert.deepEqual(await sumTables(two), kept);
    await restoreBackup(two, { path, migrations, force: true });
    assert.deepEqual(await sumTables(two), sums);
  });
});

const acrossEngines = "a backup of PGlite is restored into PostgreSQL with equal hashes, and back";
Deno.test({
  name: acrossEngines,
  ignore: skipUnless(acrossEngines, postgresProblem()),
  fn: async () => {
    await inFolder(async (folder) => {
      await using server = await startPostgres();
      const options = await databaseOptions(join(folder, "one"));
      const migrations = await readMigrations(options.migrations);
      await using pglite = await openDatabase(options);
      await fill(pglite);
      await using postgres = await openDatabase({ ...options, url: server.url });
      await postgres.sql`create table public.strangers as select 1 as a`;
      const sums = await writeBackup(pglite, { path: join(folder, "a.bkg") });
      await restoreBackup(postgres, { path: join(folder, "a.bkg"), migrations });
      assert.deepEqual(await sumTables(postgres), sums);
      assert.deepEqual(await writeBackup(postgres, { path: join(folder, "b.bkg") }), sums);
      await using back = await openDatabase(await databaseOptions(join(folder, "two")));
      await restoreBackup(back, { path: join(folder, "b.bkg"), migrations });
      assert.deepEqual(await sumTables(back), sums);
      // What is not bkg's stays, also when everything of bkg's is thrown away.
      await restoreBackup(postgres, { path: join(folder, "a.bkg"), migrations, force: true });
      assert.deepEqual(await postgres.sql`select a from public.strangers`, [{ a: 1 }]);
    });
  },
});

Deno.test("a backup that is damaged, torn, newer or none changes nothing", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "backup.bkg");
    const options = await databaseOptions(join(folder, "one"));
    const migrations = await readMigrations(options.migrations);
    await using db = await openDatabase(options);
    await fill(db);
    const sums = await writeBackup(db, { path });
    const bytes = await Deno.readFile(path);
    const text = await gunzip(bytes);
    const cases: [name: string, content: Uint8Array, code: string][] = [
      ["torn", bytes.slice(0, bytes.length / 2), "INVALID_INPUT"],
      ["bits", bytes.map((byte, at) => at === 200 ? byte ^ 255 : byte), "INVALID_INPUT"],
      ["empty", new Uint8Array(), "INVALID_INPUT"],
      ["none", new TextEncoder().encode("hello"), "INVALID_INPUT"],
      ["another row", await gzip(text.replace("row 7", "raw 7")), "INVALID_INPUT"],
      ["a row less", await gzip(text.replace(/\{"row":.*\n/, "")), "INVALID_INPUT"],
      ["no end", await gzip(text.replace('{"complete":true}\n', "")), "INVALID_INPUT"],
      ["unknown table", await gzip(text.replaceAll('"audit"', '"pg_authid"')), "INVALID_INPUT"],
      ["newer", await gzip(text.replace(/"schema":\d+/, '"schema":999')), "CONFLICT"],
    ];
    for (const [name, content, code] of cases) {
      await Deno.writeFile(path, content);
      await assert.rejects(restoreBackup(db, { path, migrations, force: true }), { code }, name);
      assert.deepEqual(await sumTables(db), sums, name);
    }
  });
});

Deno.test("a backup of an older schema is brought to the newest one", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "backup.bkg");
    const options = await databaseOptions(join(folder, "one"));
    const known = await readMigrations(options.migrations);
    const sql = "alter table plugins add column note text not null default 'none'";
    const next = { version: known.length + 1, name: "next", sql, checksum: "0" };
    const newer = [...known, next];
    await using db = await openDatabase(options);
    await fill(db);
    await writeBackup(db, { path });
    await restoreBackup(db, { path, migrations: newer, force: true });
    assert.deepEqual(await db.sql`select note from plugins`, [{ note: "none" }]);
    await assert.rejects(migrate(db, { migrations: known }), { code: "CONFLICT" });
  });
});

Deno.test("openDatabase backs up before a migration, keeps three, and refuses another history", async () => {
  await inFolder(async (folder) => {
    const options = await databaseOptions(join(folder, "one"));
    const migrations = join(folder, "migrations");
    await Deno.mkdir(migrations);
    for (const { name } of Deno.readDirSync(options.migrations)) {
      await Deno.copyFile(join(options.migrations, name), join(migrations, name));
    }
    const open = async () => await (await openDatabase({ ...options, migrations })).sql`select 1`;
    const backups = () => [...Deno.readDirSync(join(options.dataDir, "backups"))].length;
    const close = async () => {
      await using db = await openDatabase({ ...options, migrations });
      return await db.sql`select count(*) as count from migrations`;
    };
    const file = (version: number, name: string) =>
      join(migrations, `${String(version).padStart(4, "0")}_${name}.sql`);
    await close();
    assert.throws(backups, Deno.errors.NotFound);
    const released = [...Deno.readDirSync(migrations)].length;
    const last = released + 5;
    for (let version = released + 1; version <= last; version++) {
      await Deno.writeTextFile(
        file(version, "more"),
        `create table more${version} (id int primary key)`,
      );
      assert.deepEqual(await close(), [{ count: version }]);
      assert.equal(backups(), Math.min(version - released, 3));
    }
    // One that fails changes nothing, and the next start says the same.
    await Deno.writeTextFile(file(last + 1, "bad"), "create table a (b int); nonsense");
    await assert.rejects(open(), { code: "INTERNAL" });
    await assert.rejects(open(), { code: "INTERNAL" });
    await Deno.remove(file(last + 1, "bad"));
    assert.deepEqual(await close(), [{ count: last }]);
    await Deno.writeTextFile(file(last, "more"), "select 1");
    await assert.rejects(open(), {
      code: "CONFLICT",
      message: new RegExp(`another migration ${last}`),
    });
    await Deno.remove(file(last, "more"));
    await assert.rejects(open(), {
      code: "CONFLICT",
      message: new RegExp(`newer bkg \\(schema ${last}; .* knows ${last - 1}\\)`),
    });
  });
});

const together = "many servers may start on one empty PostgreSQL at once";
Deno.test({
  name: together,
  ignore: skipUnless(together, postgresProblem()),
  fn: async () => {
    await using server = await startPostgres();
    const options = { ...await databaseOptions("/nowhere"), url: server.url };
    const opened = await Promise.all(Array.from({ length: 6 }, () => openDatabase(options)));
    const { length: released } = await readMigrations(options.migrations);
    assert.equal((await opened[0]!.sql`select version from migrations`).length, released);
    await Promise.all(opened.map((db) => db[Symbol.asyncDispose]()));
  },
});

async function fill(db: Db): Promise<void> {
  const secrets = { key: `"quoted" \\ ü 💡 \u2028` };
  const settings = { big: 2 ** 53 - 1, small: 1e-7, list: [1.5, null, { deep: true }] };
  await db.sql`
    insert into plugins (id, enabled, settings, secrets, updated_at_ms)
    values ('wörd', true, ${json(settings)}, ${json(secrets)}, ${2 ** 53 - 1})`;
  const rows = Array.from({ length: 1203 }, (_, index) => ({ text: `row ${index}\n\t"` }));
  await db.sql`
    insert into audit (at_ms, plugin_id, principal, action, object, outcome, count)
    select ${Date.now()}, 'a', 'operator', 'invoke', row.text, 'ok', 1
    from jsonb_to_recordset(${json(rows)}) as row (text text)`;
  await db.sql`
    insert into jobs values ('job', 'model.pull', 'paused', 'ada/ä', null, ${json(settings)}, null,
      null, ${2 ** 53 - 1}, null, 'here', 'ada', 1, 2)`;
  await db.sql`insert into roles (name, scopes, updated_at_ms) values ('reader', '["*"]', 1)`;
  for (const id of ["b", "B", "a_", "A-", "ä"]) {
    await db.sql`
      insert into users (id, name, role, created_at_ms, updated_at_ms)
      values (${id}, ${`name ${id}`}, 'reader', 1, 2)`;
    await db.sql`
      insert into keys (id, user_id, name, secret_hash, scopes, created_at_ms)
      values (${`key ${id}`}, ${id}, 'laptop', 'hash', '["invoke:*"]', 1)`;
  }
}

async function gunzip(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")))
    .text();
}

async function gzip(text: string): Promise<Uint8Array> {
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "bkg-backup-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
