// A backup for who asks over HTTP: written beside the data first, so that a slow client holds up nobody's statements.

import { join } from "node:path";
import { writeBackup } from "../db/backup.ts";
import type { Db } from "../db/db.ts";

export interface BackupService {
  /** The whole file; what is on disk of it goes when the stream ends, however it ends. */
  open(): Promise<ReadableStream<Uint8Array>>;
}

export function createBackupService(
  { db, dataDir }: { db: Db; dataDir: string },
): BackupService {
  return {
    async open() {
      const folder = join(dataDir, "backups");
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
      const path = join(folder, `asked-${crypto.randomUUID()}.bkg`);
      await writeBackup(db, { path });
      const file = await Deno.open(path);
      // Open, it can be read without its name, and nothing is left whatever happens.
      await Deno.remove(path);
      return file.readable;
    },
  };
}
