// Sessions: 30 days from the last refresh, a year at most. Each is a row; its access tokens are worth nothing without
// it. Callers: sign_in_flow. Ending one holds when it returns.

import { z } from "zod";
import type { Db, Row, Sql } from "../db/db.ts";
import type { AccessTokens } from "./access_tokens.ts";
import type { Identity } from "./authenticator.ts";
import type { Identities } from "./identities.ts";
import { makeId } from "./key_format.ts";
import { toPrincipalView } from "./principal_view.ts";
import type { RefreshToken, RefreshTokens } from "./refresh_tokens.ts";
import type { SessionView, Tokens, Visitor } from "./sign_in.ts";

export interface Sessions {
  /** Undefined for a user who is not there, or disabled. */
  begin(userId: string, visitor: Visitor): Promise<BegunSession | undefined>;
  /** Undefined for what is no refresh token, and for one of a session that has ended. */
  refresh(refreshToken: string): Promise<Tokens | ReusedToken | undefined>;
  list(identity: Identity): Promise<SessionView[]>;
  /** Whether there was one. */
  end(userId: string, sessionId: string): Promise<boolean>;
}

export interface BegunSession {
  tokens: Tokens;
  identity: Identity;
}

/** It was exchanged before: somebody else has it, and its session was ended. */
export interface ReusedToken {
  reused: { sessionId: string; userId: string };
}

export interface SessionsDeps {
  db: Db;
  identities: Identities;
  accessTokens: AccessTokens;
  refreshTokens: RefreshTokens;
  now: () => number;
}

export function createSessions(deps: SessionsDeps): Sessions {
  const { db, identities, accessTokens, refreshTokens, now } = deps;

  async function tokensOf(
    session: SessionRow,
    { token: refreshToken }: RefreshToken,
  ): Promise<BegunSession> {
    const { id, user_id: userId, role, expires_at_ms: sessionExpiresAtMs } = session;
    const { token, expiresAtMs } = await accessTokens.sign({ userId, sessionId: id, role });
    const identity = await identities.authenticate(token);
    const principal = toPrincipalView(identity);
    const tokens = { token, expiresAtMs, refreshToken, sessionExpiresAtMs, principal };
    return { tokens, identity };
  }

  async function rotate(
    sql: Sql,
    given: RefreshToken,
    next: RefreshToken,
  ): Promise<SessionRow | ReusedToken | undefined> {
    // Locked: of two exchanges of one token the second sees the first one's.
    const [row] = await sql`
      select s.id, s.user_id, s.refresh_hash, s.previous_refresh_hash, s.refreshed_at_ms,
        s.created_at_ms, s.expires_at_ms, u.role
      from sessions s join users u on u.id = s.user_id
      where s.id = ${given.sessionId} and u.disabled_at_ms is null for update of s`;
    const session = row === undefined ? undefined : rowSchema.parse(row);
    if (session === undefined || session.expires_at_ms <= now()) return undefined;
    if (session.refresh_hash === given.hash) {
      const expiresAtMs = Math.min(now() + idleMs, session.created_at_ms + lifetimeMs);
      await sql`
        update sessions set refresh_hash = ${next.hash}, previous_refresh_hash = ${given.hash},
          refreshed_at_ms = ${now()}, expires_at_ms = ${expiresAtMs}
        where id = ${session.id}`;
      return { ...session, expires_at_ms: expiresAtMs };
    }
    // Another tab's, or the answer to the first time was lost: `next` is what it was answered then.
    const again = session.previous_refresh_hash === given.hash &&
      session.refresh_hash === next.hash && now() < session.refreshed_at_ms + graceMs;
    if (again) return session;
    await sql`delete from sessions where id = ${session.id}`;
    return { reused: { sessionId: session.id, userId: session.user_id } };
  }

  return {
    async begin(userId, { client, address }) {
      const id = makeId();
      const refresh = await refreshTokens.first(id);
      const nowMs = now();
      const begun = await db.transaction(async ({ sql }) => {
        const [user] = await sql`
          update users set last_sign_in_at_ms = ${nowMs}
          where id = ${userId} and disabled_at_ms is null returning role`;
        if (user === undefined) return undefined;
        await sql`delete from sessions where expires_at_ms <= ${nowMs}`;
        const ended = await sql`
          delete from sessions where id in (
            select id from sessions where user_id = ${userId}
            order by created_at_ms desc, id desc offset ${maxSessions - 1})
          returning id`;
        const [session] = await sql`
          insert into sessions (id, user_id, refresh_hash, refreshed_at_ms, created_at_ms,
            expires_at_ms, client, address)
          values (${id}, ${userId}, ${refresh.hash}, ${nowMs}, ${nowMs}, ${nowMs + idleMs},
            ${plain(client)}, ${plain(address)})
          returning id, user_id, refresh_hash, previous_refresh_hash, refreshed_at_ms,
            created_at_ms, expires_at_ms`;
        return { ended, session: rowSchema.parse({ ...session, role: user["role"] }) };
      });
      if (begun === undefined) return undefined;
      for (const row of begun.ended) {
        identities.changed({ kind: "session", id: String(row["id"]) });
      }
      return await tokensOf(begun.session, refresh);
    },
    async refresh(refreshToken) {
      const given = await refreshTokens.parse(refreshToken);
      if (given === undefined) return undefined;
      const next = await refreshTokens.next(given);
      const rotated = await db.transaction(({ sql }) => rotate(sql, given, next));
      if (rotated === undefined) return undefined;
      if ("reused" in rotated) {
        identities.changed({ kind: "session", id: given.sessionId });
        return rotated;
      }
      identities.prolonged(rotated.id, rotated.expires_at_ms);
      return (await tokensOf(rotated, next)).tokens;
    },
    async list({ id: userId, credential }) {
      const rows = await db.sql`
        select id, client, address, created_at_ms, refreshed_at_ms, expires_at_ms from sessions
        where user_id = ${userId} and expires_at_ms > ${now()}
        order by refreshed_at_ms desc, id limit ${maxSessions}`;
      return rows.map((row) => {
        const view = toView(row);
        return { ...view, current: credential.kind === "session" && credential.id === view.id };
      });
    },
    async end(userId, sessionId) {
      if (!/^[a-z0-9]{1,64}$/.test(sessionId)) return false;
      const ended = await db.sql`
        delete from sessions where id = ${sessionId} and user_id = ${userId} returning id`;
      if (ended.length === 0) return false;
      identities.changed({ kind: "session", id: sessionId });
      return true;
    },
  };
}

const dayMs = 24 * 60 * 60_000;
const idleMs = 30 * dayMs;
const lifetimeMs = 365 * dayMs;
/** How long the token before the last is answered as the last was. */
const graceMs = 10_000;
/** Of a user; one more ends the oldest. */
const maxSessions = 100;

const rowSchema = z.object({
  id: z.string(),
  user_id: z.string(),
  role: z.string(),
  refresh_hash: z.string(),
  previous_refresh_hash: z.string().nullable(),
  refreshed_at_ms: z.int(),
  created_at_ms: z.int(),
  expires_at_ms: z.int(),
});

type SessionRow = z.infer<typeof rowSchema>;

const viewSchema = z.object({
  id: z.string(),
  client: z.string(),
  address: z.string(),
  created_at_ms: z.int(),
  refreshed_at_ms: z.int(),
  expires_at_ms: z.int(),
});

function toView(row: Row): Omit<SessionView, "current"> {
  const { id, client, address, ...times } = viewSchema.parse(row);
  return {
    id,
    client,
    address,
    createdAtMs: times.created_at_ms,
    refreshedAtMs: times.refreshed_at_ms,
    expiresAtMs: times.expires_at_ms,
  };
}

/** A client's text: PostgreSQL takes no NUL, and a page shows it. */
function plain(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.slice(0, 200).toWellFormed().replace(/[\u0000-\u001f\u007f-\u009f]/g, " ");
}
