// Who calls: the one interface that HTTP, WebSocket and MCP ask. Accounts and API keys replace what is behind it.

import type { Principal } from "../../plugins/runtime/host/host.ts";

export interface Authenticator {
  /** The principal of a bearer credential; throws UNAUTHENTICATED, with the same message for each reason. */
  authenticate(bearer: string | undefined): Principal;
  /**
   * Calls `ended` once when the credential stops being valid (signed out, expired), until the returned function is
   * called: what runs on it, a stream or a socket, then ends.
   */
  watch(bearer: string, ended: () => void): () => void;
}

/** Signing in without a password: a single-use code, made by whoever has the operator's key. */
export interface SignIn {
  /** A code for one sign-in as `principal`, valid for 15 minutes. */
  createCode(principal: Principal): { code: string; expiresAtMs: number };
  /** Throws UNAUTHENTICATED, with the same message for a wrong, used or expired code. */
  exchange(code: string): Promise<Session>;
  /** Ends the session of this bearer at once; a bearer that is none is left alone. */
  signOut(bearer: string): Promise<void>;
}

export interface Session {
  /** The bearer: `bkg_session_<43 characters>`. */
  token: string;
  expiresAtMs: number;
  principal: Principal;
}
