// A served application over plugins in memory, and its clients: WebSockets, and bare TCP for what no WebSocket
// would do. Caller: tests of server/ws.

import assert from "node:assert/strict";
import type { ServerMessage } from "../../plugins/runtime/host/socket_message.ts";
import {
  createTestHost,
  installed,
  type TestCell,
  type TestPlugin,
} from "../../plugins/runtime/host/testing.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { type App, createApp } from "../app.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import { createOperatorAuthenticator } from "./operator_authenticator.ts";
import type { HttpConfig } from "../http/services.ts";
import { createLogger } from "../log.ts";
import { createMetrics } from "../observability/metrics.ts";
import { type HttpServer, serveHttp } from "../serve.ts";
import type { Jobs } from "../services/jobs.ts";
import { token, until } from "./test_app.ts";
import { createTestGuard } from "./test_guard.ts";

export interface SocketHost extends AsyncDisposable {
  readonly app: App;
  readonly server: HttpServer;
  readonly test: ReturnType<typeof createTestHost>;
  /** All that was logged. */
  logged(): string;
  /** Starts the plugin; answers its cell. */
  start(pluginId: string): Promise<TestCell>;
  open(options?: OpenOptions): Promise<SocketClient>;
  connect(path?: string): Promise<RawClient>;
}

export interface OpenOptions {
  path?: string;
  protocols?: string[];
  headers?: Record<string, string>;
}

/** Plugins `alpha` and `beta`, whose guests do as `guests` says. */
export function serveSocketHost(
  guests: Record<string, TestPlugin> = {},
  { config = {}, auth = createOperatorAuthenticator(token), jobs }: {
    config?: Partial<HttpConfig>;
    auth?: Authenticator;
    jobs?: Jobs;
  } = {},
): SocketHost {
  const test = createTestHost(
    ["alpha", "beta"].map((id) => {
      const names = Object.keys(guests[id] ?? {}).concat(`${id}.idle`);
      return installed(
        id,
        Object.fromEntries(
          names.map((name) => [name, { streaming: /count|flood|stuck/.test(name) }]),
        ),
        { limits: { concurrency: 100, queue: 100 } },
      );
    }),
    { alpha: { "alpha.idle": () => null, ...guests["alpha"] }, beta: { "beta.idle": () => null } },
  );
  let text = "";
  const app = createApp({
    host: test.host,
    ...createTestGuard(test.host),
    auth,
    jobs,
    models: {
      list: () => Promise.resolve([]),
      get: (id) => Promise.reject(new AppError("NOT_FOUND", `There is no model "${id}"`)),
    },
    config: {
      version: "1.2.3",
      host: "127.0.0.1",
      allowedHosts: [],
      allowedOrigins: ["https://friend.example"],
      ...config,
    },
    log: createLogger({ level: "debug", write: (lines) => text += lines }),
    metrics: createMetrics(),
  });
  const server = serveHttp(app, { host: "127.0.0.1", port: 0 }, { drainMs: 2000 });
  const url = server.url.replace("http", "ws");
  return {
    app,
    server,
    test,
    logged: () => text,
    async start(pluginId) {
      await test.host.start(pluginId, { id: "operator", role: "operator" });
      return test.last();
    },
    async open(
      { path = "/ws/plugins", protocols = ["bkg", `bearer.${token}`], headers = {} } = {},
    ) {
      const client = new SocketClient(new WebSocket(url + path, { protocols, headers }));
      await client.opened;
      return client;
    },
    connect: (path) => RawClient.connect(server.port, path),
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await test.host[Symbol.asyncDispose]();
    },
  };
}

/** Keeps all that came, so that a test may look for it later. */
export class SocketClient {
  readonly socket: WebSocket;
  readonly opened: Promise<void>;
  readonly closed: Promise<CloseEvent>;
  readonly messages: ServerMessage[] = [];

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.opened = new Promise((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = (event) => reject(new Error((event as ErrorEvent).message));
    });
    this.closed = new Promise((resolve) => socket.onclose = resolve);
    socket.onmessage = ({ data }) => this.messages.push(JSON.parse(data));
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** Those of one type. */
  of<Type extends ServerMessage["type"]>(type: Type): Extract<ServerMessage, { type: Type }>[] {
    return this.messages.filter((message) => message.type === type) as Extract<
      ServerMessage,
      { type: Type }
    >[];
  }

  /** Waits for the `count`th message of a type. */
  async nth<Type extends ServerMessage["type"]>(type: Type, count = 1) {
    await until(() => this.of(type).length >= count);
    return this.of(type)[count - 1]!;
  }

  /** Subscribes and waits until that is confirmed. */
  async subscribe(topic: string, rest: { pluginId?: string; after?: number } = {}) {
    const before = this.of("subscribed").length;
    this.send({ action: "SUB", topic, ...rest });
    return (await this.nth("subscribed", before + 1)).payload;
  }

  /** The `seq` of each log line that came, in order. */
  lineSeqs(): number[] {
    return this.of("logs").flatMap(({ payload }) => payload.lines.map(({ seq }) => seq));
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

/** A client that has upgraded and then does what it likes. */
export class RawClient {
  readonly conn: Deno.TcpConn;

  constructor(conn: Deno.TcpConn) {
    this.conn = conn;
  }

  static async connect(port: number, path = "/ws/plugins"): Promise<RawClient> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    const client = new RawClient(conn);
    await client.write(new TextEncoder().encode(
      `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n` +
        "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        `authorization: Bearer ${token}\r\n\r\n`,
    ));
    // The head alone: what follows stays unread.
    let head = "";
    const byte = new Uint8Array(1);
    while (!head.endsWith("\r\n\r\n")) {
      if (await conn.read(byte) === null) break;
      head += String.fromCharCode(byte[0]!);
    }
    assert.match(head, /^HTTP\/1\.1 101 /);
    return client;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.conn.write(bytes.subarray(at));
  }

  /** A whole text message. */
  async send(message: unknown): Promise<void> {
    const payload = new TextEncoder().encode(JSON.stringify(message));
    await this.write(frameHead(0x81, payload.length));
    await this.write(payload);
  }
}

/** The start of a frame that is masked with zeros; `first` is FIN, RSV and the opcode (RFC 6455, 5.2). */
export function frameHead(first: number, length: number): Uint8Array {
  const head = new Uint8Array(14);
  head[0] = first;
  head[1] = 0x80 | 127;
  new DataView(head.buffer).setBigUint64(2, BigInt(length));
  return head;
}
