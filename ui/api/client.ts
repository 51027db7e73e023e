// The server's HTTP API. Every failure is an AppError: the server's own words, or why it was not reached.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Session } from "../stores/session.ts";
import {
  type Ask,
  askServer,
  connectionError,
  problemError,
  readJson,
  type ServerAddress,
} from "./ask_server.ts";
import { createEventParser, type ServerEvent } from "./event_parser.ts";

export interface Api {
  /** Throws what the server answered, UNAVAILABLE when it cannot be reached, TIMEOUT after 30 s. */
  get<Answer>(path: string, options?: { signal?: AbortSignal }): Promise<Answer>;
  send<Answer>(
    method: "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    options?: { body?: unknown; signal?: AbortSignal },
  ): Promise<Answer>;
  /** The whole response, for files; throws as above when its status is no success. */
  fetch(
    path: string,
    options?: { headers?: Record<string, string>; signal?: AbortSignal },
  ): Promise<Response>;
  /** Calls a capability on the server for its stream: items, then the result as the return value. */
  stream(
    capability: string,
    input: unknown,
    options: { signal?: AbortSignal },
  ): AsyncGenerator<unknown, unknown>;
}

export interface ApiDeps extends ServerAddress {
  session: Pick<Session, "bearer" | "refresh" | "verify" | "expire" | "token">;
  /** Longest wait for an answer to `get`, ms. */
  timeoutMs?: number;
}

export function createApi(deps: ApiDeps): Api {
  const { session, timeoutMs = 30_000 } = deps;

  const ask = async (request: Ask): Promise<Response> => {
    const token = await session.bearer();
    // Who left meanwhile asks for nothing.
    if (request.signal?.aborted) throw connectionError(undefined, request.signal);
    try {
      return await askServer(deps, { ...request, token });
    } catch (error) {
      // The rights may be others by now: the page then follows.
      if (error instanceof AppError && error.code === "FORBIDDEN") void session.verify();
      if (token === undefined || !isRefusal(error)) throw error;
      return await askAgain(request, token, error);
    }
  };

  /** What was refused was not done: it is sent once more when the token alone was too old. */
  const askAgain = async (request: Ask, token: string, refusal: unknown): Promise<Response> => {
    const renewed = await session.refresh(token);
    if (renewed === "unreachable") {
      throw connectionError(new TypeError("no refresh", { cause: refusal }), request.signal);
    }
    if (renewed === "ended") throw refusal;
    const next = session.token;
    try {
      return await askServer(deps, { ...request, token: next });
    } catch (error) {
      if (isRefusal(error) && next === session.token) session.expire(sessionEnded);
      throw error;
    }
  };

  return {
    async get<Answer>(path: string, { signal }: { signal?: AbortSignal } = {}) {
      using limit = limitTime(timeoutMs, signal);
      return await readJson(await ask({ path, signal: limit.signal }), limit.signal) as Answer;
    },
    async send<Answer>(
      method: "POST" | "PUT" | "PATCH" | "DELETE",
      path: string,
      { body, signal }: { body?: unknown; signal?: AbortSignal } = {},
    ) {
      return await readJson(await ask({ path, method, body, signal }), signal) as Answer;
    },
    fetch: (path, options = {}) => ask({ path, ...options }),
    async *stream(capability, input, { signal }) {
      const left = new AbortController();
      const either = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]);
      try {
        const response = await ask({
          path: `/api/capabilities/${encodeURIComponent(capability)}`,
          method: "POST",
          headers: { accept: "text/event-stream" },
          body: input ?? null,
          signal: either,
        });
        for await (const { name, data } of eventsOf(response, either)) {
          const value = parseData(data);
          if (name === "result") return value;
          if (name === "error") {
            const error = problemError(value) ??
              new AppError("INTERNAL", "The call failed without a reason");
            // It tells of ended sessions and of changed rights alike.
            if (isRefusal(error)) void session.verify();
            throw error;
          }
          if (name === "message") yield value;
        }
        throw new AppError(
          "UNAVAILABLE",
          "The connection to the server was lost before the answer was complete",
        );
      } finally {
        // Who leaves early, by `return` or by a fault of his own, ends the call on the server too.
        left.abort();
      }
    },
  };
}

const sessionEnded = "Your session has ended; sign in again";

function isRefusal(error: unknown): boolean {
  return error instanceof AppError && error.code === "UNAUTHENTICATED";
}

function parseData(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw new AppError("UNAVAILABLE", "A part of the answer could not be read", { cause });
  }
}

async function* eventsOf(response: Response, signal: AbortSignal): AsyncGenerator<ServerEvent> {
  const type = response.headers.get("content-type") ?? "";
  if (response.body === null || !/^text\/event-stream\b/i.test(type)) {
    await response.body?.cancel();
    throw new AppError(
      "UNAVAILABLE",
      "Something else than bkg answered; a proxy before the server may have replaced its answer",
    );
  }
  const parser = createEventParser();
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  try {
    while (true) {
      const { done, value } = await reader.read().catch((cause) => {
        const error = connectionError(cause, signal);
        throw error.code !== "UNAVAILABLE" ? error : new AppError(
          "UNAVAILABLE",
          "The connection to the server was lost before the answer was complete",
          { cause },
        );
      });
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** `signal`, and an end after `timeoutMs`; disposing it lets both go. */
function limitTime(timeoutMs: number, signal?: AbortSignal): Disposable & { signal: AbortSignal } {
  const limit = new AbortController();
  const seconds = Math.round(timeoutMs / 1000);
  const timer = setTimeout(
    () => limit.abort(new AppError("TIMEOUT", `The server did not answer within ${seconds} s`)),
    timeoutMs,
  );
  return {
    signal: signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
