// The calls that this side made: matches answers to callers, gives credit, watches silence and deadlines.
// An answer that fits no call, or a chunk without credit, is the peer's violation of the protocol.

import { AppError, fromWire } from "../contract/error.ts";
import type {
  AliveMessage,
  ChunkMessage,
  ErrorMessage,
  Message,
  ResultMessage,
} from "../contract/message.ts";
import { toPlainLines } from "../contract/plain_text.ts";
import type { CallOptions, StreamOptions } from "./channel.ts";

export type Answer = AliveMessage | ChunkMessage | ErrorMessage | ResultMessage;

export interface OutgoingDeps {
  send(message: Message, transfer?: Transferable[]): void;
  silent(method: string): void;
  now(): number;
}

interface PendingCall {
  readonly method: string;
  readonly options: CallOptions;
  /** The caller was answered or left; the peer has not let go yet. */
  abandoned: boolean;
  lastSignMs: number;
  deadlineAtMs: number;
  nextSeq: number;
  /** Chunks that the peer may still send; a peer without credit is not silent, it waits. */
  credit: number;
  resolve(value: unknown): void;
  reject(error: AppError): void;
  chunk?: (value: unknown, bytes: number) => void;
  removeAbort?: () => void;
}

export class OutgoingCalls {
  readonly #deps: OutgoingDeps;
  readonly #calls = new Map<number, PendingCall>();
  #nextId = 0;
  /** Bytes of chunks that came and were not taken yet, of all streams. */
  #heldBytes = 0;
  #sweeper: ReturnType<typeof setInterval> | undefined;
  #closed: AppError | undefined;

  constructor(deps: OutgoingDeps) {
    this.#deps = deps;
  }

  get pending(): number {
    return this.#calls.size;
  }

  call(method: string, input: unknown, options: CallOptions = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#start(method, input, { options, credit: 0, resolve, reject });
    });
  }

  async *stream(
    method: string,
    input: unknown,
    options: StreamOptions = {},
  ): AsyncGenerator<unknown, unknown> {
    const window = options.credit ?? defaultCredit;
    const items: { value: unknown; bytes: number }[] = [];
    let outcome: { value: unknown } | { error: AppError } | undefined;
    let wake: (() => void) | undefined;
    const settle = (result: typeof outcome) => {
      outcome = result;
      wake?.();
    };
    const id = this.#start(method, input, {
      options,
      credit: window,
      resolve: (value) => settle({ value }),
      reject: (error) => settle({ error }),
      chunk: (value, bytes) => {
        items.push({ value, bytes });
        this.#heldBytes += bytes;
        wake?.();
      },
    });
    let taken = 0;
    try {
      while (true) {
        // A consumer that left gets its error at once; else the items come first.
        if (outcome !== undefined && "error" in outcome && outcome.error.code === "CANCELLED") {
          throw outcome.error;
        }
        const item = items.shift();
        if (item !== undefined) {
          this.#heldBytes -= item.bytes;
          if (++taken * 2 >= window) {
            this.#giveCredit(id, taken);
            taken = 0;
          }
          yield item.value;
        } else if (outcome !== undefined) {
          if ("error" in outcome) throw outcome.error;
          return outcome.value;
        } else {
          await new Promise<void>((resolve) => wake = resolve);
          wake = undefined;
        }
      }
    } finally {
      for (const { bytes } of items) this.#heldBytes -= bytes;
      if (outcome === undefined) this.#abandon(id, new AppError("CANCELLED", "The caller left"));
    }
  }

  /** Takes one answer of the peer; throws PROTOCOL_VIOLATION when it fits no call. */
  receive(message: Answer, bytes = 0): void {
    const call = this.#calls.get(message.id);
    if (call === undefined) {
      throw new AppError(
        "PROTOCOL_VIOLATION",
        `A "${message.kind}" answers call ${message.id}, which nobody made`,
      );
    }
    call.lastSignMs = this.#deps.now();
    switch (message.kind) {
      case "alive":
        return;
      case "chunk":
        return this.#receiveChunk(call, message, bytes);
      case "result":
        this.#settle(message.id, call);
        if (call.abandoned) call.options.onLate?.(message.value);
        else call.resolve(message.value);
        return;
      case "error":
        this.#settle(message.id, call);
        if (!call.abandoned) call.reject(readError(message.error));
    }
  }

  /** Fails every call: the peer is gone. */
  closeAll(error: AppError): void {
    this.#closed = error;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
    for (const [id, call] of [...this.#calls]) {
      this.#settle(id, call);
      if (!call.abandoned) call.reject(error);
    }
  }

  #start(
    method: string,
    input: unknown,
    { options, credit, ...settlers }:
      & Pick<PendingCall, "options" | "credit" | "resolve" | "reject">
      & { chunk?: (value: unknown, bytes: number) => void },
  ): number {
    const id = this.#nextId++;
    const { signal, deadlineMs } = options;
    const fail = (error: AppError) => {
      settlers.reject(error);
      options.onSettled?.();
      return id;
    };
    if (this.#closed !== undefined) return fail(this.#closed);
    if (signal?.aborted) return fail(cancelled(signal));
    const now = this.#deps.now();
    const call: PendingCall = {
      method,
      options,
      credit,
      ...settlers,
      abandoned: false,
      lastSignMs: now,
      deadlineAtMs: deadlineMs === undefined ? Infinity : now + deadlineMs,
      nextSeq: 0,
    };
    this.#calls.set(id, call);
    try {
      this.#deps.send({ kind: "call", id, method, input, credit }, options.transfer);
    } catch (error) {
      this.#calls.delete(id);
      return fail(error instanceof AppError ? error : new AppError("INTERNAL", String(error)));
    }
    if (signal !== undefined) {
      const onAbort = () => this.#abandon(id, cancelled(signal));
      signal.addEventListener("abort", onAbort, { once: true });
      call.removeAbort = () => signal.removeEventListener("abort", onAbort);
    }
    if (options.silenceMs !== undefined || deadlineMs !== undefined) this.#watch();
    return id;
  }

  #receiveChunk(call: PendingCall, message: ChunkMessage, bytes: number): void {
    if (call.chunk === undefined || call.credit === 0) {
      throw new AppError("PROTOCOL_VIOLATION", `A chunk of "${call.method}" came without credit`);
    }
    if (message.seq !== call.nextSeq) {
      throw new AppError(
        "PROTOCOL_VIOLATION",
        `Chunk ${message.seq} of "${call.method}" came where ${call.nextSeq} was due`,
      );
    }
    call.nextSeq++;
    call.credit--;
    if (call.abandoned) return;
    if (this.#heldBytes + bytes > maxHeldBytes) {
      const error = `The reader left ${Math.round(this.#heldBytes)} bytes of chunks unread`;
      return this.#abandon(message.id, new AppError("PAYLOAD_TOO_LARGE", error));
    }
    call.chunk(message.value, bytes);
  }

  #giveCredit(id: number, count: number): void {
    const call = this.#calls.get(id);
    if (call === undefined || call.abandoned) return;
    call.credit += count;
    call.lastSignMs = this.#deps.now();
    this.#deps.send({ kind: "credit", id, count });
  }

  /** Answers the caller now and asks the peer to let go; the call stays pending until it does. */
  #abandon(id: number, error: AppError): void {
    const call = this.#calls.get(id);
    if (call === undefined || call.abandoned) return;
    call.abandoned = true;
    call.removeAbort?.();
    call.lastSignMs = this.#deps.now();
    call.reject(error);
    this.#deps.send({ kind: "cancel", id, reason: error.code });
  }

  #settle(id: number, call: PendingCall): void {
    this.#calls.delete(id);
    call.removeAbort?.();
    call.options.onSettled?.();
  }

  // One coarse timer for all calls: a timer a call would cost more than the call.
  #watch(): void {
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepMs);
  }

  #sweep(): void {
    if (this.#calls.size === 0) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
      return;
    }
    const now = this.#deps.now();
    for (const [id, call] of [...this.#calls]) {
      const { silenceMs } = call.options;
      if (now >= call.deadlineAtMs && !call.abandoned) {
        const message = `"${call.method}" was not done within ${call.options.deadlineMs} ms`;
        this.#abandon(id, new AppError("DEADLINE_EXCEEDED", message));
      }
      const waitsForCredit = call.chunk !== undefined && call.credit === 0 && !call.abandoned;
      if (silenceMs === undefined || waitsForCredit || now - call.lastSignMs < silenceMs) continue;
      if (!call.abandoned) {
        const message = `"${call.method}" gave no sign of life for ${silenceMs} ms`;
        this.#abandon(id, new AppError("TIMEOUT", message));
      }
      this.#deps.silent(call.method);
    }
  }
}

const defaultCredit = 16;
/** Bytes of chunks that one peer may have waiting for slow readers: credit counts chunks, not their size. */
const maxHeldBytes = 64 * 1024 * 1024;
const sweepMs = 100;

/** The peer's error; its message ends in terminals and logs, and must not steer them. */
function readError(value: unknown): AppError {
  const error = fromWire(value);
  error.message = toPlainLines(error.message);
  return error;
}

function cancelled(signal: AbortSignal): AppError {
  if (signal.reason instanceof AppError) return signal.reason;
  return new AppError("CANCELLED", "The caller left", { cause: signal.reason });
}
