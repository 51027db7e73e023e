// Runs a test of a store on both engines: PGlite as the server has it, and a real PostgreSQL where there is one.

import type { Db } from "../db/db.ts";
import { openDatabase } from "../db/open.ts";
import { postgresProblem, startPostgres } from "./postgres.ts";
import { skipUnless } from "./require.ts";
import { databaseOptions, openTestDatabase } from "./test_database.ts";

/** Registers one test an engine; `run` is given an empty database with the users "ada" and "bob". */
export function testOnEngines(
  name: string,
  run: (t: Deno.TestContext, db: Db) => Promise<void>,
): void {
  Deno.test(`${name}, on PGlite`, async (t) => {
    await using test = await openTestDatabase();
    await addUsers(test.db);
    await run(t, test.db);
  });
  Deno.test({
    name: `${name}, on PostgreSQL`,
    ignore: skipUnless(`${name}, on PostgreSQL`, postgresProblem()),
    async fn(t) {
      const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
      try {
        await using server = await startPostgres();
        await using db = await openDatabase({
          ...await databaseOptions(dataDir),
          url: server.url,
        });
        await addUsers(db);
        await run(t, db);
      } finally {
        await Deno.remove(dataDir, { recursive: true });
      }
    },
  });
}

export async function addUsers(db: Db, names: readonly string[] = ["ada", "bob"]): Promise<void> {
  await db.sql`
    insert into roles (name, scopes, updated_at_ms) values ('user', '[]', 0)
    on conflict (name) do nothing`;
  for (const name of names) {
    await db.sql`
      insert into users (id, name, role, created_at_ms, updated_at_ms)
      values (${name}, ${name}, 'user', 1000, 1000)`;
  }
}
