// Whose a bearer credential is, by the operator's key, the database and the keys that sign access tokens.
// Caller: identities.ts, which remembers the answer.

import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Db, Row } from "../db/db.ts";
import type { AccessTokens } from "./access_tokens.ts";
import type { Credential, Identity } from "./authenticator.ts";
import { type KeyParts, parseKey } from "./key_format.ts";
import { type Allowance, limitsSchema, type UsageLimits } from "./limits.ts";
import { createOperatorLookUp } from "./operator_key.ts";
import { createScopes } from "./scopes.ts";
import { isSecret } from "./secrets.ts";

export interface Found {
  readonly identity: Identity;
  /** When this bearer is good no longer, ms since the epoch. */
  readonly untilMs: number;
  /** When the session or key behind it ends: later than an access token's end. */
  endsAtMs: number;
}

/** Undefined for what is no credential; throws UNAVAILABLE when the database is away. */
export type BearerLookUp = (bearer: string) => Promise<Found | undefined>;

export function createBearerLookUp(
  { db, accessTokens, operatorToken, now }: {
    db: Db;
    accessTokens: AccessTokens;
    operatorToken: string;
    now: () => number;
  },
): BearerLookUp {
  const findOperator = createOperatorLookUp(operatorToken);

  async function findKey({ id, secret }: KeyParts): Promise<Found | undefined> {
    const [row] = await db.sql`
      select k.secret_hash, k.previous_secret_hash, k.previous_until_ms, k.expires_at_ms,
        k.scopes as key_scopes, k.limits as key_limits, u.id as user_id, u.name, u.role, u.scopes,
        u.limits, u.disabled_at_ms, r.scopes as role_scopes, r.limits as role_limits
      from keys k join users u on u.id = k.user_id join roles r on r.name = u.role
      where k.id = ${id}`;
    if (row === undefined) return undefined;
    const key = keyRowSchema.parse(row);
    let endsAtMs = key.expires_at_ms ?? Infinity;
    if (!isSecret(secret, key.secret_hash)) {
      if (!isSecret(secret, key.previous_secret_hash ?? "")) return undefined;
      endsAtMs = Math.min(endsAtMs, key.previous_until_ms ?? 0);
    }
    const identity = toIdentity(row, {
      credential: { kind: "key", id },
      scopes: key.key_scopes,
      allowances: allowance(`key:${id}`, key.key_limits),
    });
    if (identity === undefined || endsAtMs <= now()) return undefined;
    return { identity, untilMs: endsAtMs, endsAtMs };
  }

  async function findSession(token: string): Promise<Found | undefined> {
    const claims = await accessTokens.verify(token);
    if (claims === undefined) return undefined;
    const [row] = await db.sql`
      select s.expires_at_ms, u.id as user_id, u.name, u.role, u.scopes, u.limits,
        u.disabled_at_ms, r.scopes as role_scopes, r.limits as role_limits
      from sessions s join users u on u.id = s.user_id join roles r on r.name = u.role
      where s.id = ${claims.sessionId} and u.id = ${claims.userId}`;
    if (row === undefined) return undefined;
    const endsAtMs = z.int().parse(row["expires_at_ms"]);
    const identity = toIdentity(row, { credential: { kind: "session", id: claims.sessionId } });
    if (identity === undefined || endsAtMs <= now()) return undefined;
    return { identity, untilMs: Math.min(claims.expiresAtMs, endsAtMs), endsAtMs };
  }

  return async (bearer) => {
    const operator = findOperator(bearer);
    if (operator !== undefined) {
      return { identity: operator, untilMs: Infinity, endsAtMs: Infinity };
    }
    const key = parseKey(bearer);
    try {
      if (key !== undefined) return await findKey(key);
      return tokenShape.test(bearer) ? await findSession(bearer) : undefined;
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "DEADLINE_EXCEEDED") throw error;
      throw new AppError("UNAVAILABLE", error.message, { cause: error });
    }
  };
}

const tokenShape = /^[\w-]+\.[\w-]+\.[\w-]+$/;

const scopes = z.array(z.string());

const userRowSchema = z.object({
  user_id: z.string(),
  name: z.string(),
  role: z.string(),
  scopes: scopes.nullable(),
  limits: limitsSchema.nullable(),
  disabled_at_ms: z.int().nullable(),
  role_scopes: scopes,
  role_limits: limitsSchema.nullable(),
});

const keyRowSchema = z.object({
  secret_hash: z.string(),
  previous_secret_hash: z.string().nullable(),
  previous_until_ms: z.int().nullable(),
  expires_at_ms: z.int().nullable(),
  key_scopes: scopes,
  key_limits: limitsSchema.nullable(),
});

/** Undefined for a disabled user. */
function toIdentity(
  row: Row,
  narrowed: { credential: Credential; scopes?: string[]; allowances?: Allowance[] },
): Identity | undefined {
  const user = userRowSchema.parse(row);
  if (user.disabled_at_ms !== null) return undefined;
  const lists = [user.role_scopes, user.scopes, narrowed.scopes].filter((list) => list != null);
  return Object.freeze({
    id: user.user_id,
    name: user.name,
    role: user.role,
    scopes: createScopes(...lists),
    credential: narrowed.credential,
    allowances: [
      ...allowance(`user:${user.user_id}`, user.limits ?? user.role_limits),
      ...(narrowed.allowances ?? []),
    ],
  });
}

function allowance(subject: string, limits: UsageLimits | null): Allowance[] {
  return limits === null ? [] : [{ subject, limits }];
}
