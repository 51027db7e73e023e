// API keys in the database: of a secret its SHA-256 alone. What a maker may give is guarded_keys' affair.

import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { type Db, json, type Row, type Sql } from "../db/db.ts";
import type { ApiKeys, KeyOwner, KeyView } from "./api_keys.ts";
import { changing } from "./change_notice.ts";
import type { Identities } from "./identities.ts";
import { formatKey, makeId } from "./key_format.ts";
import { limitsSchema } from "./limits.ts";
import { cutPage, readPage } from "./page_cursor.ts";
import { hashSecret, newSecret } from "./secrets.ts";

export interface ApiKeysDeps {
  db: Db;
  identities: Pick<Identities, "changed">;
  /** Ms since the epoch. */
  now?: () => number;
}

export function createApiKeys({ db, identities, now = Date.now }: ApiKeysDeps): ApiKeys {
  /** Runs `change` on a key that stays as it is meanwhile. */
  async function changeKey<Result>(
    owner: KeyOwner,
    id: string,
    change: (sql: Sql) => Promise<Result>,
  ): Promise<Result> {
    return await changing({
      identities,
      run: () =>
        db.transaction(async ({ sql }) => {
          requireIds(owner, id);
          const rows = await sql`
            select id from keys
            where id = ${id} and (${owner.userId ?? null}::text is null
              or user_id = ${owner.userId ?? null}::text) for update`;
          if (rows.length === 0) throw notFound(id);
          return await change(sql);
        }),
      touches: () => [{ kind: "key", id }],
    });
  }

  return {
    async list({ userId }, page) {
      const { limit, after } = readPage(page, cursor);
      if (userId !== undefined && !idShape.test(userId)) return { keys: [] };
      const [atMs, id] = after ?? [null, null];
      const rows = await db.sql`
        select keys.id, user_id, users.name as user_name, keys.name, keys.scopes, keys.limits,
          keys.created_at_ms, expires_at_ms, last_used_at_ms, previous_until_ms
        from keys join users on users.id = user_id
        where (${userId ?? null}::text is null or user_id = ${userId ?? null}::text)
          and (${atMs}::bigint is null
            or (keys.created_at_ms, keys.id) < (${atMs}::bigint, ${id}::text))
        order by keys.created_at_ms desc, keys.id desc limit ${limit + 1}`;
      const { items, ...rest } = cutPage(rows.map((row) => toView(row, now())), {
        limit,
        keyOf: ({ createdAtMs, id }) => [createdAtMs, id],
      });
      return { keys: items, ...rest };
    },
    async get(owner, id) {
      requireIds(owner, id);
      const view = await readKey(db.sql, id);
      if (owner.userId !== undefined && owner.userId !== view.userId) throw notFound(id);
      return view;
    },
    async create({ userId, name, scopes, limits, expiresAtMs }) {
      if (expiresAtMs !== null && expiresAtMs !== undefined && expiresAtMs <= now()) {
        throw new AppError("INVALID_INPUT", '"expiresAtMs" must be in the future', {
          details: { field: "expiresAtMs" },
        });
      }
      const id = makeId();
      const secret = newSecret();
      return await db.transaction(async ({ sql }) => {
        // Locked, so that the count holds until the commit.
        const owners = idShape.test(userId)
          ? await sql`select id from users where id = ${userId} for update`
          : [];
        if (owners.length === 0) throw new AppError("NOT_FOUND", "There is no such user");
        const [found] = await sql`select count(*) as count from keys where user_id = ${userId}`;
        if (Number(found?.["count"]) >= maxKeys) {
          throw new AppError("CONFLICT", `A user may have ${maxKeys} keys; revoke one`, {
            details: { limit: maxKeys },
          });
        }
        await sql`
          insert into keys
            (id, user_id, name, secret_hash, scopes, limits, created_at_ms, expires_at_ms)
          values (${id}, ${userId}, ${name}, ${hashSecret(secret)}, ${json(scopes)},
            ${json(limits ?? undefined)}, ${now()}, ${expiresAtMs ?? null})`;
        return { key: formatKey({ id, secret }), view: await readKey(sql, id) };
      });
    },
    async change(owner, id, { name, scopes, limits }) {
      return await changeKey(owner, id, async (sql) => {
        await sql`
          update keys set name = coalesce(${name ?? null}::text, name),
            scopes = coalesce(${json(scopes)}, scopes),
            limits = case when ${limits !== undefined} then ${json(limits ?? undefined)}
              else limits end
          where id = ${id}`;
        return await readKey(sql, id);
      });
    },
    async rotate(owner, id, { overlapMs = defaultOverlapMs }) {
      const secret = newSecret();
      return await changeKey(owner, id, async (sql) => {
        const rotated = await sql`
          update keys set secret_hash = ${hashSecret(secret)},
            previous_secret_hash = case when ${overlapMs > 0} then secret_hash end,
            previous_until_ms = case when ${overlapMs > 0} then ${now() + overlapMs}::bigint end
          where id = ${id} and (expires_at_ms is null or expires_at_ms > ${now()})
          returning id`;
        if (rotated.length === 0) {
          throw new AppError("CONFLICT", "This key has expired; create another one");
        }
        return { key: formatKey({ id, secret }), view: await readKey(sql, id) };
      });
    },
    async revoke(owner, id) {
      await changeKey(owner, id, async (sql) => {
        await sql`delete from keys where id = ${id}`;
      });
    },
  };

  async function readKey(sql: Sql, id: string): Promise<KeyView> {
    const [row] = await sql`
      select keys.id, user_id, users.name as user_name, keys.name, keys.scopes, keys.limits,
        keys.created_at_ms, expires_at_ms, last_used_at_ms, previous_until_ms
      from keys join users on users.id = user_id where keys.id = ${id}`;
    if (row === undefined) throw notFound(id);
    return toView(row, now());
  }
}

const maxKeys = 100;
const defaultOverlapMs = 24 * 60 * 60_000;
const idShape = /^[a-z0-9]{1,64}$/;
const cursor = z.tuple([z.int().min(0), z.string().regex(idShape)]);

/** A text that is no id, which the database might refuse to look at, is unknown like others. */
function requireIds({ userId = "any" }: KeyOwner, id: string): void {
  if (!idShape.test(userId) || !idShape.test(id)) throw notFound(id);
}

function notFound(id: string): AppError {
  return new AppError("NOT_FOUND", `There is no key "${id.slice(0, 64).toWellFormed()}"`);
}

function toView(row: Row, nowMs: number): KeyView {
  const key = rowSchema.parse(row);
  const { id, name, scopes, limits, previous_until_ms: untilMs } = key;
  return {
    id,
    userId: key.user_id,
    userName: key.user_name,
    name,
    scopes,
    limits,
    createdAtMs: key.created_at_ms,
    expiresAtMs: key.expires_at_ms,
    lastUsedAtMs: key.last_used_at_ms,
    previousUntilMs: untilMs !== null && untilMs > nowMs ? untilMs : null,
  };
}

const rowSchema = z.object({
  id: z.string(),
  user_id: z.string(),
  user_name: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  limits: limitsSchema.nullable(),
  created_at_ms: z.int(),
  expires_at_ms: z.int().nullable(),
  last_used_at_ms: z.int().nullable(),
  previous_until_ms: z.int().nullable(),
});
