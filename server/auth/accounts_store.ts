// Accounts in the database. A user is locked while it changes, so that two changes come one after the other.

import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { type Db, json, type Sql } from "../db/db.ts";
import {
  type Accounts,
  type Invitation,
  operatorId,
  type UserChange,
  type UserView,
} from "./accounts.ts";
import { changing } from "./change_notice.ts";
import type { Change, Identities } from "./identities.ts";
import { makeId } from "./key_format.ts";
import { limitsSchema } from "./limits.ts";
import { cutPage, readPage } from "./page_cursor.ts";
import { requireGoodPassword } from "./password_rules.ts";
import type { Passwords } from "./passwords.ts";
import { createRoles } from "./roles_store.ts";
import { hashSecret, newSecret } from "./secrets.ts";
import { parseUserName, readUserName } from "./user_name.ts";

export interface AccountsDeps {
  db: Db;
  identities: Pick<Identities, "changed">;
  passwords: Pick<Passwords, "hash">;
  /** Ms since the epoch. */
  now?: () => number;
}

export function createAccounts(deps: AccountsDeps): Accounts {
  const { db, identities, passwords, now = Date.now } = deps;

  /** Runs `change` on a user who stays as he is meanwhile. */
  async function changeUser<Result>(
    id: string,
    change: (sql: Sql, user: UserView) => Promise<Result & { ended?: readonly string[] }>,
    touched: readonly Change[] = [],
  ): Promise<Result> {
    return await changing({
      identities,
      run: () =>
        db.transaction(async ({ sql }) => {
          if (!idShape.test(id)) throw notFound(id);
          const [locked] = await sql`select id from users where id = ${id} for update`;
          if (locked === undefined) throw notFound(id);
          return await change(sql, await readUser(sql, id));
        }),
      touches: (result) => [
        ...touched,
        ...(result?.ended ?? []).map((session) => ({ kind: "session" as const, id: session })),
      ],
    });
  }

  async function invite(sql: Sql, userId: string): Promise<Invitation> {
    const code = newSecret();
    const expiresAtMs = now() + invitationMs;
    await sql`delete from invitations where user_id = ${userId} or expires_at_ms <= ${now()}`;
    await sql`
      insert into invitations (hash, user_id, expires_at_ms)
      values (${hashSecret(code)}, ${userId}, ${expiresAtMs})`;
    return { code, expiresAtMs };
  }

  return {
    ...createRoles({ db, identities, now }),
    async list({ query = "", ...page }) {
      const { limit, after: [after] = [""] } = readPage(page, cursor);
      const part = query === "" ? "" : readUserName(query);
      // What is no part of any name.
      if (part === undefined) return { users: [] };
      const rows = await db.sql`
        select id, name, role, scopes, limits, password_hash is not null as has_password,
          disabled_at_ms, created_at_ms, last_sign_in_at_ms
        from users
        where name collate "C" > ${after} and strpos(name, ${part}) > 0
        order by name collate "C" limit ${limit + 1}`;
      const { items, ...rest } = cutPage(rows.map(toView), { limit, keyOf: ({ name }) => [name] });
      return { users: items, ...rest };
    },
    async get(id) {
      return await readUser(db.sql, id);
    },
    async findByName(text) {
      const name = readUserName(text);
      if (name === undefined) return undefined;
      const [row] = await db.sql`select id from users where name = ${name}`;
      return row === undefined ? undefined : await readUser(db.sql, String(row["id"]));
    },
    async create({ role, password, scopes, limits, ...user }) {
      const name = parseUserName(user.name);
      if (password !== undefined) requireGoodPassword(password, { name });
      const hash = password === undefined ? null : await passwords.hash(password);
      return await db.transaction(async ({ sql }) => {
        await requireRole(sql, role);
        const id = makeId();
        const atMs = now();
        const added = await sql`
          insert into users
            (id, name, role, scopes, limits, password_hash, created_at_ms, updated_at_ms)
          values (${id}, ${name}, ${role}, ${json(scopes ?? undefined)},
            ${json(limits ?? undefined)}, ${hash}, ${atMs}, ${atMs})
          on conflict (name) do nothing returning id`;
        if (added.length === 0) throw nameTaken(name);
        const invitation = hash === null ? { invitation: await invite(sql, id) } : {};
        return { user: await readUser(sql, id), ...invitation };
      });
    },
    async change(id, change) {
      const name = change.name === undefined ? undefined : parseUserName(change.name);
      const { user } = await changeUser(id, async (sql, before) => {
        const after = { ...before, ...given({ ...change, name }) };
        const disabled = change.disabled ?? before.status === "disabled";
        if (id === operatorId) keepOperator(before, { ...after, disabled });
        if (after.role !== before.role) await requireRole(sql, after.role);
        if (after.name !== before.name) await requireFreeName(sql, after.name);
        await sql`
          update users set name = ${after.name}, role = ${after.role},
            scopes = ${json(after.scopes ?? undefined)},
            limits = ${json(after.limits ?? undefined)},
            disabled_at_ms = case when ${disabled} then coalesce(disabled_at_ms, ${now()}) end,
            updated_at_ms = ${now()}
          where id = ${id}`;
        // Who is enabled again signs in again: what was open meanwhile may be in other hands.
        if (disabled) {
          await sql`delete from sessions where user_id = ${id}`;
          await sql`delete from invitations where user_id = ${id}`;
        }
        return { user: await readUser(sql, id) };
      }, [{ kind: "user", id }]);
      return user;
    },
    async invite(id) {
      const { invitation } = await changeUser(id, async (sql, { name, status }) => {
        if (status === "disabled") {
          throw new AppError("CONFLICT", `User "${name}" is disabled; enable the user first`);
        }
        await sql`update users set password_hash = null, updated_at_ms = ${now()} where id = ${id}`;
        return { ended: await endSessions(sql, id), invitation: await invite(sql, id) };
      });
      return invitation;
    },
    async setPassword(id, password) {
      const { name } = await readUser(db.sql, id);
      requireGoodPassword(password, { name });
      const hash = await passwords.hash(password);
      await changeUser(id, async (sql) => {
        await sql`
          update users set password_hash = ${hash}, updated_at_ms = ${now()} where id = ${id}`;
        await sql`delete from invitations where user_id = ${id}`;
        return { ended: await endSessions(sql, id) };
      });
    },
    async delete(id) {
      if (id === operatorId) {
        throw new AppError("FORBIDDEN", "The operator's own account cannot be deleted");
      }
      await changeUser(id, async (sql) => {
        await sql`delete from users where id = ${id}`;
        return {};
      }, [{ kind: "user", id }]);
    },
  };
}

const invitationMs = 72 * 60 * 60_000;
const cursor = z.tuple([z.string().regex(/^[a-z0-9._@-]{1,64}$/)]);
const idShape = /^[a-z0-9]{1,64}$/;

async function readUser(sql: Sql, id: string): Promise<UserView> {
  const [row] = idShape.test(id)
    ? await sql`
      select id, name, role, scopes, limits, password_hash is not null as has_password,
        disabled_at_ms, created_at_ms, last_sign_in_at_ms
      from users where id = ${id}`
    : [];
  if (row === undefined) throw notFound(id);
  return toView(row);
}

/** The role cannot be deleted before the transaction ends. */
async function requireRole(sql: Sql, name: string): Promise<void> {
  const found = /^[a-z0-9-]{1,64}$/.test(name)
    ? await sql`select name from roles where name = ${name} for key share`
    : [];
  if (found.length > 0) return;
  throw new AppError("INVALID_INPUT", `There is no role "${shown(name)}"`, {
    details: { field: "role" },
  });
}

async function requireFreeName(sql: Sql, name: string): Promise<void> {
  // Who takes it between this look and the commit is refused by the column's constraint.
  const found = await sql`select id from users where name = ${name}`;
  if (found.length > 0) throw nameTaken(name);
}

async function endSessions(sql: Sql, userId: string): Promise<string[]> {
  const rows = await sql`delete from sessions where user_id = ${userId} returning id`;
  return rows.map(({ id }) => String(id));
}

function keepOperator(before: UserView, after: UserView & { disabled: boolean }): void {
  const kept = before.name === after.name && before.role === after.role &&
    after.scopes === null && after.limits === null && !after.disabled;
  if (kept) return;
  throw new AppError(
    "FORBIDDEN",
    "The operator's own account keeps its name and role, has no limits, and stays enabled",
  );
}

function given({ disabled: _, ...change }: UserChange): Partial<UserView> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

function notFound(id: string): AppError {
  return new AppError("NOT_FOUND", `There is no user "${shown(id)}"`);
}

function nameTaken(name: string): AppError {
  return new AppError("CONFLICT", `The name "${name}" is taken`, { details: { field: "name" } });
}

function shown(text: string): string {
  return text.slice(0, 64).toWellFormed();
}

function toView(row: unknown): UserView {
  const user = rowSchema.parse(row);
  const { id, name, role, scopes, limits, has_password: hasPassword } = user;
  // The operator has a key to sign in with, invited or not.
  const isInvited = !hasPassword && id !== operatorId;
  return {
    id,
    name,
    role,
    scopes,
    limits,
    status: user.disabled_at_ms !== null ? "disabled" : isInvited ? "invited" : "active",
    hasPassword,
    createdAtMs: user.created_at_ms,
    lastSignInAtMs: user.last_sign_in_at_ms,
  };
}

const rowSchema = z.object({
  id: z.string(),
  name: z.string(),
  role: z.string(),
  scopes: z.array(z.string()).nullable(),
  limits: limitsSchema.nullable(),
  has_password: z.boolean(),
  disabled_at_ms: z.int().nullable(),
  created_at_ms: z.int(),
  last_sign_in_at_ms: z.int().nullable(),
});
