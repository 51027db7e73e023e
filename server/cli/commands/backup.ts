// `bkg backup FILE`: the database in one file, from a running server or, when none has the folder, directly.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { connect } from "../client.ts";
import { clientOptions, type Command, exitCodes, UsageError } from "../command.ts";
import { openStoppedDatabase } from "../stopped_database.ts";
import { table } from "../terminal.ts";

export const backup: Command = {
  name: "backup",
  summary: "Write the database into one file, while the server runs or not.",
  usage: ["backup FILE"],
  options: clientOptions,
  details: [
    "The file holds secrets of plugins: keep it as safe as the data folder. Models, logs and the",
    "operator's key are not in it. PGlite and PostgreSQL write the same format.",
  ],
  async run(args, io) {
    const [path, ...more] = args.positionals;
    if (path === undefined || more.length > 0) throw new UsageError("bkg backup takes one FILE");
    const { writeBackup } = await import("../../db/backup.ts");
    let opened;
    try {
      opened = await openStoppedDatabase(args, io);
    } catch (error) {
      if (!isInUse(error)) throw error;
      const client = await connect(args, io);
      await client.download("/admin/backup", path);
      io.out(`Wrote "${path}" from the running server\n`);
      return exitCodes.ok;
    }
    await using _ = opened.db;
    const sums = await writeBackup(opened.db, { path });
    io.out(table(sums.map(({ table, rows, sha256 }) => [table, `${rows} rows`, sha256])));
    return exitCodes.ok;
  },
};

function isInUse(error: unknown): boolean {
  return error instanceof AppError &&
    (error.details as { reason?: unknown } | undefined)?.reason === "folder-in-use";
}
