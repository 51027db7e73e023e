// Sessions: how a person becomes a bearer. Callers: /auth routes, `auth` service of plugins, `bkg serve`.

import type { Identity } from "./authenticator.ts";

/** What a request tells of who sent it, for the list of sessions, the audit trail and the limits on guessing. */
export interface Visitor {
  /** IP address. */
  address: string;
  /** User-Agent; cut to 200 characters. */
  client: string;
}

export interface Tokens {
  /** Access token: a JWT (EdDSA), sent as the bearer. */
  token: string;
  /** Of the access token, ms since the epoch. */
  expiresAtMs: number;
  /** `bkg_refresh_<id>_<secret>`: good for one exchange. */
  refreshToken: string;
  /** Of the session, ms since the epoch. */
  sessionExpiresAtMs: number;
  principal: PrincipalView;
}

export interface PrincipalView {
  id: string;
  name: string;
  role: string;
  /** As granted: of a narrowed set, those that every list allows. */
  scopes: string[];
}

export interface SessionView {
  id: string;
  client: string;
  address: string;
  createdAtMs: number;
  refreshedAtMs: number;
  expiresAtMs: number;
  /** Whether it is the one that asks. */
  current: boolean;
}

export interface SignIn {
  /** A code for one sign-in as the local operator, valid for 15 minutes, kept in memory. */
  createCode(): { code: string; expiresAtMs: number };
  /** Throws UNAUTHENTICATED, the same for a wrong, used or expired code; RATE_LIMITED. */
  withCode(code: string, visitor: Visitor): Promise<Tokens>;
  /** Throws UNAUTHENTICATED, the same (and as slow) for an unknown name, a wrong password, a disabled user. */
  withPassword(name: string, password: string, visitor: Visitor): Promise<Tokens>;
  /** The first use of an invitation: sets the password and signs in. Throws UNAUTHENTICATED, INVALID_INPUT. */
  withInvitation(code: string, password: string, visitor: Visitor): Promise<Tokens>;
  /**
   * Rotates. A refresh token that was used before ends its whole session (theft), unless it was within the last
   * seconds (two tabs, or an answer that was lost): then it answers the session's tokens again.
   */
  refresh(refreshToken: string, visitor: Visitor): Promise<Tokens>;
  /** Ends the session of this identity at once; other credentials are left alone. */
  signOut(identity: Identity): Promise<void>;
  /** Sets the own password; `current` is needed when there is one. Ends the other sessions. */
  changePassword(
    identity: Identity,
    change: { current?: string | undefined; next: string },
  ): Promise<void>;
  sessions(identity: Identity): Promise<SessionView[]>;
  /** Throws NOT_FOUND for one that is not the caller's. */
  endSession(identity: Identity, sessionId: string): Promise<void>;
  /** Public halves, RFC 7517. */
  jwks(): Promise<{ keys: Record<string, unknown>[] }>;
  /** `password`: anyone can sign in with one; `signedUp`: an admin can. For the page, before anyone is signed in. */
  status(): Promise<{ password: boolean; signedUp: boolean }>;
}
