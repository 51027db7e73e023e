// A process that writes until it is killed: it prints each number once its row is acknowledged. For tests.

import { databaseOptions } from "./test_database.ts";
import { openDatabase } from "../db/open.ts";

const [dataDir, url] = Deno.args;
const db = await openDatabase({ ...await databaseOptions(dataDir!), url: url || undefined });
const [row] = await db.sql`select coalesce(max(created_at_ms), 0) as last from sessions`;
let next = Number(row?.["last"]);
const acknowledge = (number: number) =>
  Deno.stdout.writeSync(new TextEncoder().encode(`${number}\n`));
while (true) {
  const number = ++next;
  if (number % 3 === 0) {
    // Both rows or none.
    await db.transaction(async ({ sql }) => {
      await sql`insert into sessions values (${`${number}`}, 'a', 'user', ${number}, 0)`;
      await sql`insert into sessions values (${`${number} too`}, 'b', 'user', ${number}, 0)`;
    });
  } else await db.sql`insert into sessions values (${`${number}`}, 'a', 'user', ${number}, 0)`;
  acknowledge(number);
}
