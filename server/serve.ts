// Listens and drains: the one place that opens a port. Callers: main, tests.

import { AppError } from "../plugins/runtime/contract/error.ts";
import type { App } from "./app.ts";

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

export interface ServeOptions {
  /** Default 10 s. */
  drainMs?: number;
}

/** Throws CONFLICT when the port is taken, INVALID_INPUT when the address cannot be bound. */
export function serveHttp(
  app: App,
  { host, port }: { host: string; port: number },
  { drainMs = 10_000 }: ServeOptions = {},
): HttpServer {
  const hostname = host.replace(/^\[|\]$/g, "");
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve(
      { hostname, port, onListen: () => {} },
      (request, { remoteAddr }) => app.fetch(request, remoteAddr.hostname),
    );
  } catch (cause) {
    throw bindError(cause, `${host}:${port}`);
  }
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
    clearTimeout(limit);
    clearTimeout(lastWait);
    app.close();
  };
  return {
    url: urlOf(hostname, server.addr.port),
    port: server.addr.port,
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

function urlOf(hostname: string, port: number): string {
  const everywhere = hostname === "0.0.0.0" || hostname === "::";
  const name = everywhere ? "127.0.0.1" : hostname.includes(":") ? `[${hostname}]` : hostname;
  return `http://${name}:${port}`;
}
