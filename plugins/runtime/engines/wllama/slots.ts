// Admits as many calls as the engine has sequences; the rest wait in order.
// llama.cpp drops what it has no sequence for, so this is the only queue.

import type { AppError } from "../../contract/error.ts";

export class Slots {
  #free: number;
  #closed: AppError | undefined;
  readonly #waiting: Waiter[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Resolves when a slot is free; rejects when `signal` fires first, and then holds none. */
  take(signal: AbortSignal | undefined, alive: () => void): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal?.reason);
      };
      const settle = (action: () => void) => {
        signal?.removeEventListener("abort", leave);
        action();
      };
      const waiter: Waiter = {
        alive,
        admit: () => settle(resolve),
        refuse: (error) => settle(() => reject(error)),
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.#waiting.push(waiter);
    });
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next.admit();
  }

  /** Tells those who wait that the engine works. */
  alive(): void {
    for (const waiter of this.#waiting) waiter.alive();
  }

  close(reason: AppError): void {
    this.#closed = reason;
    for (const waiter of this.#waiting.splice(0)) waiter.refuse(reason);
  }
}

interface Waiter {
  admit(): void;
  refuse(error: AppError): void;
  alive(): void;
}
