// Who is signed in on this device. The token is kept in localStorage, so that every tab has it.

import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import type { Principal } from "../../plugins/runtime/host/host.ts";
import { systemTimers, type Timers } from "../../plugins/runtime/host/timers.ts";
import { askServer, readJson, type ServerAddress } from "../api/ask_server.ts";
import type { BrowserStorage } from "./browser_storage.ts";
import { createNotifier, type Observable } from "./observable.ts";
import { parseStoredSession, type StoredSession } from "./stored_session.ts";

export interface Session extends Observable {
  readonly token: string | undefined;
  readonly principal: Principal | undefined;
  /** Why the person is not signed in: an expired session, a code that was not taken. */
  readonly notice: string | undefined;
  /** Whether a code is being exchanged. */
  readonly signingIn: boolean;
  /** Exchanges a single-use code; throws UNAUTHENTICATED, RATE_LIMITED, UNAVAILABLE. */
  signIn(code: string): Promise<void>;
  /** Ends the session on the server too; never throws. */
  signOut(): Promise<void>;
  /** The server no longer takes the token: forget it, in every tab. */
  expire(notice: string): void;
  /** Asks the server whether it still takes the token, and ends the session when it does not; never throws. */
  verify(): Promise<"valid" | "ended" | "unreachable">;
}

export interface SessionDeps extends ServerAddress {
  storage: BrowserStorage;
  /** Ms since the epoch. */
  now?: () => number;
  timers?: Timers;
  /** Longest wait for the answer of `verify`, ms. */
  verifyTimeoutMs?: number;
}

/** Where the session is kept. */
export const sessionKey = "bkg.session";

export function createSession(deps: SessionDeps): Session & Disposable {
  const { storage, now = Date.now, timers = systemTimers, verifyTimeoutMs = 3000 } = deps;
  const notifier = createNotifier();
  let stored: StoredSession = {};
  let signingIn = false;
  let verifying: { token: string; answer: ReturnType<Session["verify"]> } | undefined;
  let cancelExpiry = () => {};

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

  /** Looks again after an hour at the latest: long timers overflow, and clocks are set. */
  function awaitExpiry(): void {
    cancelExpiry();
    cancelExpiry = () => {};
    if (stored.token === undefined || stored.expiresAtMs === undefined) return;
    const leftMs = stored.expiresAtMs - now();
    if (leftMs <= 0) return keep({ notice: expired });
    cancelExpiry = timers.after(Math.min(leftMs, maxWaitMs), awaitExpiry);
  }

  async function verifyToken(token: string): ReturnType<Session["verify"]> {
    const limit = new AbortController();
    const cancel = timers.after(verifyTimeoutMs, () => limit.abort());
    try {
      const { signal } = limit;
      const response = await askServer(deps, { path: "/auth/me", token, signal });
      const { principal } = await readJson(response, signal) as { principal: Principal };
      if (stored.token !== token) return "ended";
      if (JSON.stringify(principal) !== JSON.stringify(stored.principal)) {
        keep({ ...stored, principal });
      }
      return "valid";
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "UNAUTHENTICATED") return "unreachable";
      if (stored.token === token) keep({ notice: ended });
      return "ended";
    } finally {
      cancel();
    }
  }

  async function endOnServer(token: string): Promise<void> {
    try {
      await askServer(deps, { path: "/auth/logout", method: "POST", token, keepalive: true });
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
    get principal() {
      return stored.principal;
    },
    get notice() {
      return stored.notice;
    },
    get signingIn() {
      return signingIn;
    },
    async signIn(code) {
      signingIn = true;
      if (stored.notice !== undefined) keep({});
      notifier.notify();
      try {
        const response = await askServer(deps, {
          path: "/auth/login",
          method: "POST",
          body: { code },
        });
        const next = parseStoredSession(await response.text());
        if (next.token === undefined) {
          throw new AppError("UNAVAILABLE", "Something else than bkg answered the sign-in");
        }
        const previous = stored.token;
        keep(next);
        if (previous !== undefined && previous !== next.token) void endOnServer(previous);
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
      const { token } = stored;
      keep({});
      if (token !== undefined) await endOnServer(token);
    },
    expire: (notice) => keep({ notice }),
    verify() {
      const { token } = stored;
      if (token === undefined) return Promise.resolve("ended");
      if (verifying?.token !== token) {
        const asked = { token, answer: verifyToken(token) };
        verifying = asked;
        void asked.answer.finally(() => verifying === asked && (verifying = undefined));
      }
      return verifying.answer;
    },
    [Symbol.dispose]() {
      cancelExpiry();
      stopWatching();
    },
  };
}

const ended = "Your session has ended; sign in again";
const expired = "Your session has expired; sign in again";
const leftElsewhere = "You signed out in another tab";
const maxWaitMs = 60 * 60_000;
