// Connections to addresses that were checked: a name is looked up once, and what was checked is what is connected to,
// however the name resolves the next time. One set per pull, closed with it. Caller: network.ts.

import { lookup } from "node:dns/promises";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { bareHost, isAddress, isPublicAddress } from "./addresses.ts";
import { ByteSource, exchange, type RawResponse } from "./http1.ts";

/** The addresses of a name, as the system has them. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export interface ConnectionsOptions {
  isPrivateAllowed(host: string): boolean;
  resolve?: Resolve;
  /** PEM, beside those of the system. */
  caCerts?: readonly string[];
}

export interface Connections extends Disposable {
  /**
   * Sends one GET. Throws FORBIDDEN when an address of the URL's host is private, UNAVAILABLE when none answers. The
   * signal closes the connection, until `done`.
   */
  get(
    url: URL,
    options: { headers: Headers; signal: AbortSignal },
  ): Promise<RawResponse & { done(): void }>;
}

export function createConnections(options: ConnectionsOptions): Connections {
  const { caCerts = [] } = options;
  const names = createNames(options);
  const idle = new Map<string, ByteSource[]>();
  const open = new Set<ByteSource>();

  async function connect(url: URL, address: string, signal: AbortSignal): Promise<ByteSource> {
    const isSecure = url.protocol === "https:";
    const port = Number(url.port || (isSecure ? 443 : 80));
    let conn: Deno.Conn = await Deno.connect({ hostname: address, port });
    const end = () => closeQuietly(conn);
    signal.addEventListener("abort", end, { once: true });
    try {
      signal.throwIfAborted();
      if (isSecure) {
        const hostname = bareHost(url.hostname);
        const secure = await Deno.startTls(conn as Deno.TcpConn, {
          ...{ hostname, caCerts: [...caCerts], alpnProtocols: ["http/1.1"] },
        });
        conn = secure;
        await secure.handshake();
      }
    } catch (error) {
      end();
      throw error;
    } finally {
      signal.removeEventListener("abort", end);
    }
    const source = new ByteSource(conn);
    open.add(source);
    return source;
  }

  function close(source: ByteSource): void {
    open.delete(source);
    source.close();
  }

  async function send(
    source: ByteSource,
    { url, headers, signal }: { url: URL; headers: Headers; signal: AbortSignal },
  ): Promise<RawResponse & { done(): void }> {
    const abort = () => close(source);
    signal.addEventListener("abort", abort, { once: true });
    try {
      signal.throwIfAborted();
      const response = await exchange(source, { url, headers });
      return {
        ...{ status: response.status, headers: response.headers },
        read: (into) => response.read(into),
        get isReusable() {
          return response.isReusable;
        },
        done() {
          signal.removeEventListener("abort", abort);
          if (!response.isReusable || !open.has(source)) return close(source);
          idle.set(url.origin, [...idle.get(url.origin) ?? [], source]);
        },
      };
    } catch (error) {
      signal.removeEventListener("abort", abort);
      close(source);
      throw error;
    }
  }

  return {
    async get(url, { headers, signal }) {
      const request = { url, headers, signal };
      for (let source = take(idle, url); source !== undefined; source = take(idle, url)) {
        try {
          return await send(source, request);
        } catch {
          // The server closed it while nobody used it.
          signal.throwIfAborted();
        }
      }
      let cause: unknown;
      for (const { address, works, fails } of await names.find(url)) {
        try {
          const response = await send(await connect(url, address, signal), request);
          works();
          return response;
        } catch (error) {
          signal.throwIfAborted();
          fails();
          cause = error;
        }
      }
      if (cause instanceof AppError) throw cause;
      throw new AppError("UNAVAILABLE", `The connection to "${url.host}" failed`, { cause });
    },
    [Symbol.dispose]() {
      for (const source of open) source.close();
      open.clear();
      idle.clear();
    },
  };
}

export interface CheckedAddress {
  address: string;
  /** This one works: it is tried first from now on. */
  works(): void;
  /** It does not: the name is looked up, and checked, again. */
  fails(): void;
}

/** Looks names up once, and checks each answer. */
export function createNames(
  { isPrivateAllowed, resolve = resolveBySystem }: ConnectionsOptions,
): { find(url: URL): Promise<readonly CheckedAddress[]> } {
  /** By host, in the order to be tried. */
  const known = new Map<string, readonly string[]>();

  async function lookUp(host: string): Promise<readonly string[]> {
    const addresses = isAddress(host) ? [host] : await resolve(host).catch((cause) => {
      throw new AppError("UNAVAILABLE", `The name "${host}" has no address`, { cause });
    });
    if (addresses.length === 0) {
      throw new AppError("UNAVAILABLE", `The name "${host}" has no address`);
    }
    if (!isPrivateAllowed(host) && !addresses.every(isPublicAddress)) {
      throw new AppError(
        "FORBIDDEN",
        `"${host}" is in a private network, from which nothing is pulled unless it is in BKG_PRIVATE_HOSTS`,
      );
    }
    // Many networks announce IPv6 and lose its packets.
    return addresses.toSorted((a, b) => Number(a.includes(":")) - Number(b.includes(":")))
      .slice(0, maxAddresses);
  }

  return {
    async find(url) {
      const host = bareHost(url.hostname);
      const addresses = known.get(host) ?? await lookUp(host);
      known.set(host, addresses);
      return addresses.map((address) => ({
        address,
        works() {
          known.set(host, [address, ...addresses.filter((other) => other !== address)]);
        },
        fails: () => known.delete(host),
      }));
    },
  };
}

const maxAddresses = 4;

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // TLS took it over, or it is closed.
  }
}

function take(idle: Map<string, ByteSource[]>, url: URL): ByteSource | undefined {
  return idle.get(url.origin)?.pop();
}

async function resolveBySystem(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}
