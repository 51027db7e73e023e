// Sessions in the database: hashes alone. Caller: sessions.ts.
// The file of a version without a database is taken over once; one that others could have written signs nobody in.

import { z } from "zod";
import type { Principal } from "../../plugins/runtime/host/host.ts";
import { type Db, json } from "../db/db.ts";
import { readSessionFile } from "./session_file.ts";

export interface StoredSession {
  /** SHA-256 of the bearer, base64url. */
  hash: string;
  principal: Principal;
  createdAtMs: number;
  expiresAtMs: number;
}

export interface SessionStore {
  /** Oldest first. */
  load(): Promise<StoredSession[]>;
  /** Settles when it is durable. */
  add(session: StoredSession): Promise<void>;
  remove(hashes: readonly string[]): Promise<void>;
}

export interface SessionStoreOptions {
  db: Db;
  /** Where a version without a database kept them. */
  oldPath: string;
  /** Told of a file of sessions that cannot be trusted. */
  warn: (message: string) => void;
}

export async function openSessionStore(options: SessionStoreOptions): Promise<SessionStore> {
  const { db, oldPath, warn } = options;
  await takeOver();

  async function takeOver(): Promise<void> {
    const old = await readSessionFile(oldPath);
    if (old === undefined) return;
    for (const warning of old.warnings) warn(warning);
    await db.transaction(async ({ sql }) => {
      const fresh = await sql`
        insert into imported_files values ('sessions.json', ${Date.now()})
        on conflict do nothing returning name`;
      if (fresh.length > 0) { for (const session of old.sessions) await insert(sql, session); }
    });
    await Deno.rename(oldPath, `${oldPath}.imported`);
  }

  return {
    async load() {
      const rows = await db.sql`
        select hash, principal_id, role, created_at_ms, expires_at_ms from sessions
        order by created_at_ms, hash collate "C"`;
      return rows.map((row) => {
        const { hash, principal_id: id, role, created_at_ms, expires_at_ms } = rowSchema.parse(row);
        return {
          hash,
          principal: { id, role },
          createdAtMs: created_at_ms,
          expiresAtMs: expires_at_ms,
        };
      });
    },
    add: (session) => insert(db.sql, session),
    async remove(hashes) {
      if (hashes.length === 0) return;
      await db.sql`
        delete from sessions
        where hash in (select jsonb_array_elements_text(${json(hashes)}))`;
    },
  };
}

async function insert(sql: Db["sql"], session: StoredSession): Promise<void> {
  const { hash, principal, createdAtMs, expiresAtMs } = session;
  await sql`
    insert into sessions (hash, principal_id, role, created_at_ms, expires_at_ms)
    values (${hash}, ${principal.id}, ${principal.role}, ${createdAtMs}, ${expiresAtMs})
    on conflict do nothing`;
}

const rowSchema = z.object({
  hash: z.string(),
  principal_id: z.string(),
  role: z.enum(["admin", "operator", "user"]),
  created_at_ms: z.int(),
  expires_at_ms: z.int(),
});
