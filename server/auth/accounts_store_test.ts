import { openDatabase } from "../db/open.ts";
import { postgresProblem, startPostgres } from "../testing/postgres.ts";
import { skipUnless } from "../testing/require.ts";
import { databaseOptions, openTestDatabase } from "../testing/test_database.ts";
import { testAccountsConformance } from "./accounts_conformance.ts";

Deno.test("accounts and keys on PGlite", async (t) => {
  await using database = await openTestDatabase();
  await testAccountsConformance(t, database.db);
});

Deno.test({
  name: "accounts and keys on PostgreSQL",
  ignore: skipUnless("accounts and keys on PostgreSQL", postgresProblem()),
  fn: async (t) => {
    await using server = await startPostgres();
    const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
    try {
      await using db = await openDatabase({ ...await databaseOptions(dataDir), url: server.url });
      await testAccountsConformance(t, db);
    } finally {
      await Deno.remove(dataDir, { recursive: true });
    }
  },
});
