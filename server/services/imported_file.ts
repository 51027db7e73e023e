// Files in which versions without a database kept their state: each is taken over once, then renamed.

import type { Db, Sql } from "../db/db.ts";

/** Puts the file's content into the database, all or nothing; a file that is not there is none of its business. */
export async function importOnce(
  db: Db,
  { path, name, take }: {
    path: string;
    /** Under which the database remembers it. */
    name: string;
    take: (text: string, sql: Sql) => Promise<void>;
  },
): Promise<void> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  await db.transaction(async ({ sql }) => {
    const fresh = await sql`
      insert into imported_files values (${name}, ${Date.now()})
      on conflict do nothing returning name`;
    // A kill between the commit and the renaming leaves the file; its content is here already.
    if (fresh.length > 0) await take(text, sql);
  });
  await Deno.rename(path, `${path}.imported`);
}
