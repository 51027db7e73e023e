// The ways in: a code of the local operator, a name and a password, an invitation; and what a session's owner may do.
// What fails tells no reason: unknown names, wrong passwords and disabled users are refused alike, and as slowly.

import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Db } from "../db/db.ts";
import type { AccessTokens } from "./access_tokens.ts";
import { operatorId } from "./accounts.ts";
import type { Identity } from "./authenticator.ts";
import type { Identities } from "./identities.ts";
import type { PasswordGuesses } from "./password_guesses.ts";
import { requireGoodPassword } from "./password_rules.ts";
import type { Passwords } from "./passwords.ts";
import { hashSecret } from "./secrets.ts";
import type { Sessions } from "./sessions.ts";
import type { SignIn, Tokens, Visitor } from "./sign_in.ts";
import { createSignInCodes } from "./sign_in_codes.ts";
import { readUserName } from "./user_name.ts";
import { createWrongCodes } from "./wrong_codes.ts";

/** What the audit trail is told; routes tell it the rest. */
export type SignInAudit = (deed: {
  principal: Identity | undefined;
  address: string;
  action: string;
  object: string;
  outcome: "ok" | "denied";
}) => void;

export interface SignInDeps {
  db: Db;
  identities: Identities;
  accessTokens: AccessTokens;
  sessions: Sessions;
  passwords: Passwords;
  guesses: PasswordGuesses;
  audit: SignInAudit;
  now: () => number;
}

export function createSignIn(deps: SignInDeps): SignIn {
  const { db, identities, sessions, passwords, guesses, audit, now } = deps;
  const codes = createSignInCodes({ now });
  const wrongCodes = createWrongCodes({ now });
  let status: { atMs: number; answer: ReturnType<SignIn["status"]> } | undefined;

  async function begin(userId: string, visitor: Visitor): Promise<Tokens> {
    const begun = await sessions.begin(userId, visitor);
    // Disabled since it was looked up.
    if (begun === undefined) throw wrongPassword();
    const { identity, tokens } = begun;
    audit({ ...deedOf(userId, visitor), principal: identity, outcome: "ok" });
    return tokens;
  }

  async function findUser(name: string): Promise<UserRow | undefined> {
    const known = readUserName(name);
    if (known === undefined) return undefined;
    const [row] = await db.sql`
      select id, name, password_hash from users where name = ${known} and disabled_at_ms is null`;
    return row === undefined ? undefined : userSchema.parse(row);
  }

  async function getUser(id: string): Promise<UserRow> {
    const [row] = await db.sql`
      select id, name, password_hash from users where id = ${id} and disabled_at_ms is null`;
    if (row === undefined) throw new AppError("NOT_FOUND", "There is no such user");
    return userSchema.parse(row);
  }

  /** Throws RATE_LIMITED. What cannot be checked is no guess. */
  async function checkPassword(
    { password, hash, name, address }: {
      password: string;
      hash: string | null;
      name: string;
      address: string;
    },
  ): Promise<boolean> {
    const guess = await guesses.begin(name, address);
    try {
      const isRight = await passwords.verify(password, hash);
      if (isRight) guess.right();
      return isRight;
    } catch (error) {
      guess.undo();
      throw error;
    }
  }

  /** By today's parameters. Nobody waits for it; the next sign-in tries again. */
  async function renewHash({ id, password_hash: before }: UserRow, password: string) {
    const hash = await passwords.hash(password);
    await db.sql`
      update users set password_hash = ${hash} where id = ${id} and password_hash = ${before}`;
  }

  return {
    createCode: () => codes.create(),
    async withCode(code, visitor) {
      if (!codes.take(code)) {
        audit({ ...deedOf(operatorId, visitor), principal: undefined, outcome: "denied" });
        throw wrongCodes.refuse(wrongCode);
      }
      return await begin(operatorId, visitor);
    },
    async withPassword(name, password, visitor) {
      const user = await findUser(name);
      const isRight = await checkPassword({
        password,
        hash: user?.password_hash ?? null,
        name: readUserName(name) ?? "",
        address: visitor.address,
      });
      if (!isRight || user === undefined) {
        // Of a name that is nobody's nothing is kept: people type passwords there.
        audit({ ...deedOf(user?.id, visitor), principal: undefined, outcome: "denied" });
        throw wrongPassword();
      }
      if (passwords.isWeak(user.password_hash!)) renewHash(user, password).catch(() => {});
      return await begin(user.id, visitor);
    },
    async withInvitation(code, password, visitor) {
      const hash = hashSecret(code);
      const [row] = await db.sql`
        select u.id, u.name, u.password_hash from invitations i join users u on u.id = i.user_id
        where i.hash = ${hash} and i.expires_at_ms > ${now()} and u.disabled_at_ms is null`;
      if (row === undefined) throw wrongCodes.refuse(wrongInvitation);
      const user = userSchema.parse(row);
      requireGoodPassword(password, { name: user.name });
      const passwordHash = await passwords.hash(password);
      const isTaken = await db.transaction(async ({ sql }) => {
        const taken = await sql`
          delete from invitations where hash = ${hash} and expires_at_ms > ${now()}
          returning user_id`;
        if (taken.length === 0) return false;
        await sql`
          update users set password_hash = ${passwordHash}, updated_at_ms = ${now()}
          where id = ${user.id}`;
        await sql`delete from invitations where user_id = ${user.id}`;
        await sql`delete from sessions where user_id = ${user.id}`;
        return true;
      });
      if (!isTaken) throw wrongCodes.refuse(wrongInvitation);
      identities.changed({ kind: "user", id: user.id });
      return await begin(user.id, visitor);
    },
    async refresh(refreshToken, visitor) {
      const answer = await sessions.refresh(refreshToken);
      if (answer !== undefined && !("reused" in answer)) return answer;
      if (answer !== undefined) {
        audit({
          principal: undefined,
          address: visitor.address,
          action: "session.reuse",
          object: `user:${answer.reused.userId}`,
          outcome: "denied",
        });
      }
      throw new AppError("UNAUTHENTICATED", "Your session has ended; sign in again");
    },
    async signOut({ id, credential }) {
      if (credential.kind === "session") await sessions.end(id, credential.id);
    },
    async changePassword(identity, { current, next }) {
      const { id, credential } = identity;
      if (credential.kind === "key") {
        throw new AppError(
          "FORBIDDEN",
          "A key cannot change its owner's password: sign in for that",
        );
      }
      const user = await getUser(id);
      if (user.password_hash !== null && credential.kind !== "operator") {
        const isRight = Boolean(current) && await checkPassword({
          password: current!,
          hash: user.password_hash,
          name: user.name,
          address: `session:${credential.id}`,
        });
        if (!isRight) {
          throw new AppError("INVALID_INPUT", '"current" is not your password', {
            details: { field: "current" },
          });
        }
      }
      requireGoodPassword(next, { name: user.name, field: "next" });
      const hash = await passwords.hash(next);
      const own = credential.kind === "session" ? credential.id : "";
      const ended = await db.transaction(async ({ sql }) => {
        await sql`
          update users set password_hash = ${hash}, updated_at_ms = ${now()} where id = ${id}`;
        await sql`delete from invitations where user_id = ${id}`;
        return await sql`
          delete from sessions where user_id = ${id} and id <> ${own} returning id`;
      });
      status = undefined;
      for (const row of ended) identities.changed({ kind: "session", id: String(row["id"]) });
    },
    sessions: (identity) => sessions.list(identity),
    async endSession({ id }, sessionId) {
      if (!await sessions.end(id, sessionId)) {
        throw new AppError("NOT_FOUND", "There is no such session of yours");
      }
    },
    jwks: () => deps.accessTokens.jwks(),
    status() {
      // Anybody may ask, so it is looked up once a second at most.
      if (status === undefined || status.atMs + statusForMs <= now()) {
        const asked = { atMs: now(), answer: readStatus(db) };
        asked.answer.catch(() => status === asked && (status = undefined));
        status = asked;
      }
      return status.answer;
    },
  };
}

const statusForMs = 1000;
const wrongCode = 'This sign-in code is wrong, used or expired; "bkg login" prints another link';
const wrongInvitation = "This invitation is wrong, used or expired; ask for another";

const userSchema = z.object({
  id: z.string(),
  name: z.string(),
  password_hash: z.string().nullable(),
});

type UserRow = z.infer<typeof userSchema>;

function wrongPassword(): AppError {
  return new AppError("UNAUTHENTICATED", "The name or the password is wrong");
}

function deedOf(userId: string | undefined, { address }: Visitor) {
  const object = userId === undefined ? "" : `user:${userId}`;
  return { address, action: "session.begin", object };
}

async function readStatus(db: Db): Promise<{ password: boolean; signedUp: boolean }> {
  const [row] = await db.sql`
    select count(*) as password, count(*) filter (where role = 'admin') as admins
    from users where password_hash is not null and disabled_at_ms is null`;
  return { password: Number(row?.["password"]) > 0, signedUp: Number(row?.["admins"]) > 0 };
}
