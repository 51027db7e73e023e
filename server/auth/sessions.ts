// Sessions: bearers for 30 days that outlive a restart. They are known by their SHA-256; of a bearer itself only
// what was proved is held, in memory. Ending one holds at once, before it is stored.

import { createHash, randomBytes } from "node:crypto";
import type { Principal } from "../../plugins/runtime/host/host.ts";
import { systemTimers, type Timers } from "../../plugins/runtime/host/timers.ts";
import type { Session } from "./authenticator.ts";
import type { SessionStore, StoredSession } from "./session_store.ts";

export interface Sessions extends Disposable {
  /** Throws what the store throws: a session that is not stored is none. */
  create(principal: Principal): Promise<Session>;
  /** Whose bearer it is; undefined when it is none, or none any more. */
  find(bearer: string): Principal | undefined;
  end(bearer: string): Promise<void>;
  /** As `Authenticator.watch`; a bearer that is no session is told of at once. */
  watch(bearer: string, ended: () => void): () => void;
}

export interface SessionsOptions {
  store: SessionStore;
  /** Ms since the epoch. */
  now?: () => number;
  timers?: Timers;
}

/** What every bearer of a session starts with. */
export const sessionPrefix = "bkg_session_";

export async function openSessions(options: SessionsOptions): Promise<Sessions> {
  const { store, now = Date.now, timers = systemTimers } = options;
  const stored = await store.load();
  const byHash = new Map<string, LiveSession>();
  const proved = new Map<string, LiveSession>();
  const watched = new Set<LiveSession>();
  /** Ended in memory, and not yet in the store. */
  const gone = new Set<string>();
  let cancelExpiry: (() => void) | undefined;
  for (const session of stored.slice(-maxSessions)) add(session);
  dropExpired();

  function add(session: StoredSession): LiveSession {
    const live = { ...session, bearer: undefined, watchers: new Set<() => void>() };
    byHash.set(session.hash, live);
    return live;
  }

  function lookUp(bearer: string): LiveSession | undefined {
    let session = proved.get(bearer);
    if (session === undefined) {
      if (!bearerShape.test(bearer)) return undefined;
      session = byHash.get(hashOf(bearer));
      if (session === undefined) return undefined;
      session.bearer = bearer;
      proved.set(bearer, session);
    }
    if (session.expiresAtMs > now()) return session;
    drop(session);
    return undefined;
  }

  function drop(session: LiveSession): void {
    byHash.delete(session.hash);
    gone.add(session.hash);
    if (session.bearer !== undefined) proved.delete(session.bearer);
    const watchers = [...session.watchers];
    session.watchers.clear();
    for (const ended of watchers) ended();
    if (watched.delete(session)) awaitExpiry();
  }

  function dropExpired(): void {
    for (const session of [...byHash.values()]) if (session.expiresAtMs <= now()) drop(session);
  }

  /** Stores the end of what was dropped; what could not be stored is tried again the next time. */
  async function forget(): Promise<void> {
    const hashes = [...gone];
    await store.remove(hashes);
    for (const hash of hashes) gone.delete(hash);
  }

  /** Looks again at the latest after a minute: the clock may be set, or the machine may have slept. */
  function awaitExpiry(): void {
    cancelExpiry?.();
    cancelExpiry = undefined;
    if (watched.size === 0) return;
    const nextMs = Math.min(...[...watched].map(({ expiresAtMs }) => expiresAtMs));
    cancelExpiry = timers.after(Math.max(0, Math.min(nextMs - now(), maxWaitMs)), () => {
      dropExpired();
      awaitExpiry();
    });
  }

  return {
    async create(principal) {
      dropExpired();
      const bearer = sessionPrefix + randomBytes(32).toString("base64url");
      const createdAtMs = now();
      const expiresAtMs = createdAtMs + lifetimeMs;
      const stored: StoredSession = { hash: hashOf(bearer), principal, createdAtMs, expiresAtMs };
      const session = add(stored);
      const [oldest] = byHash.values();
      if (byHash.size > maxSessions && oldest !== undefined) drop(oldest);
      try {
        await store.add(stored);
      } catch (error) {
        drop(session);
        throw error;
      }
      // Nobody waits for the end of old ones: they are no sessions any more.
      forget().catch(() => {});
      return { token: bearer, expiresAtMs, principal };
    },
    find: (bearer) => lookUp(bearer)?.principal,
    async end(bearer) {
      const session = lookUp(bearer);
      if (session === undefined) return;
      drop(session);
      await forget();
    },
    watch(bearer, ended) {
      const session = lookUp(bearer);
      if (session === undefined) {
        ended();
        return () => {};
      }
      // A function of its own for each watcher: the same `ended` may be given twice.
      const watcher = () => ended();
      session.watchers.add(watcher);
      watched.add(session);
      if (session.watchers.size === 1) awaitExpiry();
      return () => {
        session.watchers.delete(watcher);
        if (session.watchers.size > 0 || !watched.delete(session)) return;
        awaitExpiry();
      };
    },
    [Symbol.dispose]() {
      cancelExpiry?.();
    },
  };
}

interface LiveSession extends StoredSession {
  /** Once it was proved. */
  bearer: string | undefined;
  watchers: Set<() => void>;
}

const lifetimeMs = 30 * 24 * 60 * 60_000;
const maxSessions = 1000;
const maxWaitMs = 60_000;
const bearerShape = /^bkg_session_[A-Za-z0-9_-]{43}$/;

function hashOf(bearer: string): string {
  return createHash("sha256").update(bearer).digest("base64url");
}
