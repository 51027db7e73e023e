// Everything behind the two interfaces of authenticator.ts, for a server without accounts: the operator's key,
// and sessions that a single-use code begins. Callers: compose, tests.

import type { Timers } from "../../plugins/runtime/host/timers.ts";
import type { Authenticator, SignIn } from "./authenticator.ts";
import { createOperatorAuthenticator } from "./operator_key.ts";
import type { SessionStore } from "./session_store.ts";
import { openSessions, sessionPrefix } from "./sessions.ts";
import { createSignInCodes } from "./sign_in_codes.ts";

export interface Access extends Disposable {
  auth: Authenticator;
  signIn: SignIn;
}

export interface AccessOptions {
  sessionStore: SessionStore;
  operatorToken: string;
  /** Ms since the epoch. */
  now?: () => number;
  timers?: Timers;
}

export async function openAccess(options: AccessOptions): Promise<Access> {
  const { sessionStore, operatorToken, ...rest } = options;
  const sessions = await openSessions({ store: sessionStore, ...rest });
  const codes = createSignInCodes(rest);
  const operator = createOperatorAuthenticator(operatorToken);
  const isSession = (bearer: string | undefined) => bearer?.startsWith(sessionPrefix) === true;
  return {
    auth: {
      authenticate(bearer) {
        const principal = isSession(bearer) ? sessions.find(bearer!) : undefined;
        // The operator's authenticator refuses what is no key, so that there is one message.
        return principal ?? operator.authenticate(bearer);
      },
      watch: (bearer, ended) =>
        isSession(bearer) ? sessions.watch(bearer, ended) : operator.watch(bearer, ended),
    },
    signIn: {
      createCode: (principal) => codes.create(principal),
      exchange: async (code) => await sessions.create(codes.take(code)),
      signOut: (bearer) => sessions.end(bearer),
    },
    [Symbol.dispose]: () => sessions[Symbol.dispose](),
  };
}
