// /api/keys, one's own API keys, and /admin/keys, everyone's: the same routes for another set of keys.

import type { Context, Hono } from "hono";
import { z } from "zod";
import { keyChangeSchema, newKeySchema, rotationSchema } from "../../auth/account_input.ts";
import type { KeyOwner } from "../../auth/api_keys.ts";
import { guardKeys } from "../../auth/guarded_keys.ts";
import { limitsSchema } from "../../auth/limits.ts";
import { audited } from "../audited.ts";
import { operation } from "../operation.ts";
import { pageParameters, readPageQuery, readText } from "../page_query.ts";
import { json, secretJson } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { validate } from "../validate.ts";

export function keyRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  serveKeys(hono, deps, {
    path: "/api/keys",
    name: (verb, more = "") => `${verb}Key${more}`,
    whose: "your own",
    scope: "account",
    tag: "own",
    owner: ({ env }) => ({ userId: env.principal!.id }),
  });
  serveKeys(hono, deps, {
    path: "/admin/keys",
    name: (verb, more = "") => `${verb}AnyKey${more}`,
    whose: "everyone's",
    scope: "keys:manage",
    tag: "admin",
    owner: () => ({ userId: undefined }),
  });
}

interface KeySet {
  path: string;
  /** operationId. */
  name(verb: string, more?: string): string;
  whose: string;
  scope: "account" | "keys:manage";
  tag: "own" | "admin";
  owner(context: Context<HttpEnv>): KeyOwner;
}

function serveKeys(
  hono: Hono<HttpEnv>,
  { accounts, apiKeys, audit, body }: RouteDeps,
  { path, name, whose, scope, tag, owner }: KeySet,
): void {
  if (accounts === undefined || apiKeys === undefined) return;
  const keysFor = ({ env }: Context<HttpEnv>) =>
    guardKeys({ keys: apiKeys, accounts }, env.principal!);
  const id = (context: Context<HttpEnv>) => context.req.param("id") ?? "";
  const ofAnyone = scope === "keys:manage";

  hono.get(
    path,
    operation({
      id: name("list", "s"),
      summary: `API keys, newest first: ${whose}`,
      tag,
      scope,
      query: [
        ...ofAnyone
          ? [{ name: "userId", description: "of this user alone", schema: z.string().max(64) }]
          : [],
        ...pageParameters,
      ],
      output: z.object({ keys: z.array(keySchema), next: z.string().optional() }),
    }),
    async (context) => {
      const { userId = ofAnyone ? readText(context, "userId", 64) : undefined } = owner(context);
      return json(context.env, await apiKeys.list({ userId }, readPageQuery(context)));
    },
  );
  hono.post(
    path,
    operation({
      id: name("create"),
      summary: ofAnyone ? "Makes an API key of any user" : "Makes an API key of your own",
      description: "The key is shown this once. It never may do more than who makes it",
      tag,
      scope,
      input: ofAnyone ? anyonesKeySchema : newKeySchema,
      output: newKeyAnswer,
    }),
    async (context) => {
      const given = await body.json(context.req.raw);
      const { userId, ...key } = ofAnyone
        ? validate(anyonesKeySchema, given)
        : { userId: context.env.principal!.id, ...validate(newKeySchema, given) };
      const made = await audited(context.env, audit, {
        action: "key.create",
        object: (made) => made === undefined ? `key of user:${userId}` : `key:${made.view.id}`,
        run: () => keysFor(context).create({ userId, ...key }),
      });
      return secretJson(context.env, made);
    },
  );
  hono.patch(
    `${path}/:id`,
    operation({
      id: name("change"),
      summary: `Changes name, scopes or limits of an API key: ${whose}`,
      tag,
      scope,
      input: keyChangeSchema,
      output: keySchema,
    }),
    async (context) => {
      const change = validate(keyChangeSchema, await body.json(context.req.raw));
      const view = await audited(context.env, audit, {
        action: "key.change",
        object: () => `key:${id(context)} ${Object.keys(change).join(", ")}`,
        run: () => keysFor(context).change(owner(context), id(context), change),
      });
      return json(context.env, view);
    },
  );
  hono.delete(
    `${path}/:id`,
    operation({
      id: name("revoke"),
      summary: `Ends an API key at once, and what runs on it: ${whose}`,
      tag,
      scope,
      output: z.object({}),
    }),
    async (context) => {
      await audited(context.env, audit, {
        action: "key.revoke",
        object: () => `key:${id(context)}`,
        run: () => keysFor(context).revoke(owner(context), id(context)),
      });
      return json(context.env, {});
    },
  );
  hono.post(
    `${path}/:id/rotate`,
    operation({
      id: name("rotate"),
      summary: `Gives an API key a new secret; the old one is good for a while more: ${whose}`,
      description: "What runs on the key ends, and may begin again with either secret",
      tag,
      scope,
      input: rotationSchema,
      output: newKeyAnswer,
    }),
    async (context) => {
      const options = validate(rotationSchema, await body.json(context.req.raw));
      const made = await audited(context.env, audit, {
        action: "key.rotate",
        object: () => `key:${id(context)}`,
        run: () => keysFor(context).rotate(owner(context), id(context), options),
      });
      return secretJson(context.env, made);
    },
  );
}

const anyonesKeySchema = newKeySchema.extend({
  userId: z.string().min(1).max(64).meta({ description: "whose key it is" }),
});

const keySchema = z.object({
  id: z.string(),
  userId: z.string(),
  userName: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  limits: limitsSchema.nullable(),
  createdAtMs: z.number(),
  expiresAtMs: z.number().nullable().meta({ description: "null: never" }),
  lastUsedAtMs: z.number().nullable().meta({ description: "to the minute" }),
  previousUntilMs: z.number().nullable().meta({
    description: "until when the secret before the last rotation is still good",
  }),
}).meta({ id: "Key" });

const newKeyAnswer = z.object({
  key: z.string().meta({ description: "bkg_<id>_<secret>, shown this once" }),
  view: keySchema,
}).meta({ id: "NewKey" });
