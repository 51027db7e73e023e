// A process that writes until it is killed: it prints each number once its row is acknowledged. For tests.

import { databaseOptions } from "./test_database.ts";
import { openDatabase } from "../db/open.ts";

const [dataDir, url] = Deno.args;
const db = await openDatabase({ ...await databaseOptions(dataDir!), url: url || undefined });
const [row] = await db.sql`select coalesce(max(at_ms), 0) as last from imported_files`;
let next = Number(row?.["last"]);
const acknowledge = (number: number) =>
  Deno.stdout.writeSync(new TextEncoder().encode(`${number}\n`));
while (true) {
  const number = ++next;
  if (number % 3 === 0) {
    // Both rows or none.
    await db.transaction(async ({ sql }) => {
      await sql`insert into imported_files values (${`${number}`}, ${number})`;
      await sql`insert into imported_files values (${`${number} too`}, ${number})`;
    });
  } else await db.sql`insert into imported_files values (${`${number}`}, ${number})`;
  acknowledge(number);
}
