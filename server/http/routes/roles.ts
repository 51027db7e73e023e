// /admin/roles: what kinds of users there are.

import type { Context, Hono } from "hono";
import { z } from "zod";
import { rolePutSchema } from "../../auth/account_input.ts";
import { guardAccounts } from "../../auth/guarded_accounts.ts";
import { limitsSchema } from "../../auth/limits.ts";
import { audited } from "../audited.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { validate } from "../validate.ts";

export function roleRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  const { accounts: all, audit, body } = deps;
  if (all === undefined) return;
  const accountsFor = ({ env }: Context<HttpEnv>) => guardAccounts(all, env.principal!);
  const name = (context: Context<HttpEnv>) => context.req.param("name") ?? "";

  hono.get(
    "/admin/roles",
    operation({
      id: "listRoles",
      summary: "All roles; there are 100 at most",
      tag: "admin",
      scope: "users:manage",
      output: z.object({ roles: z.array(roleSchema) }),
    }),
    async (context) => json(context.env, { roles: await all.roles() }),
  );
  hono.put(
    "/admin/roles/:name",
    operation({
      id: "putRole",
      summary: "Makes a role or replaces it, at once for everyone who has it",
      description: '"admin" stays as it is; the other built-in ones may be narrowed',
      tag: "admin",
      scope: "users:manage",
      input: rolePutSchema,
      output: roleSchema,
    }),
    async (context) => {
      const given = validate(rolePutSchema, await body.json(context.req.raw));
      const role = await audited(context.env, audit, {
        action: "role.put",
        object: () => `role:${name(context)}`,
        run: () => accountsFor(context).putRole({ name: name(context), ...given }),
      });
      return json(context.env, role);
    },
  );
  hono.delete(
    "/admin/roles/:name",
    operation({
      id: "deleteRole",
      summary: "Deletes a role that nobody has",
      tag: "admin",
      scope: "users:manage",
      output: z.object({}),
    }),
    async (context) => {
      await audited(context.env, audit, {
        action: "role.delete",
        object: () => `role:${name(context)}`,
        run: () => accountsFor(context).deleteRole(name(context)),
      });
      return json(context.env, {});
    },
  );
}

const roleSchema = z.object({
  name: z.string(),
  builtin: z.boolean(),
  scopes: z.array(z.string()),
  limits: limitsSchema.nullable(),
  users: z.int().meta({ description: "how many have it" }),
}).meta({ id: "Role" });
