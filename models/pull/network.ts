// The one way out of a pull: every hop is checked, tied to the address that was checked, and bounded in time.
// Callers: plan.ts, download.ts. Invariant: the token goes to the hub's own origin alone; offline nothing goes out.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { bareHost } from "./addresses.ts";
import { type PullBody, watchBody } from "./body.ts";
import { type PullLimits, pullLimits } from "./limits.ts";
import { createConnections, type Resolve } from "./connections.ts";
import type { RawResponse } from "./http1.ts";
import { answerProblem } from "./answer_problem.ts";

export interface PullNetworkOptions {
  /** BKG_OFFLINE: every request fails at once, and no name is looked up. */
  offline: boolean;
  /** HF_ENDPOINT: where the hub is; its host may be private, and may speak plain HTTP. */
  endpoint: string;
  token?: string;
  /** Names and addresses that may be private, and may speak plain HTTP. */
  allowedPrivateHosts: readonly string[];
  resolve?: Resolve;
  /** PEM, beside those of the system. */
  caCerts?: readonly string[];
  connections?: number;
  /** hash_worker.ts as it was built; without it, its source. */
  hashWorker?: URL;
  limits?: Partial<PullLimits>;
}

export interface PullNetwork {
  readonly offline: boolean;
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly hasToken: boolean;
  readonly limits: Readonly<PullLimits>;
  readonly hashWorker: URL;
  /** Connections are shared within a session, and closed with it. */
  open(): PullSession;
}

export interface PullSession extends Disposable {
  /**
   * Asks once, following redirects. Answers what is 2xx; else throws NOT_FOUND, FORBIDDEN, RATE_LIMITED, UNAVAILABLE
   * or TIMEOUT, retryable where trying again may help, with `details.status`.
   */
  request(url: string, options: RequestOptions): Promise<PullResponse>;
}

export interface RequestOptions {
  headers?: Record<string, string>;
  signal: AbortSignal;
}

export interface PullResponse {
  status: number;
  headers: Headers;
  /** Of the last hop; may be signed, so it is for no log. */
  url: string;
  body: PullBody;
}

export function createPullNetwork(options: PullNetworkOptions): PullNetwork {
  const { offline, token } = options;
  const limits = { ...pullLimits, ...options.limits };
  if (options.connections !== undefined) limits.connections = options.connections;
  const endpoint = options.endpoint.replace(/\/+$/, "");
  const hub = new URL(endpoint);
  const allowed = new Set([hub.hostname, ...options.allowedPrivateHosts].map(bareHost));

  function checkAddress(url: URL): void {
    if (url.username !== "" || url.password !== "") {
      throw new AppError("FORBIDDEN", `An address at "${url.host}" holds a name or password`);
    }
    if (url.protocol === "https:") return;
    if (url.protocol === "http:" && allowed.has(bareHost(url.hostname))) return;
    const scheme = url.protocol.slice(0, 20);
    throw new AppError(
      "FORBIDDEN",
      `"${url.host}" was to be asked by "${scheme}", which hosts in BKG_PRIVATE_HOSTS alone may speak`,
    );
  }

  function headersFor(url: URL, given: Record<string, string> = {}): Headers {
    // Nothing is unpacked: a small answer could become a huge file.
    const own = { "accept-encoding": "identity", "user-agent": "bkg", accept: "*/*" };
    const headers = new Headers({ ...own, ...given });
    headers.delete("authorization");
    if (token !== undefined && url.origin === hub.origin) {
      headers.set("authorization", `Bearer ${token}`);
    }
    return headers;
  }

  function open(): PullSession {
    const connections = createConnections({
      isPrivateAllowed: (host) => allowed.has(host),
      ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
      ...(options.caCerts === undefined ? {} : { caCerts: options.caCerts }),
    });

    async function requestOnce(url: URL, { headers, signal }: RequestOptions): Promise<Hop> {
      const stop = new AbortController();
      const forward = () => stop.abort(signal.reason);
      if (signal.aborted) forward();
      signal.addEventListener("abort", forward, { once: true });
      const late = new AppError("TIMEOUT", `"${url.host}" does not answer`, { retryable: true });
      const timer = setTimeout(() => stop.abort(late), limits.headersTimeoutMs);
      try {
        const headersNow = headersFor(url, headers);
        const asked = { headers: headersNow, signal: stop.signal };
        const response = await abortable(connections.get(url, asked), stop.signal);
        return {
          ...{ response, stop },
          release() {
            signal.removeEventListener("abort", forward);
            response.done();
          },
        };
      } catch (error) {
        signal.removeEventListener("abort", forward);
        throw error;
      } finally {
        clearTimeout(timer);
      }
    }

    return {
      async request(address, { headers = {}, signal }) {
        if (offline) {
          throw new AppError("UNAVAILABLE", "BKG_OFFLINE is set: nothing is downloaded", {
            retryable: false,
          });
        }
        signal.throwIfAborted();
        let url = new URL(address);
        for (let hops = 0; hops <= limits.redirects; hops++) {
          checkAddress(url);
          const { response, stop, release } = await requestOnce(url, { headers, signal });
          const location = redirectOf(response);
          const problem = location === undefined ? answerProblem(response, url) : undefined;
          if (location !== undefined || problem !== undefined) release();
          if (problem !== undefined) throw problem;
          if (location === undefined) {
            const body = watchBody(response, { host: url.host, stop, release, limits });
            return { status: response.status, headers: response.headers, url: url.href, body };
          }
          const next = URL.parse(location, url);
          if (next === null) {
            throw new AppError("UNAVAILABLE", `"${url.host}" redirects to no address`, {
              retryable: false,
            });
          }
          url = next;
        }
        throw new AppError("UNAVAILABLE", `"${url.host}" redirects too often`, {
          retryable: false,
        });
      },
      [Symbol.dispose]: () => connections[Symbol.dispose](),
    };
  }

  const { hashWorker = new URL("./hash_worker.ts", import.meta.url) } = options;
  return { offline, endpoint, hasToken: token !== undefined, limits, hashWorker, open };
}

/** An answer of one hop; `release` gives the connection back and stops listening to the caller's signal. */
interface Hop {
  response: RawResponse;
  stop: AbortController;
  release(): void;
}

function redirectOf(response: RawResponse): string | undefined {
  if (![301, 302, 303, 307, 308].includes(response.status)) return undefined;
  return response.headers.get("location") ?? undefined;
}

/** Looking up a name and connecting cannot be aborted, but need not be waited for. */
function abortable<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
