// Conversations of users, in the database. What is in one is the page's own: it is stored and given back as it came.
// Every change has a number that counts up over all chats of its user, by which a device asks for what it missed.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Db, Row, Sql } from "../db/db.ts";
import { toStorableText } from "./storable_text.ts";

export interface StoredChat {
  id: string;
  title: string;
  /** What a change of it builds on. */
  version: number;
  createdAtMs: number;
  /** When this server took its last change. */
  updatedAtMs: number;
  /** JSON text of an object. */
  content: string;
}

/** `deleted`: only its id and version are left, for other devices to hear of it. */
export interface ChatChange extends Omit<StoredChat, "content"> {
  deleted: boolean;
  /** Only where it was asked for, and of no deleted chat. */
  content?: string;
}

export interface ChatInput {
  title: string;
  content: string;
  /** Of the chat that the change builds on; 0 for a new one. */
  version: number;
  createdAtMs: number;
}

export interface ChangesPage {
  chats: ChatChange[];
  /** Where this page ends; the same again when there was nothing. */
  cursor: string;
  /** `cursor`, when there is more at this moment. */
  next?: string;
}

/** All throw NOT_FOUND for a chat that is not the user's, as for one that is not there. */
export interface ChatStore {
  /** Oldest change first. INVALID_INPUT for a cursor of another database, or of a time before a restore. */
  changes(
    userId: string,
    page: { limit: number; after?: string | undefined; withContent: boolean },
  ): Promise<ChangesPage>;
  get(userId: string, id: string): Promise<StoredChat>;
  /**
   * Stores it. When it was changed elsewhere since `version`: CONFLICT with that chat in the details. One that was
   * deleted comes back when the change builds on its deletion.
   */
  put(userId: string, id: string, chat: ChatInput): Promise<ChatHead>;
  delete(userId: string, id: string): Promise<ChatHead>;
  /** Answers how many there were. */
  deleteAll(userId: string): Promise<number>;
  /** By id; one that is changed meanwhile is told once. */
  export(userId: string): AsyncGenerator<StoredChat, void>;
}

/** What became of a change. */
export interface ChatHead {
  version: number;
  updatedAtMs: number;
  /** The cursor before it and after it: whoever was at the first has seen all up to the second. */
  before: string;
  cursor: string;
}

export const chatLimits = {
  contentBytes: 8 * 1024 * 1024,
  titleChars: 200,
  chats: 10_000,
} as const;

export interface ChatStoreOptions {
  db: Db;
  /** Ms since the epoch. */
  now?: () => number;
  maxChats?: number;
  /** How long a deletion can be heard of. Default 90 days. */
  keepDeletedMs?: number;
  /** Contents that one page holds at most, unless a single one is larger. */
  pageBytes?: number;
}

export function createChatStore(options: ChatStoreOptions): ChatStore {
  const { db, now = Date.now, maxChats = chatLimits.chats } = options;
  const { keepDeletedMs = 90 * 24 * 60 * 60_000, pageBytes = chatLimits.contentBytes } = options;

  /** Forgets old deletions, but for a user's last change: the count goes on from it. */
  async function prune(sql: Sql): Promise<void> {
    await sql`
      delete from chats where deleted_at_ms < ${now() - keepDeletedMs} and change < (
        select max(latest.change) from chats latest where latest.user_id = chats.user_id)`;
  }

  return {
    async changes(userId, { limit, after, withContent }) {
      const [user] = await db.sql`
        select created_at_ms, (select coalesce(max(change), 0) from chats where user_id = ${userId})
          as change from users where id = ${userId}`;
      const { epoch, last } = readUser(user);
      const from = after === undefined ? 0 : readCursor(after, { epoch, last });
      // How much is read is decided by the numbers, before any content is.
      const rows = await db.sql`
        with heads as (
          select id, change, sum(bytes) over (order by change) - bytes as before from chats
          where user_id = ${userId} and change > ${from} order by change limit ${limit}
        )
        select chats.id, title, version, chats.change, created_at_ms, updated_at_ms, deleted_at_ms,
          case when ${withContent}::boolean then content end as content
        from chats join heads on heads.id = chats.id and user_id = ${userId}
        where before < ${pageBytes} or not ${withContent}::boolean order by chats.change`;
      const end = Number(rows.at(-1)?.["change"] ?? from);
      const cursor = `${epoch}-${end}`;
      return { chats: rows.map(readChange), cursor, ...(end < last ? { next: cursor } : {}) };
    },

    async get(userId, id) {
      return readChat(await find(db.sql, userId, id));
    },

    async put(userId, id, chat) {
      requireFitting(chat);
      return await db.transaction(async ({ sql }) => {
        const { last, cursors } = await lockUser(sql, userId);
        const stored = await find(sql, userId, id);
        const isThere = stored !== undefined && stored["deleted_at_ms"] === null;
        // Unknown here, it may still have a version: of a database that was restored since.
        if (stored !== undefined && stored["version"] !== chat.version) throw changedError(stored);
        if (!isThere) await requireRoom(sql, { userId, maxChats });
        const head = { version: chat.version + 1, updatedAtMs: now(), ...cursors };
        await sql`
          insert into chats (user_id, id, title, content, bytes, version, change, created_at_ms, updated_at_ms)
          select ${userId}::text, ${id}::text, ${toStorableText(chat.title)}::text, content,
            octet_length(content), ${head.version}::bigint, ${last + 1}::bigint,
            ${chat.createdAtMs}::bigint, ${head.updatedAtMs}::bigint
          from (select ${chat.content}::text as content) as given
          on conflict (user_id, id) do update set title = excluded.title, content = excluded.content,
            bytes = excluded.bytes, version = excluded.version, change = excluded.change,
            updated_at_ms = excluded.updated_at_ms, deleted_at_ms = null`;
        return head;
      });
    },

    delete: (userId, id) =>
      db.transaction(async ({ sql }) => {
        const { last, cursors } = await lockUser(sql, userId);
        const { version } = readChat(await find(sql, userId, id));
        const head = { version: version + 1, updatedAtMs: now(), ...cursors };
        await sql`
          update chats set title = '', content = null, bytes = 0, version = ${head.version},
            change = ${
          last + 1
        }, updated_at_ms = ${head.updatedAtMs}, deleted_at_ms = ${head.updatedAtMs}
          where user_id = ${userId} and id = ${id}`;
        await prune(sql);
        return head;
      }),

    deleteAll: (userId) =>
      db.transaction(async ({ sql }) => {
        const { last } = await lockUser(sql, userId);
        const rows = await sql`
          update chats set title = '', content = null, bytes = 0, version = version + 1,
            change = ${last}::bigint + place, updated_at_ms = ${now()}, deleted_at_ms = ${now()}
          from (
            select id, row_number() over (order by change) as place from chats
            where user_id = ${userId} and deleted_at_ms is null
          ) as there
          where user_id = ${userId} and chats.id = there.id returning chats.id`;
        await prune(sql);
        return rows.length;
      }),

    async *export(userId) {
      let after = "";
      while (true) {
        const rows = await db.sql`
          with heads as (
            select id, sum(bytes) over (order by id) - bytes as before from chats
            where user_id = ${userId} and deleted_at_ms is null and id > ${after} order by id limit 100
          )
          select chats.* from chats join heads on heads.id = chats.id and user_id = ${userId}
          where before < ${pageBytes} and deleted_at_ms is null order by id`;
        if (rows.length === 0) return;
        for (const row of rows) {
          after = String(row["id"]);
          yield readChat(row);
        }
      }
    },
  };
}

function requireFitting({ title, content }: ChatInput): void {
  const { contentBytes, titleChars } = chatLimits;
  if (new TextEncoder().encode(content).byteLength > contentBytes) {
    throw new AppError("PAYLOAD_TOO_LARGE", `"content" is larger than ${contentBytes} bytes`, {
      details: { field: "content", limit: contentBytes },
    });
  }
  if (title.length > titleChars) {
    throw new AppError("INVALID_INPUT", `"title" is longer than ${titleChars} characters`, {
      details: { field: "title", limit: titleChars },
    });
  }
}

async function find(sql: Sql, userId: string, id: string): Promise<Row | undefined> {
  const [row] = await sql`select * from chats where user_id = ${userId} and id = ${id}`;
  return row;
}

/** One change of a user's chats at a time, so that their numbers are seen in order. */
async function lockUser(
  sql: Sql,
  userId: string,
): Promise<{ last: number; cursors: Pick<ChatHead, "before" | "cursor"> }> {
  const [user] = await sql`select created_at_ms from users where id = ${userId} for no key update`;
  const [row] = await sql`
    select coalesce(max(change), 0) as change from chats where user_id = ${userId}`;
  const { epoch, last } = readUser(user === undefined ? undefined : { ...user, ...row });
  return { last, cursors: { before: `${epoch}-${last}`, cursor: `${epoch}-${last + 1}` } };
}

async function requireRoom(
  sql: Sql,
  { userId, maxChats }: { userId: string; maxChats: number },
): Promise<void> {
  const [row] = await sql`
    select count(*) as count from chats where user_id = ${userId} and deleted_at_ms is null`;
  if (Number(row?.["count"]) < maxChats) return;
  throw new AppError("CONFLICT", `There are ${maxChats} chats already, which is the most`, {
    details: { field: "chats", limit: maxChats },
  });
}

function readUser(row: Row | undefined): { epoch: number; last: number } {
  if (row === undefined) throw new AppError("NOT_FOUND", "This account is no longer there");
  return { epoch: Number(row["created_at_ms"]), last: Number(row["change"]) };
}

/** The account's birth is in it: another database counts from 1 again. */
function readCursor(cursor: string, { epoch, last }: { epoch: number; last: number }): number {
  const [, born, change] = /^(\d{1,16})-(\d{1,16})$/.exec(cursor) ?? [];
  if (Number(born) === epoch && Number(change) <= last) return Number(change);
  throw new AppError("INVALID_INPUT", '"after" is of no list of this database: begin without it', {
    details: { field: "after" },
  });
}

function readHead(row: Row): Omit<StoredChat, "content"> {
  return {
    id: String(row["id"]),
    title: String(row["title"]),
    version: Number(row["version"]),
    createdAtMs: Number(row["created_at_ms"]),
    updatedAtMs: Number(row["updated_at_ms"]),
  };
}

function readChange(row: Row): ChatChange {
  const { content } = row;
  return {
    ...readHead(row),
    deleted: row["deleted_at_ms"] !== null,
    ...(typeof content === "string" ? { content } : {}),
  };
}

function readChat(row: Row | undefined): StoredChat {
  const content = row?.["content"];
  if (row !== undefined && typeof content === "string") return { ...readHead(row), content };
  throw new AppError("NOT_FOUND", "There is no such chat of yours");
}

function changedError(row: Row): AppError {
  const { content, ...change } = readChange(row);
  const chat = { ...change, ...(content === undefined ? {} : { content: JSON.parse(content) }) };
  return new AppError("CONFLICT", "This chat was changed elsewhere since", { details: { chat } });
}
