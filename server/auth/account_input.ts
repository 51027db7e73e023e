// What clients send of users, roles and keys, parsed where it comes in. Callers: routes, `auth` service, CLI.

import { z } from "zod";
import { limitsSchema } from "./limits.ts";
import { scopesSchema } from "./scopes.ts";

/** Longer than any name may be: the store says what is wrong with it. */
const typedName = z.string().min(1).max(200);
const password = z.string().max(1000);
/** Without its name: bodies stand whole in /openapi.json, where a reference would lead nowhere. */
const limits = z.strictObject(limitsSchema.shape).nullable();

export const newUserSchema = z.strictObject({
  name: typedName.meta({ description: "a-z, 0-9 and . _ @ -, at most 64; stored in lower case" }),
  role: z.string().max(64),
  scopes: scopesSchema.nullable().optional().meta({
    description: "narrows the role's; null: all of them",
  }),
  limits: limits.optional().meta({ description: "null: the role's" }),
  password: password.optional().meta({ description: "absent: the user is invited" }),
});

export const userChangeSchema = newUserSchema.omit({ password: true }).extend({
  disabled: z.boolean(),
}).partial();

export const rolePutSchema = z.strictObject({
  scopes: scopesSchema,
  limits: limits.default(null),
});

/** Shown in lists and logs: no control characters, nothing that turns text around. */
const keyName = z.string().max(100).trim().min(1).refine(
  (name) => !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name),
  "must not have control characters",
);
const keyScopes = scopesSchema.min(1, "must name a scope");

export const newKeySchema = z.strictObject({
  name: keyName,
  scopes: keyScopes.meta({ description: "narrow what the user may do" }),
  limits: limits.optional(),
  expiresAtMs: z.int().min(0).max(8.64e15).nullable().optional().meta({
    description: "ms since the epoch; null: never",
  }),
});

export const keyChangeSchema = newKeySchema.omit({ expiresAtMs: true }).partial();

export const rotationSchema = z.strictObject({
  overlapMs: z.int().min(0).max(7 * 24 * 60 * 60_000).optional().meta({
    description: "how long the old secret is still good; default a day",
  }),
});
