// TLS with certificates that change while it serves. Deno fixes a certificate when it listens, and its way down ends
// WebSockets; so the port is a relay in front of one inner server for each certificate, on the loopback: new
// connections go to the newest, and an older one ends with its last connection. Caller: serve.

import { isLoopback } from "../config.ts";
import { canonicalAddress } from "../http/trusted_proxies.ts";

export interface TlsServer {
  readonly port: number;
  /** Settles when the server has ended. */
  readonly finished: Promise<void>;
  /** For connections from now on; throws for a pair that cannot be served. */
  use(pair: CertificatePair): void;
  /** Stops accepting, and lets what runs end. */
  shutdown(): Promise<void>;
  /** Closes what is still open. */
  cut(): void;
}

/** PEM. */
export interface CertificatePair {
  cert: string;
  key: string;
}

export interface TlsServerOptions {
  hostname: string;
  port: number;
  pair: CertificatePair;
}

export type Answer = (request: Request, peerAddress: string) => Promise<Response> | Response;

/** Listens, for TLS and, as `answerPlain` says, for plain HTTP on the same port; throws as Deno does. */
export function serveTls(answer: Answer, { hostname, port, pair }: TlsServerOptions): TlsServer {
  const plain = openInner(answerPlain(answer));
  let secure = openInner(answer, pair);
  const listener = listen();
  const servers = new Set([plain, secure]);
  const relays = new Map<Deno.Conn, Promise<void>>();
  let closing = false;

  function listen(): Deno.TcpListener {
    try {
      return Deno.listen({ hostname, port });
    } catch (error) {
      void plain.server.shutdown();
      void secure.server.shutdown();
      throw error;
    }
  }

  async function accept(): Promise<void> {
    while (!closing) {
      try {
        const conn = await listener.accept();
        relays.set(conn, relay(conn).finally(() => relays.delete(conn)));
      } catch {
        // Out of descriptors, or a client that went at once: the port must outlive both.
        if (!closing) await new Promise((resolve) => setTimeout(resolve, acceptPauseMs));
      }
    }
  }

  async function relay(conn: Deno.TcpConn): Promise<void> {
    let upstream: Deno.TcpConn | undefined;
    const close = () => {
      closeQuietly(conn);
      if (upstream !== undefined) closeQuietly(upstream);
    };
    try {
      conn.setNoDelay(true);
      const first = await readFirst(conn);
      if (first === undefined) return;
      const inner = first[0] === tlsHandshake ? secure : plain;
      using stay = inner.enter();
      upstream = await Deno.connect({ hostname: innerHost, port: inner.server.addr.port });
      upstream.setNoDelay(true);
      stay.known(upstream.localAddr.port, conn.remoteAddr.hostname);
      await writeAll(upstream, first);
      const up = copy(conn, upstream).then(() => upstream?.closeWrite()).catch(close);
      await copy(upstream, conn).catch(() => {}).finally(close);
      await up;
    } catch {
      // A connection that breaks is its client's affair.
    } finally {
      close();
    }
  }

  const accepted = accept();
  let ended: Promise<void> | undefined;
  const finish = async () => {
    await accepted;
    await Promise.all([...servers].map((inner) => inner.server.shutdown()));
    await Promise.all(relays.values());
  };
  const finished = Promise.withResolvers<void>();
  return {
    port: listener.addr.port,
    finished: finished.promise,
    use(next) {
      const old = secure;
      secure = openInner(answer, next);
      servers.add(secure);
      old.retire(() => servers.delete(old));
    },
    shutdown() {
      if (ended === undefined) {
        closing = true;
        listener.close();
        ended = finish();
        ended.then(finished.resolve, finished.reject);
      }
      return ended;
    },
    cut() {
      for (const conn of relays.keys()) closeQuietly(conn);
    },
  };
}

/** This machine is answered, so that its command line and health checks need no certificate; others go to https. */
export function answerPlain(answer: Answer): Answer {
  return (request, peer) =>
    isLoopback(canonicalAddress(peer) ?? peer) ? answer(request, peer) : sendToHttps(request);
}

const innerHost = "127.0.0.1";
/** RFC 8446 5.1: the type of a connection's first record. */
const tlsHandshake = 22;
const firstByteMs = 10_000;
const acceptPauseMs = 50;
const smallBuffer = 4096;
const largeBuffer = 65_536;

interface Inner {
  readonly server: Deno.HttpServer<Deno.NetAddr>;
  /** Keeps it alive for one connection; `known` tells whose it is. */
  enter(): Disposable & { known(port: number, address: string): void };
  /** Ends it once its last connection has. */
  retire(gone: () => void): void;
}

/** Who connects to it by another way than the relay is refused: nobody would know its address. */
function openInner(answer: Answer, pair?: CertificatePair): Inner {
  const clients = new Map<number, string>();
  let count = 0;
  let retired: (() => void) | undefined;
  const server = Deno.serve(
    { hostname: innerHost, port: 0, onListen: () => {}, ...pair },
    (request, { remoteAddr }) => {
      const address = clients.get(remoteAddr.port);
      return address === undefined ? new Response(null, { status: 421 }) : answer(request, address);
    },
  );
  const endIfDone = () => {
    if (retired !== undefined && count === 0) void server.shutdown().then(retired);
  };
  return {
    server,
    enter() {
      let local: number | undefined;
      count++;
      return {
        known(port, address) {
          local = port;
          clients.set(port, address);
        },
        [Symbol.dispose]() {
          count--;
          if (local !== undefined) clients.delete(local);
          endIfDone();
        },
      };
    },
    retire(gone) {
      retired = gone;
      endIfDone();
    },
  };
}

function sendToHttps(request: Request): Response {
  const location = request.url.replace(/^http:/, "https:");
  return new Response(null, { status: 308, headers: { location, connection: "close" } });
}

/** What the client says first; undefined when it leaves or is silent. */
async function readFirst(conn: Deno.TcpConn): Promise<Uint8Array | undefined> {
  const buffer = new Uint8Array(smallBuffer);
  const timer = setTimeout(() => closeQuietly(conn), firstByteMs);
  try {
    const size = await conn.read(buffer);
    return size === null ? undefined : buffer.subarray(0, size);
  } finally {
    clearTimeout(timer);
  }
}

/** Until the end of `from`. Buffers grow where much flows: most connections are idle. */
async function copy(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  let buffer = new Uint8Array(smallBuffer);
  while (true) {
    const size = await from.read(buffer);
    if (size === null) return;
    await writeAll(to, buffer.subarray(0, size));
    if (size === buffer.length && size < largeBuffer) buffer = new Uint8Array(largeBuffer);
  }
}

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await to.write(bytes.subarray(done));
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It is closed already.
  }
}
