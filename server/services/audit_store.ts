// The audit trail in the database: entries are put in together, and what is too old or too much goes.
// A kill costs the entries of the last half second; a database that is away holds them back, up to a bound.

import { z } from "zod";
import type { AuditEntry } from "../../plugins/runtime/host/host.ts";
import { type Db, json } from "../db/db.ts";
import { importOnce } from "./imported_file.ts";

export interface AuditStore extends AsyncDisposable {
  add(pluginId: string, entry: AuditEntry): void;
}

export interface AuditStoreOptions {
  db: Db;
  /** Where a version without a database kept them, the newest file first. */
  oldPaths: readonly string[];
  /** Default 200,000. */
  maxRows?: number;
  /** Default 90 days. */
  maxAgeMs?: number;
  /** Longest time that an entry is held back, ms. Default 500. */
  batchMs?: number;
  failed(error: unknown): void;
}

export async function openAuditStore(options: AuditStoreOptions): Promise<AuditStore> {
  const { db, oldPaths, maxRows = 200_000, maxAgeMs = 90 * 24 * 60 * 60_000 } = options;
  const { batchMs = 500, failed } = options;
  let held: Row[] = [];
  let dropped = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing: Promise<void> = Promise.resolve();
  let sincePruning = pruneEvery;
  for (const [index, path] of oldPaths.toReversed().entries()) {
    await importOnce(db, {
      path,
      name: `audit.jsonl ${oldPaths.length - index}`,
      take: (text, sql) =>
        insert(sql, text.split("\n").map(parseOld).filter((row) => row !== undefined)),
    });
  }

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const rows = held;
    held = [];
    if (rows.length === 0) return;
    try {
      await insert(db.sql, rows);
      sincePruning += rows.length;
      if (sincePruning >= pruneEvery) await prune();
    } catch (error) {
      const room = Math.max(0, maxHeld - held.length);
      dropped += Math.max(0, rows.length - room);
      held = [...rows.slice(-room || rows.length), ...held];
      failed(dropped > 0 ? new Error(`${dropped} entries were lost`, { cause: error }) : error);
      later(retryMs);
    }
  }

  async function prune(): Promise<void> {
    sincePruning = 0;
    await db.sql`delete from audit where at_ms < ${Date.now() - maxAgeMs}`;
    await db.sql`
      delete from audit where id <= (select id from audit order by id desc offset ${maxRows} limit 1)`;
  }

  function later(delayMs: number): void {
    timer ??= setTimeout(() => writing = writing.then(flush), delayMs);
  }

  return {
    add(pluginId, entry) {
      if (held.length >= maxHeld) {
        dropped++;
        return;
      }
      held.push(toRow(pluginId, entry));
      later(batchMs);
    },
    async [Symbol.asyncDispose]() {
      await writing;
      await flush();
      clearTimeout(timer);
    },
  };
}

interface Row {
  at_ms: number;
  plugin_id: string;
  principal: string;
  action: string;
  object: string;
  outcome: string;
  count: number;
}

const pruneEvery = 1000;
const maxHeld = 10_000;
const retryMs = 2000;

function toRow(pluginId: string, entry: AuditEntry): Row {
  const { atMs, count, principal, action, object, outcome } = entry;
  return {
    at_ms: Math.floor(atMs),
    plugin_id: clean(pluginId),
    principal: clean(principal),
    action: clean(action),
    object: clean(object),
    outcome,
    count,
  };
}

/** PostgreSQL stores no NUL and no half of a surrogate pair; a plugin may have written either. */
function clean(text: string): string {
  return text.replaceAll("\0", "\ufffd").toWellFormed().slice(0, 1000).toWellFormed();
}

async function insert(sql: Db["sql"], rows: readonly Row[]): Promise<void> {
  for (let at = 0; at < rows.length; at += 1000) {
    await sql`
      insert into audit (at_ms, plugin_id, principal, action, object, outcome, count)
      select * from jsonb_to_recordset(${json(rows.slice(at, at + 1000))}) as row (at_ms bigint,
        plugin_id text, principal text, action text, object text, outcome text, count bigint)`;
  }
}

const oldSchema = z.object({
  pluginId: z.string(),
  atMs: z.number(),
  count: z.int(),
  principal: z.string(),
  action: z.string(),
  object: z.string(),
  outcome: z.enum(["ok", "denied", "failed", "cancelled"]),
});

/** A line that a kill tore is left out. */
function parseOld(line: string): Row | undefined {
  try {
    const { pluginId, ...entry } = oldSchema.parse(JSON.parse(line));
    return toRow(pluginId, entry);
  } catch {
    return undefined;
  }
}
