// What the database in the data folder is made of: PGlite's files, and a database to start from, with bkg's tables.

import { PGlite } from "@electric-sql/pglite";
import { join } from "node:path";
import { type Row, toStatement, type Transaction } from "../db/db.ts";
import { apply, type Migration, readMigrations } from "../db/migrate.ts";
import { packTemplate } from "../db/template.ts";
import type { NpmPackages } from "./npm_package.ts";

/** Names below dist/database/, with their bytes. */
export async function databaseFiles(
  packages: NpmPackages,
  { folder, migrations }: { folder: string; migrations: string },
): Promise<Record<string, Uint8Array>> {
  const pglite = join(packages.find("@electric-sql/pglite"), "dist");
  const vector = join(packages.find("@electric-sql/pglite-pgvector"), "dist");
  return {
    "pglite.wasm": await Deno.readFile(join(pglite, "pglite.wasm")),
    "pglite.data": await Deno.readFile(join(pglite, "pglite.data")),
    "vector.tar": await gunzip(join(vector, "vector.tar.gz")),
    "template.gz": await template(pglite, {
      path: join(folder, "template.gz"),
      migrations: await readMigrations(migrations),
    }),
  };
}

/** Seconds of initdb, so it is made again only when PGlite or a migration is another one. */
async function template(
  pglite: string,
  { path, migrations }: { path: string; migrations: readonly Migration[] },
): Promise<Uint8Array> {
  const { version } = JSON.parse(await Deno.readTextFile(join(pglite, "../package.json")));
  const mark = `${path}.version`;
  const recipe = [version, ...initdb, ...leaner, ...migrations.map(({ checksum }) => checksum)]
    .join("\n");
  const known = await Deno.readTextFile(mark).catch(() => undefined);
  const made = known === recipe ? await Deno.readFile(path).catch(() => undefined) : undefined;
  if (made !== undefined) return made;
  const folder = await Deno.makeTempDir({ prefix: "bkg-template-" });
  try {
    const database = await PGlite.create(join(folder, "pgdata"), { initDbStartParams: initdb });
    for (const statement of [...leaner, "set search_path = bkg, public"]) {
      await database.exec(statement);
    }
    for (const migration of migrations) await apply(sessionOf(database), migration);
    await database.close();
    const packed = await packTemplate(join(folder, "pgdata"));
    await Deno.mkdir(join(path, ".."), { recursive: true });
    await Deno.writeTextFile(mark, recipe);
    return packed;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A first start writes 15 MB in 400 files, not 40 MB in 1,000. */
const initdb = ["--wal-segsize=1"];
const leaner = [
  "update pg_database set datistemplate = false",
  "drop database template0",
  "drop database template1",
];

function sessionOf(database: PGlite): Transaction {
  return {
    async sql(strings, ...values) {
      const { text, params } = toStatement(strings, values);
      return (await database.query<Row>(text, params)).rows;
    },
    script: async (text) => void await database.exec(text),
  };
}

async function gunzip(path: string): Promise<Uint8Array> {
  const { readable } = await Deno.open(path);
  return await new Response(readable.pipeThrough(new DecompressionStream("gzip"))).bytes();
}
