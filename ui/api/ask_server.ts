// One request to the server. Callers: client.ts, stores/session.ts. Whatever goes wrong on the way, a proxy's page
// instead of an answer included, becomes an AppError that a person understands.

import { AppError, isErrorCode } from "../../plugins/runtime/contract/error.ts";

export interface ServerAddress {
  fetch: typeof fetch;
  /** Where the page lives, such as "https://example.org/bkg/"; paths are relative to it. */
  baseUrl: string;
}

export interface Ask {
  /** Such as "/api/plugins": below the page's own address, wherever that is. */
  path: string;
  method?: string;
  token?: string | undefined;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** Lets the request end after its page was closed. */
  keepalive?: boolean;
}

/** A successful response. Throws the server's own error, UNAVAILABLE when it is not reached, CANCELLED. */
export async function askServer({ fetch, baseUrl }: ServerAddress, ask: Ask): Promise<Response> {
  const { path, method = "GET", token, body, signal, keepalive = false } = ask;
  const headers = new Headers(ask.headers);
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  if (body !== undefined) headers.set("content-type", "application/json");
  let response: Response;
  try {
    response = await fetch(serverUrl(path, baseUrl), {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ?? null,
      keepalive,
      cache: "no-cache",
      credentials: "same-origin",
      // The server never redirects, so this is a proxy that wants its own sign-in.
      redirect: "manual",
    });
  } catch (cause) {
    throw connectionError(cause, signal);
  }
  if (response.ok) return response;
  throw await refusalOf(response, signal);
}

/** The JSON of a response. Throws UNAVAILABLE when something else than bkg answered. */
export async function readJson(response: Response, signal?: AbortSignal): Promise<unknown> {
  if (response.status === 204) return undefined;
  if (!isJson(response)) {
    await response.body?.cancel();
    throw new AppError(
      "UNAVAILABLE",
      "Something else than bkg answered; a proxy before the server may have replaced its answer",
    );
  }
  let text: string;
  try {
    text = await response.text();
  } catch (cause) {
    throw connectionError(cause, signal);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError("UNAVAILABLE", "The server's answer came in pieces only", { cause });
  }
}

/** What `fetch`, or reading its body, threw. */
export function connectionError(cause: unknown, signal?: AbortSignal): AppError {
  if (cause instanceof AppError) return cause;
  if (signal?.aborted) {
    return signal.reason instanceof AppError
      ? signal.reason
      : new AppError("CANCELLED", "The request was cancelled", { cause });
  }
  return new AppError(
    "UNAVAILABLE",
    "The server cannot be reached; it may have stopped, or this device may be offline",
    { cause },
  );
}

/** The error in a problem's JSON (RFC 9457); undefined when it is none. */
export function problemError(value: unknown): AppError | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { code, detail, retryable, details } = value as Record<string, unknown>;
  if (typeof code !== "string" || typeof detail !== "string") return undefined;
  return new AppError(isErrorCode(code) ? code : "INTERNAL", detail, {
    ...(typeof retryable === "boolean" ? { retryable } : {}),
    details,
  });
}

/** Throws INVALID_INPUT for a path that would lead away from the server, and the credential with it. */
export function serverUrl(path: string, baseUrl: string): URL {
  const base = new URL(".", baseUrl);
  const url = new URL(`./${path.replace(/^\/+/, "")}`, base);
  if (url.origin === base.origin && url.pathname.startsWith(base.pathname)) return url;
  throw new AppError("INVALID_INPUT", `"${path}" is no path of this server`);
}

async function refusalOf(response: Response, signal?: AbortSignal): Promise<AppError> {
  const { status } = response;
  const ours = isJson(response);
  const text = await response.text().catch(() => "");
  if (signal?.aborted) return connectionError(undefined, signal);
  if (ours) {
    try {
      const error = problemError(JSON.parse(text));
      if (error !== undefined) return error;
    } catch {
      // Cut off on the way: the status still tells something.
    }
  }
  if (response.type === "opaqueredirect" || (status >= 300 && status < 400)) {
    return new AppError(
      "UNAVAILABLE",
      "A proxy before the server wants you to sign in there; reload this page",
    );
  }
  return new AppError("UNAVAILABLE", `A proxy before the server answered with status ${status}`);
}

function isJson(response: Response): boolean {
  const type = response.headers.get("content-type") ?? "";
  return /^application\/(?:[\w.-]+\+)?json\b/i.test(type);
}
