// Who calls: the one interface that HTTP, WebSocket and MCP ask.

import type { Principal } from "../../plugins/runtime/host/host.ts";
import type { Allowance } from "./limits.ts";
import type { Scopes } from "./scopes.ts";

/** A user, as proved by one credential. The same object as long as nothing about it changes. */
export interface Identity extends Principal {
  /** What the user signs in with. */
  readonly name: string;
  /** The role's, narrowed by the user's and by the key's. */
  readonly scopes: Scopes;
  readonly credential: Credential;
  /** Empty: nothing is limited. */
  readonly allowances: readonly Allowance[];
}

export type Credential =
  | { readonly kind: "operator" }
  | { readonly kind: "session"; readonly id: string }
  | { readonly kind: "key"; readonly id: string };

export interface Authenticator {
  /**
   * The identity of a bearer credential: at once when it was seen lately, else after a look into the database.
   * Throws UNAUTHENTICATED, with the same message for each reason; UNAVAILABLE when the database is away.
   */
  authenticate(bearer: string | undefined): Identity | Promise<Identity>;
  /**
   * Calls `ended` once when what the credential stands for ends (session signed out or expired, key revoked or
   * expired, user disabled, role or scopes changed), until the returned function is called: what runs on it, a stream
   * or a socket, then ends. The expiry of an access token alone ends nothing: its session goes on.
   */
  watch(bearer: string, ended: () => void): () => void;
}
