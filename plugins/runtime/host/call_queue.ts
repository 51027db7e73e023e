// Callers that wait for a slot, first in, first out. A caller that leaves, or whose deadline passes, leaves the queue.

import { AppError, toAppError } from "../contract/error.ts";
import type { Timers } from "./timers.ts";

export interface WaitOptions {
  signal?: AbortSignal | undefined;
  /** Ms from now. */
  deadlineMs?: number | undefined;
}

export class CallQueue<Slot> {
  readonly #timers: Timers;
  readonly #waiters = new Set<Waiter<Slot>>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get size(): number {
    return this.#waiters.size;
  }

  wait({ signal, deadlineMs }: WaitOptions): Promise<Slot> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(leftError(signal));
      const waiter: Waiter<Slot> = { resolve, reject, cleanUp: () => {} };
      const leave = (error: AppError) => {
        this.#remove(waiter);
        reject(error);
      };
      const onAbort = () => leave(leftError(signal));
      signal?.addEventListener("abort", onAbort, { once: true });
      const cancelTimer = deadlineMs === undefined ? undefined : this.#timers.after(
        deadlineMs,
        () => leave(new AppError("DEADLINE_EXCEEDED", `No slot was free within ${deadlineMs} ms`)),
      );
      waiter.cleanUp = () => {
        signal?.removeEventListener("abort", onAbort);
        cancelTimer?.();
      };
      this.#waiters.add(waiter);
    });
  }

  /** Gives `slot` to the one who waits longest; false when nobody waits. */
  give(slot: Slot): boolean {
    for (const waiter of this.#waiters) {
      this.#remove(waiter);
      waiter.resolve(slot);
      return true;
    }
    return false;
  }

  rejectAll(error: AppError): void {
    for (const waiter of [...this.#waiters]) {
      this.#remove(waiter);
      waiter.reject(error);
    }
  }

  #remove(waiter: Waiter<Slot>): void {
    this.#waiters.delete(waiter);
    waiter.cleanUp();
  }
}

interface Waiter<Slot> {
  resolve(slot: Slot): void;
  reject(error: AppError): void;
  cleanUp: () => void;
}

function leftError(signal: AbortSignal | undefined): AppError {
  return signal?.reason instanceof AppError
    ? toAppError(signal.reason)
    : new AppError("CANCELLED", "The caller left", { cause: signal?.reason });
}
