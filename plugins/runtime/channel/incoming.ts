// The calls that the peer made: runs them, streams within their credit, cancels them.

import { AppError, type ErrorCode, toAppError } from "../contract/error.ts";
import type { CallMessage, Message } from "../contract/message.ts";
import type { ChannelHandler, IncomingCall } from "./channel.ts";
import { Transferred } from "./transfer.ts";

export interface IncomingDeps {
  send(message: Message, transfer?: Transferable[]): void;
  handler: ChannelHandler;
  maxIncoming: number;
  /** The code of an error that the handler threw and that has none. */
  fallbackCode: ErrorCode;
}

export class IncomingCalls {
  readonly #deps: IncomingDeps;
  readonly #calls = new Map<number, RunningCall>();

  constructor(deps: IncomingDeps) {
    this.#deps = deps;
  }

  start(message: CallMessage): void {
    const { id, method } = message;
    if (this.#calls.has(id)) {
      throw new AppError("PROTOCOL_VIOLATION", `Call ${id} is already running`);
    }
    if (this.#calls.size >= this.#deps.maxIncoming) {
      const error = new AppError("QUEUE_FULL", `${this.#deps.maxIncoming} calls are running`);
      return this.#deps.send({ kind: "error", id, error: error.toWire() });
    }
    const call = new RunningCall(message, this.#deps);
    this.#calls.set(id, call);
    let value: unknown;
    try {
      const { handler } = this.#deps;
      if (handler.call === undefined) throw new AppError("NOT_FOUND", `No method "${method}"`);
      value = handler.call(method, message.input, call);
    } catch (error) {
      return this.#fail(call, error);
    }
    if (isAsyncIterable(value)) {
      this.#pump(call, value);
    } else if (value instanceof Promise) {
      value.then(
        (result) => isAsyncIterable(result) ? this.#pump(call, result) : this.#end(call, result),
        (error) => this.#fail(call, error),
      );
    } else {
      this.#end(call, value);
    }
  }

  credit(id: number, count: number): void {
    this.#calls.get(id)?.addCredit(count);
  }

  cancel(id: number, reason: string): void {
    this.#calls.get(id)?.cancel(reason);
  }

  cancelAll(reason: string): void {
    for (const call of this.#calls.values()) call.cancel(reason);
    this.#calls.clear();
  }

  async #pump(call: RunningCall, items: AsyncIterable<unknown>): Promise<void> {
    const iterator = items[Symbol.asyncIterator]();
    try {
      const collected: unknown[] = [];
      while (true) {
        if (call.streaming && !await call.takeCredit()) {
          await iterator.return?.();
          throw new AppError("CANCELLED", "The call was cancelled");
        }
        const { done, value } = await iterator.next();
        if (done) {
          return this.#end(call, call.streaming ? value : value ?? collected);
        }
        if (call.streaming) {
          this.#deps.send(call.chunk(value));
          continue;
        }
        call.showLife();
        if (collected.push(value) > maxCollected) {
          await iterator.return?.();
          throw new AppError(
            "PAYLOAD_TOO_LARGE",
            `The stream has more than ${maxCollected} items: ask for a stream`,
          );
        }
      }
    } catch (error) {
      this.#fail(call, error);
    }
  }

  #end(call: RunningCall, value: unknown): void {
    if (!this.#calls.delete(call.id)) return;
    call.isAnswered = true;
    try {
      if (value instanceof Transferred) {
        this.#deps.send({ kind: "result", id: call.id, value: value.value }, value.buffers);
      } else {
        this.#deps.send({ kind: "result", id: call.id, value });
      }
    } catch (error) {
      this.#sendError(call, error);
    }
  }

  #fail(call: RunningCall, error: unknown): void {
    if (!this.#calls.delete(call.id)) return;
    call.isAnswered = true;
    this.#sendError(call, error);
  }

  #sendError(call: RunningCall, error: unknown): void {
    const wire = toAppError(error, this.#deps.fallbackCode).toWire();
    this.#deps.send({ kind: "error", id: call.id, error: wire });
  }
}

const maxCollected = 100_000;

class RunningCall implements IncomingCall {
  readonly id: number;
  readonly streaming: boolean;
  isAnswered = false;
  readonly #deps: IncomingDeps;
  #credit: number;
  #seq = 0;
  #cancelled: string | undefined;
  #controller: AbortController | undefined;
  #wake: (() => void) | undefined;
  #shownAtMs = performance.now();

  constructor(message: CallMessage, deps: IncomingDeps) {
    this.id = message.id;
    this.streaming = message.credit > 0;
    this.#credit = message.credit;
    this.#deps = deps;
  }

  // Made when it is asked for: most calls never look at their signal.
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#cancelled !== undefined) this.#abort(this.#cancelled);
    }
    return this.#controller.signal;
  }

  /** Says nothing once the call was answered: whoever works on for others need not know, and the peer has forgotten it. */
  alive(): void {
    if (!this.isAnswered) this.#deps.send({ kind: "alive", id: this.id });
  }

  /** An item that is only collected is a sign of life all the same; at most one a second is sent. */
  showLife(): void {
    const now = performance.now();
    if (now - this.#shownAtMs < 1000) return;
    this.#shownAtMs = now;
    this.alive();
  }

  chunk(value: unknown): Message {
    this.#credit--;
    return { kind: "chunk", id: this.id, seq: this.#seq++, value };
  }

  addCredit(count: number): void {
    this.#credit += count;
    this.#wake?.();
  }

  cancel(reason: string): void {
    if (this.#cancelled !== undefined) return;
    this.#cancelled = reason;
    this.#abort(reason);
    this.#wake?.();
  }

  /** Waits until a chunk may be sent; false when the call was cancelled. */
  async takeCredit(): Promise<boolean> {
    while (this.#credit === 0 && this.#cancelled === undefined) {
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = undefined;
    }
    return this.#cancelled === undefined;
  }

  #abort(reason: string): void {
    this.#controller?.abort(new AppError("CANCELLED", `The call was cancelled (${reason})`));
  }
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
