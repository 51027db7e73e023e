// /admin/users: who may sign in, and as what.

import type { Context, Hono } from "hono";
import { z } from "zod";
import { newUserSchema, userChangeSchema } from "../../auth/account_input.ts";
import type { Invitation } from "../../auth/accounts.ts";
import { guardAccounts } from "../../auth/guarded_accounts.ts";
import { limitsSchema } from "../../auth/limits.ts";
import { invitationUrl } from "../../auth/sign_in_url.ts";
import { audited } from "../audited.ts";
import { operation } from "../operation.ts";
import { pageParameters, readPageQuery, readText } from "../page_query.ts";
import { json, secretJson } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { validate } from "../validate.ts";

export function userRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  const { accounts: all, audit, body, config } = deps;
  if (all === undefined) return;
  const accountsFor = ({ env }: Context<HttpEnv>) => guardAccounts(all, env.principal!);
  const id = (context: Context<HttpEnv>) => context.req.param("id") ?? "";
  const withUrl = ({ env }: Context<HttpEnv>, { code, expiresAtMs }: Invitation) => {
    const url = invitationUrl(config.publicUrl ?? env.origin, code);
    return { code, url, expiresAtMs };
  };

  hono.get(
    "/admin/users",
    operation({
      id: "listUsers",
      summary: "Users by name",
      tag: "admin",
      scope: "users:manage",
      query: [
        { name: "query", description: "a part of the name", schema: z.string().max(64) },
        ...pageParameters,
      ],
      output: z.object({ users: z.array(userSchema), next: z.string().optional() }),
    }),
    async (context) => {
      const page = { query: readText(context, "query", 64), ...readPageQuery(context) };
      return json(context.env, await all.list(page));
    },
  );
  hono.post(
    "/admin/users",
    operation({
      id: "createUser",
      summary: "Adds a user; without a password, with a link to choose one",
      description: "The link works once, within 72 hours, and is shown this once",
      tag: "admin",
      scope: "users:manage",
      input: newUserSchema,
      output: z.object({ user: userSchema, invitation: invitationSchema.optional() }),
    }),
    async (context) => {
      const given = validate(newUserSchema, await body.json(context.req.raw));
      const { user, invitation } = await audited(context.env, audit, {
        action: "user.create",
        object: (made) => `user:${made?.user.id ?? given.name}`,
        run: () => accountsFor(context).create(given),
      });
      const link = invitation && { invitation: withUrl(context, invitation) };
      return secretJson(context.env, { user, ...link });
    },
  );
  hono.get(
    "/admin/users/:id",
    operation({
      id: "getUser",
      summary: "One user",
      tag: "admin",
      scope: "users:manage",
      output: userSchema,
    }),
    async (context) => json(context.env, await all.get(id(context))),
  );
  hono.patch(
    "/admin/users/:id",
    operation({
      id: "changeUser",
      summary: "Changes what is given, at once: what runs on the user's credentials ends",
      description: "Nobody gives a role or a scope that he lacks",
      tag: "admin",
      scope: "users:manage",
      input: userChangeSchema,
      output: userSchema,
    }),
    async (context) => {
      const change = validate(userChangeSchema, await body.json(context.req.raw));
      const user = await audited(context.env, audit, {
        action: "user.change",
        object: () => `user:${id(context)} ${Object.keys(change).join(", ")}`,
        run: () => accountsFor(context).change(id(context), change),
      });
      return json(context.env, user);
    },
  );
  hono.delete(
    "/admin/users/:id",
    operation({
      id: "deleteUser",
      summary: "Deletes a user with sessions, keys, chats and presets; usage and audit stay",
      tag: "admin",
      scope: "users:manage",
      output: z.object({}),
    }),
    async (context) => {
      await audited(context.env, audit, {
        action: "user.delete",
        object: () => `user:${id(context)}`,
        run: () => accountsFor(context).delete(id(context)),
      });
      return json(context.env, {});
    },
  );
  hono.post(
    "/admin/users/:id/invite",
    operation({
      id: "inviteUser",
      summary: "A new link to choose a password with; the old password and sessions end",
      tag: "admin",
      scope: "users:manage",
      output: invitationSchema,
    }),
    async (context) => {
      const invitation = await audited(context.env, audit, {
        action: "user.invite",
        object: () => `user:${id(context)}`,
        run: () => accountsFor(context).invite(id(context)),
      });
      return secretJson(context.env, withUrl(context, invitation));
    },
  );
  hono.post(
    "/admin/users/:id/password",
    operation({
      id: "setUserPassword",
      summary: "Sets a user's password; the user's sessions end",
      tag: "admin",
      scope: "users:manage",
      input: passwordSchema,
      output: z.object({}),
    }),
    async (context) => {
      const { password } = validate(passwordSchema, await body.json(context.req.raw));
      await audited(context.env, audit, {
        action: "user.password",
        object: () => `user:${id(context)}`,
        run: () => accountsFor(context).setPassword(id(context), password),
      });
      return json(context.env, {});
    },
  );
}

const passwordSchema = newUserSchema.pick({ password: true }).required();

const userSchema = z.object({
  id: z.string(),
  name: z.string(),
  role: z.string(),
  scopes: z.array(z.string()).nullable().meta({ description: "null: all of the role's" }),
  limits: limitsSchema.nullable().meta({ description: "null: the role's" }),
  status: z.enum(["active", "invited", "disabled"]),
  hasPassword: z.boolean(),
  createdAtMs: z.number(),
  lastSignInAtMs: z.number().nullable(),
}).meta({ id: "User" });

const invitationSchema = z.object({
  code: z.string(),
  url: z.string().meta({ description: "the page, with the code in its fragment" }),
  expiresAtMs: z.number().meta({ description: "ms since the epoch" }),
}).meta({ id: "Invitation" });
