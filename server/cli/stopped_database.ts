// The database for commands that work on it without a server. Throws CONFLICT while a server has the data folder.

import { join } from "node:path";
import { buildBundles, projectRoot } from "../build/bundles.ts";
import { readConfig, readDatabaseUrl } from "../config.ts";
import type { Db } from "../db/db.ts";
import type { Migration } from "../db/migrate.ts";
import type { Arguments, CliIo } from "./command.ts";

export interface StoppedDatabase {
  db: Db;
  migrations: Migration[];
  /** dist/. */
  bundles: string;
}

export async function openStoppedDatabase(
  args: Arguments,
  io: CliIo,
  { migrated = true } = {},
): Promise<StoppedDatabase> {
  const dataDir = args.text("data-dir");
  const config = readConfig(io.env, dataDir === undefined ? {} : { dataDir });
  const { folder: bundles } = await buildBundles({ log: (line) => io.err(`${line}\n`) });
  const { openDatabase, openUnmigrated } = await import("../db/open.ts");
  const { readMigrations } = await import("../db/migrate.ts");
  const options = {
    dataDir: config.dataDir,
    bundles,
    migrations: join(projectRoot, "server/db/migrations"),
    url: await readDatabaseUrl(io.env),
    warn: (message: string) => io.err(`bkg: ${message}\n`),
  };
  const migrations = await readMigrations(options.migrations);
  const db = await (migrated ? openDatabase : openUnmigrated)(options);
  return { db, migrations, bundles };
}
