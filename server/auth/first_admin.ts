// The local operator's account and its first password. Callers: access (at each start), main (beyond loopback).

import type { Db } from "../db/db.ts";
import { operatorId } from "./accounts.ts";
import { requireGoodPassword } from "./password_rules.ts";
import type { Passwords } from "./passwords.ts";

/** Sets BKG_ADMIN_PASSWORD where the account has none yet; later starts change nothing. Throws INVALID_INPUT. */
export async function setFirstPassword(
  db: Db,
  { password, passwords }: { password: string; passwords: Pick<Passwords, "hash"> },
): Promise<void> {
  if (await hasAdminPassword(db)) return;
  requireGoodPassword(password, { name: "admin", field: "BKG_ADMIN_PASSWORD" });
  const hash = await passwords.hash(password);
  await db.sql`
    update users set password_hash = ${hash} where id = ${operatorId} and password_hash is null`;
}

/** Whether the operator's account can sign in with a password. */
export async function hasAdminPassword(db: Db): Promise<boolean> {
  const rows = await db.sql`
    select id from users where id = ${operatorId} and password_hash is not null`;
  return rows.length > 0;
}
