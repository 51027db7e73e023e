// The identities that were seen lately, by their bearer: what makes a call's authentication a look into a map, and
// what is told when a credential ends. Callers: access (wiring), accounts and api_keys (after a change).

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { systemTimers, type Timers } from "../../plugins/runtime/host/timers.ts";
import type { Db } from "../db/db.ts";
import type { AccessTokens } from "./access_tokens.ts";
import type { Authenticator } from "./authenticator.ts";
import { createBearerLookUp, type Found } from "./bearer_look_up.ts";
import { createCredentialWatch } from "./credential_watch.ts";
import { createKeyUse } from "./key_use.ts";
import { hashSecret } from "./secrets.ts";

/** What changed: every credential that it touches is looked up again. */
export type Change =
  | { kind: "user"; id: string }
  | { kind: "role"; name: string }
  | { kind: "session"; id: string }
  | { kind: "key"; id: string };

export interface Identities extends Authenticator, AsyncDisposable {
  /** Holds when it returns: forgets what it touches, and ends what runs on it. Call it after the commit. */
  changed(change: Change): void;
  /** A session goes on longer: what runs on it goes on with it. */
  prolonged(sessionId: string, endsAtMs: number): void;
}

export interface IdentitiesOptions {
  db: Db;
  operatorToken: string;
  accessTokens: AccessTokens;
  /** Ms since the epoch. */
  now?: () => number;
  timers?: Timers;
}

export function createIdentities(options: IdentitiesOptions): Identities {
  const { db, accessTokens, operatorToken, now = Date.now, timers = systemTimers } = options;
  const lookUp = createBearerLookUp({ db, accessTokens, operatorToken, now });
  const watch = createCredentialWatch({ now, timers });
  const keyUse = createKeyUse({ db, now, timers });
  /** Least recently used first. */
  const seen = new Map<string, Found>();
  /** Hashes of what was refused, with when it is looked up again. */
  const refused = new Map<string, number>();
  const asking = new Map<string, Asking>();

  /** Shared by all who ask for the same bearer meanwhile. */
  function find(bearer: string): Promise<Found | undefined> {
    const hash = hashSecret(bearer);
    const againAtMs = refused.get(hash);
    if (againAtMs !== undefined && againAtMs > now()) throw refusal();
    if (asking.size >= maxAsking) {
      throw new AppError("UNAVAILABLE", "Too many credentials are being checked; try again");
    }
    const changes: Change[] = [];
    const found = ask(bearer, changes).then((found) => {
      if (found !== undefined) remember(seen, { key: bearer, value: found, max: maxSeen });
      // What has come to be in the meantime is not refused from memory.
      else if (changes.length === 0) {
        remember(refused, { key: hash, value: now() + refusedForMs, max: maxRefused });
      }
      return found;
    }).finally(() => asking.delete(bearer));
    asking.set(bearer, { found, changes });
    return found;
  }

  /** Again while a change came in between, which may have missed what was read. */
  async function ask(bearer: string, changes: readonly Change[]): Promise<Found | undefined> {
    let known: number;
    let found: Found | undefined;
    do {
      known = changes.length;
      found = await lookUp(bearer);
    } while (found !== undefined && changes.slice(known).some((each) => touches(each, found!)));
    return found;
  }

  return {
    authenticate(bearer) {
      if (bearer === undefined || bearer.length > maxBearerChars) throw refusal();
      const found = seen.get(bearer);
      if (found !== undefined) {
        seen.delete(bearer);
        if (found.untilMs > now()) {
          seen.set(bearer, found);
          keyUse.note(found.identity);
          return found.identity;
        }
      }
      return (asking.get(bearer)?.found ?? find(bearer)).then((found) => {
        if (found === undefined) throw refusal();
        keyUse.note(found.identity);
        return found.identity;
      });
    },
    watch(bearer, ended) {
      return watch.add(seen.get(bearer), ended);
    },
    changed(change) {
      refused.clear();
      for (const { changes } of asking.values()) changes.push(change);
      for (const [bearer, found] of seen) if (touches(change, found)) seen.delete(bearer);
      watch.end((found) => touches(change, found));
    },
    prolonged(sessionId, endsAtMs) {
      const session: Change = { kind: "session", id: sessionId };
      for (const found of seen.values()) if (touches(session, found)) found.endsAtMs = endsAtMs;
      watch.prolong((found) => touches(session, found), endsAtMs);
    },
    async [Symbol.asyncDispose]() {
      watch[Symbol.dispose]();
      await keyUse[Symbol.asyncDispose]();
    },
  };
}

/** One message for each reason. */
function refusal(): AppError {
  return new AppError("UNAUTHENTICATED", "Send a valid key as 'Authorization: Bearer <key>'");
}

interface Asking {
  found: Promise<Found | undefined>;
  /** Since it began. */
  changes: Change[];
}

const maxSeen = 10_000;
const maxRefused = 1000;
const maxAsking = 1000;
const refusedForMs = 5000;
const maxBearerChars = 4096;

function touches(change: Change, { identity }: Found): boolean {
  const { credential } = identity;
  switch (change.kind) {
    case "user":
      return identity.id === change.id;
    case "role":
      return identity.role === change.name;
    case "session":
    case "key":
      return credential.kind === change.kind && credential.id === change.id;
    default:
      return change satisfies never;
  }
}

function remember<Value>(
  map: Map<string, Value>,
  { key, value, max }: { key: string; value: Value; max: number },
): void {
  map.set(key, value);
  if (map.size <= max) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
