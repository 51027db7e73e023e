// Listens and drains: the one place that opens a port. Callers: main, tests.

import { AppError } from "../plugins/runtime/contract/error.ts";
import type { App } from "./app.ts";
import type { Logger } from "./log.ts";
import { type CertificatePaths, certificateProblem, readCertificate } from "./tls/certificate.ts";
import { watchCertificate } from "./tls/certificate_watch.ts";
import { type Answer, serveTls, type TlsServer } from "./tls/tls_server.ts";

export interface HttpServer {
  /** Where this machine reaches it, such as "http://127.0.0.1:43119". */
  readonly url: string;
  readonly port: number;
  /** Settles when the server has ended. */
  readonly finished: Promise<void>;
  /**
   * Stops accepting, lets requests and streams end for up to `drainMs`, then cuts them. A second call cuts at once.
   */
  shutdown(): Promise<void>;
}

/** From Config. */
export interface ServeAddress {
  host: string;
  port: number;
  /** PEM files; both or none. */
  tlsCert?: string | undefined;
  tlsKey?: string | undefined;
  publicUrl?: string | undefined;
}

export interface ServeOptions {
  /** Default 10 s. */
  drainMs?: number;
  /** Told of certificates that changed or will not do. */
  log?: Pick<Logger, "info" | "warn" | "error"> | undefined;
  /** How often the certificate's files are looked at, ms; default 5 s. */
  certificateCheckMs?: number;
}

/** Throws CONFLICT when the port is taken, INVALID_INPUT when the address or a certificate cannot be served. */
export function serveHttp(
  app: App,
  address: ServeAddress,
  options: ServeOptions = {},
): HttpServer {
  const { drainMs = 10_000 } = options;
  const hostname = address.host.replace(/^\[|\]$/g, "");
  const { tlsCert, tlsKey } = address;
  const server = tlsCert !== undefined && tlsKey !== undefined
    ? openTls(app, { ...address, hostname, tlsCert, tlsKey }, options)
    : openPlain(app, { ...address, hostname });
  const cut = Promise.withResolvers<void>();
  let draining: Promise<void> | undefined;
  const drain = async () => {
    app.drain();
    const closed = server.shutdown();
    const limit = setTimeout(cut.resolve, drainMs);
    let lastWait: ReturnType<typeof setTimeout> | undefined;
    // Deno's own abort throws once a graceful shutdown has begun, so the app ends its streams itself. What is
    // still being computed then is left to the host, which ends its cells, and to the end of the process.
    const forced = cut.promise.then(() => {
      app.cut();
      return new Promise<void>((resolve) => lastWait = setTimeout(resolve, afterCutMs));
    });
    await Promise.race([closed, forced]);
    server.cut();
    clearTimeout(limit);
    clearTimeout(lastWait);
    app.close();
  };
  return {
    url: urlOf(hostname, server),
    port: server.port,
    get finished() {
      return draining ?? server.finished;
    },
    shutdown() {
      if (draining !== undefined) cut.resolve();
      return draining ??= drain();
    },
  };
}

const afterCutMs = 500;

type Listening = Omit<TlsServer, "use"> & { scheme: "http" | "https" };

type Bind = Pick<ServeAddress, "host" | "port" | "publicUrl"> & { hostname: string };

function openPlain(app: App, { host, hostname, port }: Bind): Listening {
  try {
    const server = Deno.serve(
      { hostname, port, onListen: () => {} },
      (request, { remoteAddr }) => app.fetch(request, remoteAddr.hostname),
    );
    const { addr, finished } = server;
    const shutdown = () => server.shutdown();
    return { scheme: "http", port: addr.port, finished, shutdown, cut: () => {} };
  } catch (cause) {
    throw bindError(cause, `${host}:${port}`);
  }
}

function openTls(
  app: App,
  { host, hostname, port, publicUrl, ...paths }: Bind & CertificatePaths,
  { log, certificateCheckMs: everyMs }: ServeOptions,
): Listening {
  const certificate = readCertificate(paths);
  const problem = certificateProblem(certificate, Date.now());
  if (problem !== undefined) {
    log?.warn(`About the certificate "${paths.tlsCert}": ${problem}`);
  }
  const answer = isWhollySecure(publicUrl) ? withHsts(app) : app.fetch;
  let server: TlsServer;
  try {
    server = serveTls(answer, { hostname, port, pair: certificate });
  } catch (cause) {
    if (cause instanceof Deno.errors.InvalidData) throw unservable(paths, cause);
    throw bindError(cause, `${host}:${port}`);
  }
  const watch = watchCertificate(paths, {
    changed: (next) => {
      try {
        server.use(next);
      } catch (cause) {
        throw unservable(paths, cause);
      }
      const expires = new Date(next.expiresAtMs).toISOString();
      log?.info("the certificate was renewed", { file: paths.tlsCert, expires });
    },
    failed: (error) => log?.error("the certificate changed, and the old one stays", { error }),
    ...(everyMs === undefined ? {} : { everyMs }),
  });
  return {
    ...server,
    scheme: "https",
    shutdown() {
      watch[Symbol.dispose]();
      return server.shutdown();
    },
  };
}

/** HSTS speaks for all ports of a name: only who gives bkg the whole name, by the usual port, may mean that. */
function isWhollySecure(publicUrl: string | undefined): boolean {
  return publicUrl !== undefined && /^https:\/\/[^/]+/.test(publicUrl) &&
    new URL(publicUrl).port === "";
}

/** RFC 6797; one year. Plain answers must not carry it (7.2), and a socket's answer may not be changed. */
function withHsts(app: App): Answer {
  return async (request, peerAddress) => {
    const response = await app.fetch(request, peerAddress);
    if (request.url.startsWith("https:") && response.status !== 101) {
      response.headers.set("strict-transport-security", "max-age=31536000");
    }
    return response;
  };
}

function unservable({ tlsCert, tlsKey }: CertificatePaths, cause: unknown): AppError {
  return new AppError("INVALID_INPUT", `"${tlsCert}" with "${tlsKey}" cannot be served as TLS`, {
    cause,
  });
}

function bindError(cause: unknown, address: string): unknown {
  if (cause instanceof Deno.errors.AddrInUse) {
    return new AppError(
      "CONFLICT",
      `${address} is in use, perhaps by another bkg; choose another port with --port or BKG_PORT`,
      { cause },
    );
  }
  if (cause instanceof Deno.errors.PermissionDenied) {
    return new AppError("FORBIDDEN", `${address} may not be bound by this user`, { cause });
  }
  if (cause instanceof Deno.errors.AddrNotAvailable || cause instanceof Error) {
    return new AppError("INVALID_INPUT", `${address} cannot be bound: ${cause.message}`, { cause });
  }
  return cause;
}

function urlOf(hostname: string, { scheme, port }: Listening): string {
  const everywhere = hostname === "0.0.0.0" || hostname === "::";
  const name = everywhere ? "127.0.0.1" : hostname.includes(":") ? `[${hostname}]` : hostname;
  return `${scheme}://${name}:${port}`;
}
