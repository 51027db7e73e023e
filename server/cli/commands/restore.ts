// `bkg restore FILE`: fills the database from a backup, of whichever engine. The server must be stopped.

import { clientOptions, type Command, exitCodes, UsageError } from "../command.ts";
import { openStoppedDatabase } from "../stopped_database.ts";
import { table } from "../terminal.ts";

export const restore: Command = {
  name: "restore",
  summary: "Fill the database from a backup; the server must be stopped.",
  usage: ["restore FILE [--force]"],
  options: {
    "data-dir": clientOptions["data-dir"]!,
    force: { type: "boolean", description: "throw away what the database holds" },
  },
  details: [
    "All or nothing: hashes are checked before anything is kept. A backup of a newer bkg is refused.",
    "With BKG_DATABASE_URL stop every server first: what they hold in memory would be old.",
  ],
  async run(args, io) {
    const [path, ...more] = args.positionals;
    if (path === undefined || more.length > 0) throw new UsageError("bkg restore takes one FILE");
    const { restoreBackup } = await import("../../db/backup.ts");
    const { db, migrations } = await openStoppedDatabase(args, io, { migrated: false });
    await using _ = db;
    const sums = await restoreBackup(db, { path, migrations, force: args.flag("force") });
    io.out(table(sums.map(({ table, rows, sha256 }) => [table, `${rows} rows`, sha256])));
    return exitCodes.ok;
  },
};
