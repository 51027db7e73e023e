// Everything behind the interfaces of authenticator.ts and sign_in.ts, joined. Callers: compose, tests.

import { systemTimers, type Timers } from "../../plugins/runtime/host/timers.ts";
import type { Db } from "../db/db.ts";
import { createAccessTokens } from "./access_tokens.ts";
import { setFirstPassword } from "./first_admin.ts";
import { createIdentities, type Identities } from "./identities.ts";
import { createPasswordGuesses, type PasswordGuessesOptions } from "./password_guesses.ts";
import type { PasswordCost } from "./password_message.ts";
import { createPasswords, type Passwords } from "./passwords.ts";
import { createRefreshTokens } from "./refresh_tokens.ts";
import { seedAccounts } from "./roles_store.ts";
import { createSessions } from "./sessions.ts";
import type { SignIn } from "./sign_in.ts";
import { createSignIn, type SignInAudit } from "./sign_in_flow.ts";

export interface Access extends AsyncDisposable {
  auth: Identities;
  signIn: SignIn;
  passwords: Passwords;
}

export interface AccessOptions {
  db: Db;
  /** dist/: the Worker that computes passwords. */
  bundles: string;
  operatorToken: string;
  /** Of access tokens: the public URL. */
  issuer?: string | undefined;
  /** BKG_ADMIN_PASSWORD: the operator's first password. */
  adminPassword?: string | undefined;
  audit?: SignInAudit;
  /** Ms since the epoch. */
  now?: () => number;
  timers?: Timers;
  passwordCost?: PasswordCost;
  guesses?: PasswordGuessesOptions;
}

/** Makes what must always be there: the built-in roles and the operator's account. */
export async function openAccess(options: AccessOptions): Promise<Access> {
  const { db, bundles, operatorToken, issuer, adminPassword, audit = () => {} } = options;
  const { now = Date.now, timers = systemTimers, passwordCost: cost } = options;
  await seedAccounts(db, now);
  await using parts = new AsyncDisposableStack();
  const passwords = parts.use(createPasswords({ bundles, timers, ...(cost && { cost }) }));
  if (adminPassword !== undefined) {
    await setFirstPassword(db, { password: adminPassword, passwords });
  }
  const accessTokens = createAccessTokens({ db, issuer, now });
  const auth = parts.use(createIdentities({ db, operatorToken, accessTokens, now, timers }));
  const sessions = createSessions({
    db,
    identities: auth,
    accessTokens,
    refreshTokens: createRefreshTokens({ db, now }),
    now,
  });
  const guesses = parts.use(createPasswordGuesses(options.guesses));
  const signIn = createSignIn({
    db,
    identities: auth,
    accessTokens,
    sessions,
    passwords,
    guesses,
    audit,
    now,
  });
  const owned = parts.move();
  return { auth, signIn, passwords, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
