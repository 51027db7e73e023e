// What the database in the data folder is made of: PGlite's Worker, its files, and an empty database to start from.

import { PGlite } from "@electric-sql/pglite";
import { join } from "node:path";
import { packTemplate } from "../db/template.ts";
import type { NpmPackages } from "./npm_package.ts";

/** Names below dist/database/, with their bytes. */
export async function databaseFiles(
  packages: NpmPackages,
  folder: string,
): Promise<Record<string, Uint8Array>> {
  const pglite = join(packages.find("@electric-sql/pglite"), "dist");
  const vector = join(packages.find("@electric-sql/pglite-pgvector"), "dist");
  return {
    "pglite.wasm": await Deno.readFile(join(pglite, "pglite.wasm")),
    "pglite.data": await Deno.readFile(join(pglite, "pglite.data")),
    "vector.tar": await gunzip(join(vector, "vector.tar.gz")),
    "template.gz": await template(pglite, join(folder, "template.gz")),
  };
}

/** Seconds of initdb, so it is made again only when PGlite is another one. */
async function template(pglite: string, path: string): Promise<Uint8Array> {
  const { version } = JSON.parse(await Deno.readTextFile(join(pglite, "../package.json")));
  const mark = `${path}.version`;
  const recipe = [version, ...initdb, ...leaner].join("\n");
  const known = await Deno.readTextFile(mark).catch(() => undefined);
  const made = known === recipe ? await Deno.readFile(path).catch(() => undefined) : undefined;
  if (made !== undefined) return made;
  const folder = await Deno.makeTempDir({ prefix: "bkg-template-" });
  try {
    const database = await PGlite.create(join(folder, "pgdata"), { initDbStartParams: initdb });
    for (const statement of leaner) await database.exec(statement);
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

async function gunzip(path: string): Promise<Uint8Array> {
  const { readable } = await Deno.open(path);
  return await new Response(readable.pipeThrough(new DecompressionStream("gzip"))).bytes();
}
