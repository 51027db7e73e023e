// For tests of the page's side of the socket: the real application over plugins that only write log lines. It stops
// and starts again on its port; what was written while it was away is there afterwards, as from its disk.

import { createEventJournal, type EventJournal } from "../../plugins/runtime/host/event_journal.ts";
import type {
  HistoryQuery,
  HostEvent,
  LogLine,
  PluginHost,
  PluginView,
} from "../../plugins/runtime/host/host.ts";
import { systemTimers } from "../../plugins/runtime/host/timers.ts";
import type { App } from "../app.ts";
import type { Tokens } from "../auth/sign_in.ts";
import { createTestApp } from "./test_app.ts";
import { openTestAccess, type TestAccess, visitor } from "./test_access.ts";
import { openTestDatabase } from "./test_database.ts";

export interface LiveServer extends AsyncDisposable {
  /** Below a prefix, as behind a proxy. */
  readonly baseUrl: string;
  readonly access: TestAccess;
  /** Requests by path, those for sockets included. */
  readonly requests: string[];
  /** Lets no socket through, as a proxy that does not know them. */
  refuseSockets: boolean;
  /** A new session of the operator. */
  signIn(): Promise<Tokens>;
  write(pluginId: string, message: string): number;
  start(): void;
  stop(): Promise<void>;
  /** Loses all lines, and the clock goes back: numbers start anew. */
  forget(): void;
}

export async function createLiveServer(): Promise<LiveServer> {
  const database = await openTestDatabase();
  const access = await openTestAccess(database.db, { now: Date.now, timers: systemTimers });
  const lines = new Map<string, LogLine[]>([["one", []], ["two", []], ["three", []]]);
  let nowMs = Date.now();
  let journal = openJournal();
  let app: App | undefined;
  let server: Deno.HttpServer<Deno.NetAddr> | undefined;
  let port = 0;

  function openJournal(): EventJournal {
    return createEventJournal({
      stored: lines,
      now: () => nowMs,
      onLine: (pluginId, line) => lines.get(pluginId)!.push(line),
    });
  }

  const live: LiveServer = {
    get baseUrl() {
      return `http://127.0.0.1:${port}/bkg/`;
    },
    access,
    requests: [],
    refuseSockets: false,
    signIn: () => access.signIn.withCode(access.signIn.createCode().code, visitor),
    write(pluginId, message) {
      journal.add(pluginId, {
        topic: "logs",
        line: { atMs: nowMs, level: "info", source: "plugin", message },
      });
      return journal.lastSeq;
    },
    start() {
      journal = openJournal();
      const host = {
        list: () => [],
        get: (id: string) => ({ id } as PluginView),
        get lastSeq() {
          return journal.lastSeq;
        },
        history: (query: HistoryQuery) => journal.history(query),
        subscribe: (listener: (event: HostEvent) => void) => journal.subscribe(listener),
      } as Partial<PluginHost> as PluginHost;
      const { auth, signIn } = access;
      const config = { publicUrl: "http://127.0.0.1/bkg" };
      const { app: started } = createTestApp(config, { host, auth, signIn });
      app = started;
      server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, (request) => {
        const { pathname } = new URL(request.url);
        live.requests.push(pathname);
        const refused = live.refuseSockets && pathname.includes("/ws/");
        return refused ? new Response("Bad gateway", { status: 502 }) : started.fetch(request);
      });
      ({ port } = server.addr);
    },
    async stop() {
      await Promise.all([server?.shutdown(), app?.drain()]);
      app?.close();
      server = app = undefined;
    },
    forget() {
      for (const pluginLines of lines.values()) pluginLines.length = 0;
      nowMs -= 60_000;
      journal = openJournal();
    },
    async [Symbol.asyncDispose]() {
      await live.stop();
      await access[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
  live.start();
  return live;
}
