// Calls, streams with credit, cancel and silence over any port. Symmetric: both peers may call.
// The peer is not trusted: a message that breaks the rules ends the channel with PROTOCOL_VIOLATION.

import type { AppError, ErrorCode } from "../contract/error.ts";

export interface Channel {
  /** Calls the peer and waits for its one result. */
  call(method: string, input: unknown, options?: CallOptions): Promise<unknown>;
  /** Calls the peer for a stream; the generator's return value is the call's result. Leaving it early cancels. */
  stream(method: string, input: unknown, options?: StreamOptions): AsyncGenerator<unknown, unknown>;
  notify(topic: string, value: unknown): void;
  /** Calls made by this side that the peer has not let go of (cancelled ones included). */
  readonly pending: number;
  /** Rejects every pending call with `error` (default CELL_LOST) and closes the port; idempotent. */
  close(error?: AppError): void;
  /** Settles when the channel is closed; with why, unless this side closed it without an error. */
  readonly closed: Promise<AppError | undefined>;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** Longest time without a sign of life from the peer, ms: then TIMEOUT, and `onSilence` runs. */
  silenceMs?: number;
  /** Total time, ms: then the call is cancelled and rejects DEADLINE_EXCEEDED. */
  deadlineMs?: number;
  /** Runs once, when the peer let go of the call (answered, also after a cancel) or is gone. */
  onSettled?: () => void;
  /** Takes a result that came after the caller had left, such as one that must be given back. */
  onLate?: (value: unknown) => void;
  transfer?: Transferable[];
}

export interface StreamOptions extends CallOptions {
  /** Chunks that may be in flight ahead of the consumer; default 16. */
  credit?: number;
}

/** What this side does with the peer's calls. */
export interface ChannelHandler {
  call?(method: string, input: unknown, call: IncomingCall): unknown;
  notify?(topic: string, value: unknown): void;
  /** A call was silent past `silenceMs`; the owner decides (the supervisor kills the cell). */
  silent?(method: string): void;
}

export interface IncomingCall {
  readonly signal: AbortSignal;
  /** Whether the caller wants chunks. */
  readonly streaming: boolean;
  alive(): void;
}

export interface ChannelOptions {
  handler?: ChannelHandler;
  /** Calls of the peer that may run at once; one more is answered QUEUE_FULL. Default 64. */
  maxIncoming?: number;
  /** The code of an error without one that this side's handler threw; the guest says PLUGIN_ERROR. Default INTERNAL. */
  fallbackCode?: ErrorCode;
  /** Monotonic clock, ms. */
  now?: () => number;
}
