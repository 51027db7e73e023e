// Who is signed in on this device. The tokens are kept in localStorage, so that every tab has them; the access token
// is renewed before it expires, by one tab for all. Only the server ends a session, never this device's clock.

import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import { systemTimers, type Timers } from "../../plugins/runtime/host/timers.ts";
import { askServer, readJson, type ServerAddress } from "../api/ask_server.ts";
import type { BrowserStorage } from "./browser_storage.ts";
import { createNotifier, type Observable } from "./observable.ts";
import type { RefreshLock } from "./refresh_lock.ts";
import {
  parseStoredSession,
  readPrincipal,
  readTokens,
  sessionIdOf,
  type SessionPrincipal,
  type SignedIn,
  type StoredSession,
} from "./stored_session.ts";

/** What somebody signs in with; an invitation is used up by its first password. */
export type SignInWay =
  | { code: string }
  | { name: string; password: string }
  | { invitation: string; password: string };

export interface Session extends Observable {
  /** The access token as it is; `bearer` answers one that is good for a while yet. */
  readonly token: string | undefined;
  /** Of the session: the same across refreshes. */
  readonly id: string | undefined;
  readonly principal: SessionPrincipal | undefined;
  /** Why the person is not signed in: an ended session, a code that was not taken. */
  readonly notice: string | undefined;
  /** Whether a sign-in is being asked for. */
  readonly signingIn: boolean;
  /** The code of an invitation that waits for a password. */
  readonly invitation: string | undefined;
  /** Shows an invitation, or no longer. */
  setInvitation(code: string | undefined): void;
  /** Throws UNAUTHENTICATED, INVALID_INPUT, RATE_LIMITED, UNAVAILABLE. */
  signIn(way: SignInWay): Promise<void>;
  /** Ends the session on the server too; never throws. */
  signOut(): Promise<void>;
  /** The server no longer takes the session: forget it, in every tab. */
  expire(notice: string): void;
  /** An access token, renewed where it is about to expire; never throws. */
  bearer(): Promise<string | undefined>;
  /** Renews the tokens unless `token` is not theirs any more; a refusal ends the session. Never throws. */
  refresh(token: string): Promise<"renewed" | "ended" | "unreachable">;
  /** Asks the server whether it still takes the session, and who it is; never throws. */
  verify(): Promise<"valid" | "ended" | "unreachable">;
}

export interface SessionDeps extends ServerAddress {
  storage: BrowserStorage;
  /** Default: this tab is alone. */
  lock?: RefreshLock;
  /** Ms since the epoch. */
  now?: () => number;
  timers?: Timers;
  /** Longest wait for the answers of `verify` and `refresh`, ms. */
  verifyTimeoutMs?: number;
  refreshTimeoutMs?: number;
}

/** Where the session is kept. */
export const sessionKey = "bkg.session";

export function createSession(deps: SessionDeps): Session & Disposable {
  const { storage, now = Date.now, timers = systemTimers, lock = (run) => run() } = deps;
  const { verifyTimeoutMs = 3000, refreshTimeoutMs = 6000 } = deps;
  const notifier = createNotifier();
  let stored: StoredSession = {};
  let signingIn = false;
  let invitation: string | undefined;
  let verifying: { id: string; answer: ReturnType<Session["verify"]> } | undefined;
  let refreshing: { token: string; answer: ReturnType<Session["refresh"]> } | undefined;
  let cancelRefresh = () => {};

  /** Takes `next` as what is; another tab may have written it. */
  function take(next: StoredSession): void {
    stored = next;
    awaitExpiry();
    notifier.notify();
  }

  function keep(next: StoredSession): void {
    storage.set(sessionKey, Object.keys(next).length === 0 ? undefined : JSON.stringify(next));
    take(next);
  }

  /** Renews in time while someone is here; looks again after an hour at the latest, because clocks are set. */
  function awaitExpiry(): void {
    cancelRefresh();
    cancelRefresh = () => {};
    if (stored.token === undefined) return;
    const { token } = stored;
    const leftMs = stored.expiresAtMs - now() - earlyMs;
    if (leftMs <= 0) return;
    cancelRefresh = timers.after(Math.min(leftMs, maxWaitMs), () => {
      if (isFresh()) awaitExpiry();
      else void refresh(token);
    });
  }

  function isFresh(): boolean {
    return stored.token !== undefined && stored.expiresAtMs - earlyMs > now();
  }

  function refresh(token: string): ReturnType<Session["refresh"]> {
    if (stored.token === undefined) return Promise.resolve("ended");
    if (stored.token !== token) return Promise.resolve("renewed");
    if (refreshing?.token !== token) {
      const askedAtMs = now();
      const answer = lock(async () => {
        // What another tab wrote arrives a moment after it has let go.
        if (now() - askedAtMs > atOnceMs && !isRenewedElsewhere(token)) await pause(arrivalMs);
        return await renew(token);
      });
      const asked = { token, answer };
      refreshing = asked;
      void asked.answer.finally(() => refreshing === asked && (refreshing = undefined));
    }
    return refreshing.answer;
  }

  /** Whether the tokens are others than `token`, by another tab's doing whose event has not come yet. */
  function isRenewedElsewhere(token: string): boolean {
    const there = parseStoredSession(storage.get(sessionKey));
    if (there.token !== token && stored.token === token) take(there);
    return stored.token !== token;
  }

  async function renew(token: string): ReturnType<Session["refresh"]> {
    if (isRenewedElsewhere(token)) return stored.token === undefined ? "ended" : "renewed";
    const { refreshToken } = stored as SignedIn;
    try {
      const next = await exchange(refreshToken);
      // Signed out in the meantime: then these are worth nothing to anybody.
      if (stored.token !== token) {
        if (stored.token === undefined) void endOnServer(next);
        return stored.token === undefined ? "ended" : "renewed";
      }
      keep(next);
      return "renewed";
    } catch (error) {
      if (!isRefusal(error)) return "unreachable";
      if (isRenewedElsewhere(token)) return stored.token === undefined ? "ended" : "renewed";
      keep({ notice: ended });
      return "ended";
    }
  }

  async function exchange(refreshToken: string): Promise<SignedIn> {
    using limit = limitTime(refreshTimeoutMs);
    const { signal } = limit;
    const response = await askServer(deps, {
      path: "/auth/refresh",
      method: "POST",
      body: { refreshToken },
      signal,
      keepalive: true,
    });
    return requireTokens(await response.text());
  }

  function requireTokens(text: string): SignedIn {
    const tokens = readTokens(text, now());
    if (tokens !== undefined) return tokens;
    throw new AppError("UNAVAILABLE", "Something else than bkg answered the sign-in");
  }

  function limitTime(ms: number): Disposable & { signal: AbortSignal } {
    const limit = new AbortController();
    const cancel = timers.after(ms, () => limit.abort());
    return { signal: limit.signal, [Symbol.dispose]: cancel };
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => timers.after(ms, resolve));
  }

  async function bearer(): Promise<string | undefined> {
    const { token } = stored;
    if (token !== undefined && !isFresh()) await refresh(token);
    return stored.token;
  }

  async function verifySession(id: string): ReturnType<Session["verify"]> {
    const isOurs = () => stored.token !== undefined && sessionIdOf(stored) === id;
    for (let tries = 0; tries < 2; tries++) {
      const token = await bearer();
      if (token === undefined || !isOurs()) return "ended";
      using limit = limitTime(verifyTimeoutMs);
      const { signal } = limit;
      try {
        const response = await askServer(deps, { path: "/auth/me", token, signal });
        const answer = await readJson(response, signal) as { principal?: unknown };
        const principal = readPrincipal(answer.principal);
        if (stored.token === undefined || !isOurs()) return "ended";
        if (principal && JSON.stringify(principal) !== JSON.stringify(stored.principal)) {
          keep({ ...stored, principal });
        }
        return "valid";
      } catch (error) {
        if (!isRefusal(error)) return "unreachable";
        const renewed = await refresh(token);
        if (renewed !== "renewed") return renewed;
      }
    }
    if (isOurs()) keep({ notice: ended });
    return "ended";
  }

  async function endOnServer({ token, refreshToken }: SignedIn): Promise<void> {
    const end = (token: string) =>
      askServer(deps, { path: "/auth/logout", method: "POST", token, keepalive: true });
    try {
      await end(token).catch(async (error) => {
        if (!isRefusal(error)) throw error;
        await end((await exchange(refreshToken)).token);
      });
    } catch {
      // It then ends by itself, at its expiry.
    }
  }

  const stopWatching = storage.watch(sessionKey, () => {
    const next = parseStoredSession(storage.get(sessionKey));
    const left = stored.token !== undefined && next.token === undefined;
    take(left && next.notice === undefined ? { notice: leftElsewhere } : next);
  });
  take(parseStoredSession(storage.get(sessionKey)));

  return {
    subscribe: notifier.subscribe,
    get token() {
      return stored.token;
    },
    get id() {
      return stored.token === undefined ? undefined : sessionIdOf(stored);
    },
    get principal() {
      return stored.token === undefined ? undefined : stored.principal;
    },
    get notice() {
      return stored.token === undefined ? stored.notice : undefined;
    },
    get signingIn() {
      return signingIn;
    },
    get invitation() {
      return invitation;
    },
    setInvitation(code) {
      invitation = code;
      notifier.notify();
    },
    async signIn(way) {
      signingIn = true;
      if (stored.token === undefined && stored.notice !== undefined) keep({});
      notifier.notify();
      try {
        const response = await askServer(deps, { path: "/auth/login", method: "POST", body: way });
        const next = requireTokens(await response.text());
        const previous = stored;
        invitation = undefined;
        keep(next);
        if (previous.token !== undefined) void endOnServer(previous);
      } catch (thrown) {
        const error = toAppError(thrown);
        // Told to this tab alone, and not after a reload.
        if (stored.token === undefined) take({ notice: error.message });
        throw error;
      } finally {
        signingIn = false;
        notifier.notify();
      }
    },
    async signOut() {
      const previous = stored;
      keep({});
      if (previous.token !== undefined) await endOnServer(previous);
    },
    expire: (notice) => keep({ notice }),
    bearer,
    refresh,
    verify() {
      if (stored.token === undefined) return Promise.resolve("ended");
      const id = sessionIdOf(stored);
      if (verifying?.id !== id) {
        const asked = { id, answer: verifySession(id) };
        verifying = asked;
        void asked.answer.finally(() => verifying === asked && (verifying = undefined));
      }
      return verifying.answer;
    },
    [Symbol.dispose]() {
      cancelRefresh();
      stopWatching();
    },
  };
}

const ended = "Your session has ended; sign in again";
const leftElsewhere = "You signed out in another tab";
const maxWaitMs = 60 * 60_000;
/** Before its expiry an access token is renewed: a call takes a while, and clocks run unequally. */
const earlyMs = 60_000;
/** A lock that took longer was another tab's. */
const atOnceMs = 5;
const arrivalMs = 100;

function isRefusal(error: unknown): boolean {
  return error instanceof AppError && error.code === "UNAUTHENTICATED";
}
