// Roles in the database, and what is always there: the built-in roles and the operator's account.

import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { type Db, json, type Sql } from "../db/db.ts";
import { type Accounts, operatorId, type RoleView } from "./accounts.ts";
import { changing } from "./change_notice.ts";
import type { Identities } from "./identities.ts";
import { limitsSchema } from "./limits.ts";
import { lackingScope } from "./scope_cover.ts";
import { builtinRoles } from "./scopes.ts";

/** Adds what is missing; what an admin narrowed stays. Several servers may do it at once. */
export async function seedAccounts(db: Db, now: () => number = Date.now): Promise<void> {
  await db.transaction(async ({ sql }) => {
    for (const [name, scopes] of Object.entries(builtinRoles)) {
      await sql`
        insert into roles (name, scopes, updated_at_ms) values (${name}, ${json(scopes)}, ${now()})
        on conflict do nothing`;
    }
    await sql`
      insert into users (id, name, role, created_at_ms, updated_at_ms)
      values (${operatorId}, 'admin', 'admin', ${now()}, ${now()}) on conflict do nothing`;
  });
}

export function createRoles({ db, identities, now }: {
  db: Db;
  identities: Pick<Identities, "changed">;
  now: () => number;
}): Pick<Accounts, "roles" | "putRole" | "deleteRole"> {
  return {
    async roles() {
      const rows = await db.sql`
        select name, scopes, limits,
          (select count(*) from users where users.role = roles.name) as users
        from roles order by name collate "C"`;
      return rows.map(toView);
    },
    async putRole({ name, scopes, limits }) {
      requireRoleName(name);
      if (name === "admin") throw new AppError("FORBIDDEN", 'The role "admin" may do everything');
      if (isBuiltin(name)) {
        const wider = lackingScope({ lists: [builtinRoles[name]] }, scopes);
        if (wider !== undefined) {
          throw new AppError(
            "FORBIDDEN",
            `The role "${name}" may be narrowed, not widened by "${wider}"; make a role of its own`,
            { details: { scope: wider } },
          );
        }
      }
      return await changing({
        identities,
        run: () =>
          db.transaction(async ({ sql }) => {
            // One at a time, so that the count holds.
            await sql`lock table roles in share row exclusive mode`;
            const [found] = await sql`
              select count(*) as count from roles where name <> ${name}`;
            if (Number(found?.["count"]) >= maxRoles) {
              throw new AppError("CONFLICT", `There are ${maxRoles} roles already; delete one`);
            }
            await sql`
              insert into roles (name, scopes, limits, updated_at_ms)
              values (${name}, ${json(scopes)}, ${json(limits ?? undefined)}, ${now()})
              on conflict (name) do update set scopes = excluded.scopes,
                limits = excluded.limits, updated_at_ms = excluded.updated_at_ms`;
            return await readRole(sql, name);
          }),
        touches: () => [{ kind: "role", name }],
      });
    },
    async deleteRole(name) {
      if (isBuiltin(name)) {
        throw new AppError("FORBIDDEN", `The role "${name}" is built in and cannot be deleted`);
      }
      await changing({
        identities,
        run: () =>
          db.transaction(async ({ sql }) => {
            const shaped = roleName.safeParse(name).success;
            const locked = shaped
              ? await sql`select name from roles where name = ${name} for update`
              : [];
            if (locked.length === 0) throw notFound(name);
            const { users } = await readRole(sql, name);
            if (users > 0) {
              throw new AppError(
                "CONFLICT",
                `The role "${name}" is in use by ${users} of the users`,
                {
                  details: { users },
                },
              );
            }
            await sql`delete from roles where name = ${name}`;
          }),
        touches: () => [{ kind: "role", name }],
      });
    },
  };
}

/** Lower-case letters, digits and hyphens. */
export const roleName = z.string().max(64).regex(
  /^[a-z][a-z0-9-]*$/,
  "must be lower-case letters, digits and hyphens, such as 'family'",
);

const maxRoles = 100;

async function readRole(sql: Sql, name: string): Promise<RoleView> {
  const [row] = await sql`
    select name, scopes, limits, (select count(*) from users where role = ${name}) as users
    from roles where name = ${name}`;
  if (row === undefined) throw notFound(name);
  return toView(row);
}

function requireRoleName(name: string): void {
  if (roleName.safeParse(name).success) return;
  throw new AppError(
    "INVALID_INPUT",
    '"name" must be 1 to 64 lower-case letters, digits and hyphens, such as "family"',
    { details: { field: "name", maxLength: 64 } },
  );
}

function isBuiltin(name: string): name is keyof typeof builtinRoles {
  return Object.hasOwn(builtinRoles, name);
}

function notFound(name: string): AppError {
  return new AppError("NOT_FOUND", `There is no role "${name.slice(0, 64).toWellFormed()}"`);
}

function toView(row: unknown): RoleView {
  const role = rowSchema.parse(row);
  return { ...role, builtin: isBuiltin(role.name) };
}

const rowSchema = z.object({
  name: z.string(),
  scopes: z.array(z.string()),
  limits: limitsSchema.nullable(),
  users: z.int(),
});
