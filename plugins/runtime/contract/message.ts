// The union of messages that two peers of a channel exchange (host and plugin; page and Worker).
// A call's id is chosen by its caller: `call cancel credit` carry the sender's id, the rest the receiver's.

import type { WireError } from "./error.ts";

/** Version of the contract; the handshake refuses another major version. */
export const contractVersion = "1";

export type Message =
  | CallMessage
  | CancelMessage
  | CreditMessage
  | AliveMessage
  | ChunkMessage
  | ResultMessage
  | ErrorMessage
  | NotifyMessage;

/** Asks the peer to run `method`. `credit` 0: one result; above 0: a stream of at most that many chunks ahead. */
export interface CallMessage {
  kind: "call";
  id: number;
  method: string;
  input: unknown;
  credit: number;
}

/** The caller lost interest; the peer still answers with `result` or `error` when it has let go. */
export interface CancelMessage {
  kind: "cancel";
  id: number;
  reason: string;
}

/** The caller can take `count` more chunks. */
export interface CreditMessage {
  kind: "credit";
  id: number;
  count: number;
}

/** The call is being worked on; resets its silence clock. */
export interface AliveMessage {
  kind: "alive";
  id: number;
}

/** One item of a stream; `seq` counts from 0 without gaps. */
export interface ChunkMessage {
  kind: "chunk";
  id: number;
  seq: number;
  value: unknown;
}

/** The end of a call: its value, or what a stream's generator returned. */
export interface ResultMessage {
  kind: "result";
  id: number;
  value: unknown;
}

export interface ErrorMessage {
  kind: "error";
  id: number;
  error: WireError;
}

/** A one-way message: `ready`, `log`, `metrics`. */
export interface NotifyMessage {
  kind: "notify";
  topic: string;
  value: unknown;
}

/** Checks the shape of what an untrusted peer sent; undefined when it is no message. */
export function parseMessage(value: unknown): Message | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const message = value as Record<string, unknown>;
  if (message["kind"] === "notify") {
    return typeof message["topic"] === "string" ? message as unknown as Message : undefined;
  }
  const id = message["id"];
  if (typeof id !== "number" || !Number.isSafeInteger(id) || id < 0) return undefined;
  switch (message["kind"]) {
    case "call":
      return typeof message["method"] === "string" && isCount(message["credit"])
        ? message as unknown as Message
        : undefined;
    case "credit":
      return isCount(message["count"]) ? message as unknown as Message : undefined;
    case "chunk":
      return isCount(message["seq"]) ? message as unknown as Message : undefined;
    case "error":
      return typeof message["error"] === "object" ? message as unknown as Message : undefined;
    case "cancel":
    case "alive":
    case "result":
      return message as unknown as Message;
    default:
      return undefined;
  }
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
