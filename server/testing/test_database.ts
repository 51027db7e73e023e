// A database for tests: PGlite as the server has it, in a folder of its own that goes with it.

import { join } from "node:path";
import { buildBundles, projectRoot } from "../build/bundles.ts";
import type { Db } from "../db/db.ts";
import { type DatabaseOptions, openDatabase } from "../db/open.ts";

export interface TestDatabase extends AsyncDisposable {
  readonly db: Db;
  readonly dataDir: string;
  /** Empties all tables. */
  reset(): Promise<void>;
}

/** What the server opens its database with, for another data folder. */
export async function databaseOptions(dataDir: string): Promise<DatabaseOptions> {
  const { folder: bundles } = await buildBundles({ log: (line) => console.error(line) });
  return {
    dataDir,
    bundles,
    migrations: join(projectRoot, "server/db/migrations"),
    warn: () => {},
  };
}

/** Users take what is theirs along. */
const emptying =
  `truncate plugins, users, roles, signing_keys, audit, usage, settings, jobs, trusted_models,
  imported_files restart identity cascade`;

export async function openTestDatabase(): Promise<TestDatabase> {
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const db = await openDatabase(await databaseOptions(dataDir));
  return {
    db,
    dataDir,
    reset: () => db.transaction(({ script }) => script(emptying)),
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]();
      await Deno.remove(dataDir, { recursive: true });
    },
  };
}
