// The identities that were seen lately, by their bearer: what makes a call's authentication a look into a map, and
// what is told when a credential ends. Callers: access (wiring), accounts and api_keys (after a change).

import type { Authenticator } from "./authenticator.ts";

/** What changed: every credential that it touches is looked up again. */
export type Change =
  | { kind: "user"; id: string }
  | { kind: "role"; name: string }
  | { kind: "session"; id: string }
  | { kind: "key"; id: string };

export interface Identities extends Authenticator, Disposable {
  /** Holds when it returns: forgets what it touches, and ends what runs on it. */
  changed(change: Change): void;
}
