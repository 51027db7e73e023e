// For tests of the live socket: a server that does what it is told, and remembers its log over restarts.

import type { LogLine } from "../../plugins/runtime/host/host.ts";
import type { ClientMessage, ServerMessage } from "../../plugins/runtime/host/socket_message.ts";

export interface LiveServer extends AsyncDisposable {
  readonly baseUrl: string;
  readonly sockets: Set<WebSocket>;
  /** What clients sent, over all sockets. */
  readonly received: ClientMessage[];
  readonly tokens: Set<string>;
  /** Answers of /auth/me with a token that is known. */
  verified: number;
  /** Does not take sockets, as a proxy that does not know them. */
  refuseSockets: boolean;
  /** Takes sockets and says nothing any more, as a suspended machine. */
  mute: boolean;
  /** Adds a line to a plugin's log and tells who follows it. */
  write(pluginId: string, message: string): LogLine;
  /** As `write`, but the lines wait and go out together. */
  writeLater(pluginId: string, message: string): LogLine;
  closeAll(code: number): void;
  stop(): Promise<void>;
  start(): void;
  /** Starts to count anew, with an empty log. */
  forget(): void;
  /** Keeps only the last `count` lines. */
  keep(count: number): void;
}

export function createLiveServer(): LiveServer {
  let server: Deno.HttpServer<Deno.NetAddr> | undefined;
  let port = 0;
  let seq = 1000;
  let droppedSeq = 0;
  let log: { pluginId: string; line: LogLine }[] = [];
  let held: { pluginId: string; line: LogLine }[] = [];
  const subscriptions = new Map<WebSocket, Set<string>>();
  const live: LiveServer = {
    get baseUrl() {
      return `http://127.0.0.1:${port}/bkg/`;
    },
    sockets: new Set(),
    received: [],
    tokens: new Set(["good"]),
    verified: 0,
    refuseSockets: false,
    mute: false,
    write(pluginId, message) {
      const line = live.writeLater(pluginId, message);
      for (const socket of live.sockets) tell(socket, held);
      held = [];
      return line;
    },
    writeLater(pluginId, message) {
      const line: LogLine = { seq: ++seq, atMs: seq, level: "info", source: "plugin", message };
      log.push({ pluginId, line });
      held.push({ pluginId, line });
      return line;
    },
    closeAll(code) {
      for (const socket of live.sockets) socket.close(code);
    },
    async stop() {
      for (const socket of live.sockets) socket.close(1001);
      await server?.shutdown();
      server = undefined;
    },
    start() {
      server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, answer);
      ({ port } = server.addr);
    },
    forget() {
      seq = 0;
      log = [];
    },
    keep(count) {
      droppedSeq = log.at(-count - 1)?.line.seq ?? 0;
      log = log.slice(-count);
    },
    [Symbol.asyncDispose]: () => live.stop(),
  };
  live.start();
  return live;

  function answer(request: Request): Response {
    const { pathname } = new URL(request.url);
    if (pathname === "/bkg/auth/me") {
      const token = request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
      if (!live.tokens.has(token)) {
        const problem = { code: "UNAUTHENTICATED", detail: "A valid key is needed" };
        return Response.json(problem, { status: 401 });
      }
      live.verified++;
      return Response.json({ principal: { id: "operator", role: "operator" } });
    }
    const offered = request.headers.get("sec-websocket-protocol")?.split(", ") ?? [];
    const token = offered.find((name) => name.startsWith("bearer."))?.slice(7) ?? "";
    if (pathname !== "/bkg/ws/plugins" || live.refuseSockets || !live.tokens.has(token)) {
      return new Response("no", { status: 401 });
    }
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "bkg" });
    socket.onopen = () => {
      live.sockets.add(socket);
      subscriptions.set(socket, new Set());
      say(socket, { type: "bootstrap", seq, payload: { version: "1", plugins: [] } });
    };
    socket.onclose = () => live.sockets.delete(socket);
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data) as ClientMessage;
      live.received.push(message);
      if (message.action === "UNSUB" || message.action === "SUB") take(socket, message);
    };
    return response;
  }

  function take(
    socket: WebSocket,
    message: Extract<ClientMessage, { action: "SUB" | "UNSUB" }>,
  ): void {
    const { topic, pluginId } = message;
    const payload = { topic, ...(pluginId === undefined ? {} : { pluginId }) };
    const keys = subscriptions.get(socket)!;
    if (message.action === "UNSUB") {
      keys.delete(`${topic} ${pluginId}`);
      return say(socket, { type: "unsubscribed", payload });
    }
    keys.add(`${topic} ${pluginId}`);
    const { after } = message;
    if (after !== undefined && topic === "logs") {
      const missed = log.filter((entry) =>
        entry.line.seq > after && (pluginId === undefined || entry.pluginId === pluginId)
      );
      for (const entry of missed) sendLines(socket, [entry]);
    }
    const gap = after !== undefined && after < droppedSeq;
    say(socket, { type: "subscribed", payload: { ...payload, gap } });
  }

  function tell(socket: WebSocket, entries: { pluginId: string; line: LogLine }[]): void {
    const keys = subscriptions.get(socket);
    for (const pluginId of new Set(entries.map((entry) => entry.pluginId))) {
      if (!keys?.has("logs undefined") && !keys?.has(`logs ${pluginId}`)) continue;
      sendLines(socket, entries.filter((entry) => entry.pluginId === pluginId));
    }
  }

  function sendLines(socket: WebSocket, entries: { pluginId: string; line: LogLine }[]): void {
    const lines = entries.map(({ line }) => line);
    const { pluginId } = entries[0]!;
    say(socket, { type: "logs", seq: lines.at(-1)!.seq, payload: { pluginId, lines } });
  }

  function say(socket: WebSocket, message: ServerMessage): void {
    if (!live.mute && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }
}
