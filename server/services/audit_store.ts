// The audit trail in the database: entries are put in together, and what is too old or too much goes.
// A kill costs the entries of the last half second; a database that is away holds them back, up to a bound.

import { z } from "zod";
import type { AuditEntry } from "../../plugins/runtime/host/host.ts";
import { cutPage, readPage } from "../auth/page_cursor.ts";
import type { Identity } from "../auth/authenticator.ts";
import { type Db, json } from "../db/db.ts";
import type { AuditLog, AuditView } from "./audit_log.ts";
import { importOnce } from "./imported_file.ts";
import { toStorableText } from "./storable_text.ts";

export interface AuditStore extends AuditLog, AsyncDisposable {
  /** What the host notes of a plugin. */
  add(pluginId: string, entry: AuditEntry): void;
}

export interface AuditStoreOptions {
  db: Db;
  /** Where a version without a database kept them, the newest file first. */
  oldPaths: readonly string[];
  /** Default 200,000. */
  maxRows?: number;
  /** Asked each time that old ones go; default 90 days. */
  maxAgeMs?: () => number;
  /** Longest time that an entry is held back, ms. Default 500. */
  batchMs?: number;
  failed(error: unknown): void;
}

export async function openAuditStore(options: AuditStoreOptions): Promise<AuditStore> {
  const { db, oldPaths, maxRows = 200_000, maxAgeMs = () => 90 * 24 * 60 * 60_000 } = options;
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
    await db.sql`delete from audit where at_ms < ${Date.now() - maxAgeMs()}`;
    await db.sql`
      delete from audit where id <= (select id from audit order by id desc offset ${maxRows} limit 1)`;
  }

  function later(delayMs: number): void {
    timer ??= setTimeout(() => writing = writing.then(flush), delayMs);
  }

  function hold(row: Row): void {
    if (held.length >= maxHeld) {
      dropped++;
      return;
    }
    held.push(row);
    later(batchMs);
  }

  return {
    add: (pluginId, entry) => hold(toRow(pluginId, entry)),
    record({ pluginId = "", principal, address, ...deed }) {
      const entry = { ...deed, atMs: Date.now(), count: 1, principal: principal?.id ?? "" };
      const credential = principal === undefined ? "" : credentialOf(principal);
      hold({ ...toRow(pluginId, entry), credential, address: clean(address) });
    },
    async list({ fromMs, toMs, ...query }) {
      const { limit, after } = readPage(query, cursorSchema);
      const given = (text: string | undefined) => text === undefined ? null : clean(text);
      const principal = given(query.principal);
      const action = given(query.action);
      const object = given(query.object);
      const pluginId = given(query.pluginId);
      // What was done just now is looked for first of all.
      await (writing = writing.then(flush));
      const rows = await db.sql`
        select audit.*, users.name as principal_name
        from audit left join users on users.id = audit.principal
        where (${principal}::text is null or principal = ${principal})
          and (${action}::text is null or action = ${action})
          and (${object}::text is null or object = ${object})
          and (${pluginId}::text is null or plugin_id = ${pluginId})
          and at_ms >= ${fromMs ?? 0}::bigint and at_ms < ${toMs ?? Number.MAX_SAFE_INTEGER}::bigint
          and audit.id < ${after?.[0] ?? Number.MAX_SAFE_INTEGER}::bigint
        order by audit.id desc limit ${limit + 1}`;
      const { items, ...next } = cutPage(rows.map((row) => viewSchema.parse(row)), {
        limit,
        keyOf: ({ id }) => [id],
      });
      return { entries: items.map(toView), ...next };
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
  credential: string;
  address: string;
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
    credential: "",
    address: "",
    action: clean(action),
    object: clean(object),
    outcome,
    count,
  };
}

/** Short, and without what PostgreSQL does not store: a plugin or a client may have written it. */
function clean(text: string): string {
  return toStorableText(toStorableText(text).slice(0, 1000));
}

async function insert(sql: Db["sql"], rows: readonly Row[]): Promise<void> {
  for (let at = 0; at < rows.length; at += 1000) {
    await sql`
      insert into audit
        (at_ms, plugin_id, principal, credential, address, action, object, outcome, count)
      select * from jsonb_to_recordset(${json(rows.slice(at, at + 1000))}) as row (at_ms bigint,
        plugin_id text, principal text, credential text, address text, action text, object text,
        outcome text, count bigint)`;
  }
}

function credentialOf({ credential }: Identity): string {
  return credential.kind === "operator" ? "operator" : `${credential.kind}:${credential.id}`;
}

const cursorSchema = z.tuple([z.int()]);

const viewSchema = z.object({
  id: z.int(),
  at_ms: z.int(),
  plugin_id: z.string(),
  principal: z.string(),
  principal_name: z.string().nullable(),
  credential: z.string(),
  address: z.string(),
  action: z.string(),
  object: z.string(),
  outcome: z.string(),
  count: z.int(),
});

function toView(row: z.infer<typeof viewSchema>): AuditView {
  const { at_ms: atMs, plugin_id: pluginId, principal_name: name, ...rest } = row;
  return { ...rest, atMs, pluginId, ...(name === null ? {} : { principalName: name }) };
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
