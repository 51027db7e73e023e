// The server's events over one WebSocket: it reconnects by itself, asks for what it missed, and says how it is.
// A refused WebSocket tells no reason, so /auth/me is asked before each new try.

import type { WireError } from "../../plugins/runtime/contract/error.ts";
import type {
  Bootstrap,
  ClientMessage,
  ServerMessage,
  socketClose,
} from "../../plugins/runtime/host/socket_message.ts";
import { systemTimers, type Timers } from "../../plugins/runtime/host/timers.ts";
import { createNotifier, type Observable } from "../stores/observable.ts";
import type { Session } from "../stores/session.ts";
import { serverUrl } from "./ask_server.ts";
import {
  createLiveFollows,
  type LiveEvent,
  type LiveListener,
  type LiveQuery,
} from "./live_follows.ts";
import { alwaysPresent, type PagePresence } from "./page_presence.ts";

export type { LiveEvent, LiveListener, LiveQuery };

/** `lost`: it was there, and is tried again at `retryAtMs`. `refused`: it will not be tried again. */
export type LiveState =
  | { kind: "closed" }
  | { kind: "connecting" }
  | { kind: "open" }
  | { kind: "lost"; retryAtMs: number; reason: string }
  | { kind: "refused"; error: WireError };

export interface Live extends Observable {
  readonly state: LiveState;
  /** The last bootstrap, as of `seq`; a new one comes after each reconnect. */
  readonly bootstrap: Bootstrap & { seq: number } | undefined;
  /** Connects while someone is signed in; idempotent. */
  open(): void;
  close(): void;
  /**
   * Follows a topic until the returned function is called. After a reconnect it goes on where it was: `gap` is
   * called when the server no longer had all of what was missed.
   */
  follow(query: LiveQuery, listener: LiveListener): () => void;
}

export interface LiveDeps {
  session: Pick<Session, "id" | "bearer" | "expire" | "verify">;
  WebSocket: typeof WebSocket;
  /** As in `ServerAddress`. */
  baseUrl: string;
  page?: PagePresence;
  timers?: Timers;
  /** Ms since the epoch. */
  now?: () => number;
  /** 0 to 1. */
  random?: () => number;
  /** Told of a listener that threw. */
  failed?: (error: unknown) => void;
  /** Longest wait for the first message, ms. */
  connectTimeoutMs?: number;
  /** Silence after which the server is asked for a sign of life, and how long that may take, ms. */
  quietMs?: number;
  answerMs?: number;
}

export function createLive(deps: LiveDeps): Live {
  const { session, baseUrl, page = alwaysPresent, timers = systemTimers } = deps;
  const { now = Date.now, random = Math.random, failed = reportError } = deps;
  const { connectTimeoutMs = 8000, quietMs = 25_000, answerMs = 5000 } = deps;
  const notifier = createNotifier();
  const follows = createLiveFollows({ failed });
  const url = serverUrl("/ws/plugins", baseUrl);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";

  let state: LiveState = { kind: "closed" };
  let bootstrap: Bootstrap & { seq: number } | undefined;
  /** Of whose events these are; its tokens come and go. */
  let sessionId: string | undefined;
  let socket: Disposable & { probe(): void } | undefined;
  /** Tries since it was last open for a while. */
  let tries = 0;
  /** Sockets that were refused although the server answered /auth/me. */
  let refusals = 0;
  let cancelRetry = () => {};
  let stopWatching = () => {};

  function become(next: LiveState): void {
    state = next;
    notifier.notify();
  }

  async function connect(): Promise<void> {
    let current = true;
    cancelRetry = () => current = false;
    const bearer = await session.bearer();
    if (!current) return;
    if (bearer === undefined || session.id !== sessionId) refuse();
    else socket = openSocket(bearer);
  }

  function openSocket(bearer: string): Disposable & { probe(): void } {
    const ws = new deps.WebSocket(url.href, ["bkg", `bearer.${bearer}`]);
    let opened = false;
    const startedAtMs = now();
    let heardAtMs = startedAtMs;
    let askedAtMs: number | undefined;
    const send = (message: ClientMessage) => {
      if (ws.readyState === ws.OPEN) ws.send(JSON.stringify(message));
    };
    const probe = () => {
      if (!opened || askedAtMs !== undefined) return;
      askedAtMs = now();
      send(signOfLife);
    };
    const cancelWatch = timers.every(Math.min(answerMs, quietMs, connectTimeoutMs) / 4, () => {
      const overdue = opened
        ? askedAtMs !== undefined && now() - askedAtMs > answerMs
        : now() - heardAtMs > connectTimeoutMs;
      if (overdue) lose("The server does not answer");
      else if (now() - heardAtMs > quietMs) probe();
    });
    const dispose = () => {
      // One that is taken and dropped at once, again and again, is no good connection.
      if (opened && now() - startedAtMs > steadyMs) tries = 0;
      cancelWatch();
      ws.onmessage = ws.onclose = null;
      ws.close();
      follows.disconnected();
    };
    ws.onmessage = ({ data }) => {
      heardAtMs = now();
      askedAtMs = undefined;
      const message = readMessage(data);
      if (message?.type === "bootstrap") {
        opened = true;
        refusals = 0;
        bootstrap = { ...message.payload, seq: message.seq };
        become({ kind: "open" });
        follows.connected(message.seq, send);
      } else if (message !== undefined) follows.received(message);
    };
    ws.onclose = ({ code }) => ended(code, opened);
    return { probe, [Symbol.dispose]: dispose };
  }

  function ended(code: number, opened: boolean): void {
    switch (code) {
      case sessionEndedCode:
        // It has ended, or its rights have changed: the server knows.
        return lose("Your session has changed");
      case shutdownCode:
        return lose("The server is restarting");
      case tooSlowCode:
        return lose("This page could not keep up with the server");
      default:
        if (opened) return lose("The connection was lost");
        // After some it is no restart: a proxy lets no WebSocket through.
        return lose("The server's events do not come through", ++refusals > 10 ? longDelayMs : 0);
    }
  }

  function drop(): void {
    cancelRetry();
    cancelRetry = () => {};
    socket?.[Symbol.dispose]();
    socket = undefined;
  }

  function refuse(): void {
    drop();
    const message = "Your session has ended; sign in again";
    become({ kind: "refused", error: { code: "UNAUTHENTICATED", message, retryable: false } });
    if (session.id === sessionId) session.expire(message);
  }

  function lose(reason: string, minDelayMs = 0): void {
    drop();
    // At most 1.5 s while someone looks: a server that is back is found within 2 s.
    const maxDelayMs = page.visible ? 1500 : longDelayMs;
    const delayMs = Math.max(minDelayMs, Math.min(maxDelayMs, firstDelayMs * 2 ** tries));
    tries++;
    retryIn(delayMs * (0.75 + random() / 4), reason);
  }

  function retryIn(delayMs: number, reason: string): void {
    become({ kind: "lost", retryAtMs: now() + delayMs, reason });
    cancelRetry = timers.after(delayMs, () => void retry());
  }

  async function retry(): Promise<void> {
    cancelRetry();
    let current = true;
    cancelRetry = () => current = false;
    const answer = await session.verify();
    if (!current || sessionId === undefined) return;
    if (answer === "valid") await connect();
    else if (answer === "unreachable") lose("The server cannot be reached");
    else refuse();
  }

  /** The page is looked at again, or the network is back. */
  function wake(): void {
    if (state.kind === "open") socket?.probe();
    if (state.kind !== "lost" || socket !== undefined) return;
    tries = 0;
    void retry();
  }

  return {
    subscribe: notifier.subscribe,
    get state() {
      return state;
    },
    get bootstrap() {
      return bootstrap;
    },
    open() {
      if (session.id === undefined || sessionId === session.id) return;
      this.close();
      sessionId = session.id;
      tries = 0;
      stopWatching = page.watch(wake);
      become({ kind: "connecting" });
      void connect();
    },
    close() {
      if (sessionId === undefined) return;
      sessionId = undefined;
      stopWatching();
      drop();
      bootstrap = undefined;
      become({ kind: "closed" });
    },
    follow: (query, listener) => follows.follow(query, listener),
  };
}

const firstDelayMs = 100;
const longDelayMs = 20_000;
const steadyMs = 5000;

const signOfLife: ClientMessage = { action: "PING" };

// The values are repeated, and checked by type, because the module that has them brings zod along.
const shutdownCode: typeof socketClose.shutdown.code = 1001;
const sessionEndedCode: typeof socketClose.sessionEnded.code = 4401;
const tooSlowCode: typeof socketClose.tooSlow.code = 4408;

function readMessage(data: unknown): ServerMessage | undefined {
  try {
    const value: unknown = JSON.parse(String(data));
    return typeof value === "object" && value !== null && "type" in value
      ? value as ServerMessage
      : undefined;
  } catch {
    return undefined;
  }
}
