// A capability's stream as server-sent events. Pull-based: a client that does not read takes no items,
// so the plugin's credit stops. A client that leaves aborts the call at once; so does the end of his session.

import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import { toJsonText } from "./json_text.ts";
import { plainHeaders } from "./reply.ts";
import type { RequestScope } from "./services.ts";

export interface EventStreamOptions {
  /** Opens the call; the signal fires when the client is gone. */
  open(signal: AbortSignal): AsyncGenerator<unknown, unknown>;
  /** Text of one event or more, each ended by an empty line. */
  item(value: unknown): string;
  end(result: unknown): string;
  fail(error: AppError): string;
  /** Tells when the credential of the request ends. */
  auth: Authenticator;
  /** Where the stream leaves how to cut it. */
  streams: Set<() => void>;
  /** Silence after which a comment is sent, ms. */
  pingIntervalMs?: number | undefined;
  /** An error within this time is thrown, and so answered with its status, ms. */
  graceMs?: number | undefined;
}

/** One event; `name` undefined is the default `message`. */
export function event(data: unknown, name?: string): string {
  const text = toJsonText(data);
  return name === undefined ? `data: ${text}\n\n` : `event: ${name}\ndata: ${text}\n\n`;
}

export async function eventStream(
  request: Request,
  scope: RequestScope,
  options: EventStreamOptions,
): Promise<Response> {
  const { pingIntervalMs = 5000, graceMs = 1000 } = options;
  const calling = new AbortController();
  const leave = () => calling.abort(new AppError("CANCELLED", "The client went away"));
  request.signal.addEventListener("abort", leave, { once: true });
  const items = options.open(calling.signal);
  let first: ReturnType<typeof items.next> | undefined = items.next();
  try {
    await settledWithin(first, graceMs);
  } catch (error) {
    request.signal.removeEventListener("abort", leave);
    throw error;
  }

  let left = false;
  let waiting = false;
  let quiet = true;
  let ping: ReturnType<typeof setInterval> | undefined;
  let cut = () => {};
  let unwatch = () => {};
  const finish = () => {
    options.streams.delete(cut);
    unwatch();
    clearInterval(ping);
    request.signal.removeEventListener("abort", leave);
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      cut = () => {
        left = true;
        finish();
        leave();
        controller.error(new AppError("UNAVAILABLE", "The server is shutting down"));
        void items.return(undefined).catch(noop);
      };
      options.streams.add(cut);
      ping = setInterval(() => {
        if (quiet && waiting && (controller.desiredSize ?? -1) >= 0) {
          controller.enqueue(pingComment);
        }
        quiet = true;
      }, pingIntervalMs);
      if (scope.bearer === undefined) return;
      unwatch = options.auth.watch(scope.bearer, () => {
        const error = new AppError(
          "UNAUTHENTICATED",
          "The credential has ended, or what it may do has changed; try again",
        );
        scope.failure = error;
        left = true;
        finish();
        calling.abort(error);
        controller.enqueue(encoder.encode(options.fail(error)));
        controller.close();
        void items.return(undefined).catch(noop);
      });
    },
    async pull(controller) {
      waiting = true;
      let text: string;
      let last = true;
      try {
        const { done, value } = await (first ?? items.next());
        first = undefined;
        text = done ? options.end(value) : options.item(value);
        last = done === true;
      } catch (thrown) {
        const error = toAppError(thrown);
        scope.failure = error;
        text = options.fail(error);
        // It may have been an item that cannot be told; then the call goes on.
        void items.return(undefined).catch(noop);
      }
      waiting = false;
      quiet = false;
      if (left) return;
      controller.enqueue(encoder.encode(text));
      if (last) {
        finish();
        controller.close();
      }
    },
    cancel() {
      left = true;
      finish();
      leave();
      void items.return(undefined).catch(noop);
    },
  }, { highWaterMark: 0 });
  const headers = plainHeaders(scope, "text/event-stream");
  headers["cache-control"] = "no-cache, no-transform";
  // nginx would hold events back until its buffer is full.
  headers["x-accel-buffering"] = "no";
  return new Response(body, { headers });
}

const encoder = new TextEncoder();
const pingComment = encoder.encode(": ping\n\n");
const noop = () => {};

/** Waits for `promise`, at most `ms`; rejects only when it rejected in that time. */
async function settledWithin(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    promise.catch(noop);
  }
}
