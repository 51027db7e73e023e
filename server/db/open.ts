// Opens the server's database: PostgreSQL where BKG_DATABASE_URL names one, else PGlite in the data folder, brought to
// the newest schema. Callers: main, `bkg backup`, `bkg restore`, tests.

import { join } from "node:path";
import { writeBackup } from "./backup.ts";
import type { Db } from "./db.ts";
import { migrate, readMigrations } from "./migrate.ts";
import { openPglite } from "./pglite.ts";
import { openPostgres } from "./postgres.ts";

export interface DatabaseOptions {
  dataDir: string;
  /** dist/: what was built of PGlite. */
  bundles: string;
  /** server/db/migrations. */
  migrations: string;
  /** A secret. Absent: PGlite. */
  url?: string | undefined;
  warn: (message: string) => void;
}

/** The folder that PGlite has for itself. */
export function databaseFolder(dataDir: string): string {
  return join(dataDir, "database");
}

/** Throws CONFLICT when the folder is in use or the data is from a newer bkg. */
export async function openDatabase(options: DatabaseOptions): Promise<Db> {
  const db = await openUnmigrated(options);
  try {
    const migrations = await readMigrations(options.migrations);
    await migrate(db, {
      migrations,
      ...(db.engine === "pglite" ? { before: () => backUp(db) } : {}),
    });
    return db;
  } catch (error) {
    await db[Symbol.asyncDispose]();
    throw error;
  }

  async function backUp(db: Db): Promise<void> {
    const folder = join(options.dataDir, "backups");
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    const time = new Date().toISOString().replace(/[:.]/g, "-");
    const path = join(folder, `before-migration-${time}.bkg`);
    await writeBackup(db, { path });
    await keepNewest(folder, keptBackups);
  }
}

/** As it is found, for `restore`. */
export function openUnmigrated({ dataDir, bundles, url, warn }: DatabaseOptions): Promise<Db> {
  const assets = join(bundles, "database");
  if (url !== undefined) return openPostgres({ url, assets });
  return openPglite({
    folder: databaseFolder(dataDir),
    assets,
    lost: () => warn("A statement passed its deadline, and PGlite was started again"),
  });
}

const keptBackups = 3;

async function keepNewest(folder: string, count: number): Promise<void> {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => /^before-migration-.*\.bkg$/.test(name)).sort();
  for (const name of names.slice(0, -count)) await Deno.remove(join(folder, name));
}
