// Brings a database to the newest schema: files of server/db/migrations, in order, never changed once released.
// Several servers may start at once: each migration is one transaction under an advisory lock.

import { join } from "node:path";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Db, Transaction } from "./db.ts";
import { sqlStateOf } from "./errors.ts";

export interface Migration {
  version: number;
  /** Such as "first". */
  name: string;
  sql: string;
  /** SHA-256 of `sql`, hex. */
  checksum: string;
}

/** Reads `0001_first.sql` and so on; throws when a number is missing. */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith(".sql")).sort();
  return await Promise.all(names.map(async (file, index) => {
    const [, number, name] = /^(\d{4})_(\w+)\.sql$/.exec(file) ?? [];
    if (name === undefined || Number(number) !== index + 1) {
      throw new Error(`"${file}" is not migration ${index + 1}`);
    }
    const sql = await Deno.readTextFile(join(folder, file));
    return { version: index + 1, name, sql, checksum: await sha256(sql) };
  }));
}

export interface MigrateOptions {
  migrations: readonly Migration[];
  /** Called once before anything changes in a database that holds something. */
  before?: () => Promise<void>;
}

/** Throws CONFLICT, changing nothing, when the database is newer than this program or has another history. */
export async function migrate(db: Db, { migrations, before }: MigrateOptions): Promise<void> {
  // Every start waits for this one statement.
  const version = await readApplied(db, migrations).catch((error) => {
    if (sqlStateOf(error) === undefinedTable) return 0;
    throw error;
  });
  if (version >= migrations.length) return;
  if (version > 0) await before?.();
  for (const migration of migrations.slice(version)) {
    await db.transaction(async (tx) => {
      await tx.sql`select pg_advisory_xact_lock(${lockKey}::bigint)`;
      // Another server may have been faster.
      if (await readVersion(tx, migrations) < migration.version) await apply(tx, migration);
    }, { deadlineMs: migrationMs });
  }
}

/** The newest migration that the database has; 0 for an empty one. */
export async function readVersion(
  tx: Transaction,
  migrations: readonly Migration[],
): Promise<number> {
  // Not to_regclass(): it answers from a cache that a wait for an advisory lock does not renew.
  const [found] = await tx.sql`
    select exists (
      select from pg_tables where schemaname = 'bkg' and tablename = 'migrations'
    ) as there`;
  return found?.["there"] === true ? await readApplied(tx, migrations) : 0;
}

async function readApplied(
  { sql }: Pick<Transaction, "sql">,
  migrations: readonly Migration[],
): Promise<number> {
  const rows = await sql`select version, name, checksum from bkg.migrations order by version`;
  for (const row of rows) {
    const known = migrations[Number(row["version"]) - 1];
    if (known === undefined) throw newerError(Number(rows.at(-1)?.["version"]), migrations.length);
    if (known.checksum !== row["checksum"]) {
      throw new AppError(
        "CONFLICT",
        `The database had another migration ${known.version} ("${
          row["name"]
        }"); use the bkg that made it`,
      );
    }
  }
  return rows.length;
}

export function newerError(found: number, known: number): AppError {
  return new AppError(
    "CONFLICT",
    `The data is from a newer bkg (schema ${found}; this one knows ${known}); update bkg`,
    { details: { reason: "newer-schema" } },
  );
}

/** Runs one migration in `tx` and writes it down. */
export async function apply(
  tx: Transaction,
  { version, name, sql, checksum }: Migration,
): Promise<void> {
  if (version === 1) {
    // A schema of its own: what else is in a shared database is none of bkg's.
    const [found] = await tx.sql`
      select exists (select from pg_namespace where nspname = 'bkg') as there`;
    if (found?.["there"] !== true) await tx.script("create schema bkg");
    await tx.script(
      "create table migrations (version int primary key, name text not null, " +
        "checksum text not null, at_ms bigint not null)",
    );
  }
  await tx.script(sql);
  await tx.sql`insert into migrations values (${version}, ${name}, ${checksum}, ${Date.now()})`;
}

/** "bkg" in ASCII: of all advisory locks in a shared database, ours. */
const lockKey = 0x626b67;
const migrationMs = 10 * 60_000;
const undefinedTable = "42P01";

async function sha256(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
