// Admits as many calls as the engine has sequences; the rest wait, and principals take turns: one with fifty calls
// does not keep another from his first. llama.cpp drops what it has no sequence for, so this is the only queue.

import type { AppError } from "../../contract/error.ts";

export interface SlotRequest {
  /** Whose turn it takes. */
  principal: string;
  signal?: AbortSignal | undefined;
  /** Told that the engine works for others. */
  alive(): void;
  /** Told each new place in the line while it waits; 1 is next. */
  moved?(position: number): void;
}

export class Slots {
  #free: number;
  #closed: AppError | undefined;
  /** By principal, in the order of their turns; none is empty. */
  readonly #waiting = new Map<string, Waiter[]>();

  constructor(count: number) {
    this.#free = count;
  }

  /** Resolves when a slot is free; rejects when `signal` fires first, and then holds none. */
  take({ principal, signal, alive, moved = () => {} }: SlotRequest): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#remove(principal, waiter);
        reject(signal?.reason);
      };
      const settle = (action: () => void) => {
        signal?.removeEventListener("abort", leave);
        action();
      };
      const waiter: Waiter = {
        alive,
        moved,
        position: 0,
        admit: () => settle(resolve),
        refuse: (error) => settle(() => reject(error)),
      };
      signal?.addEventListener("abort", leave, { once: true });
      const own = this.#waiting.get(principal);
      if (own === undefined) this.#waiting.set(principal, [waiter]);
      else own.push(waiter);
      this.#tellPositions();
    });
  }

  release(): void {
    const next = this.#waiting.entries().next().value;
    if (next === undefined) {
      this.#free++;
      return;
    }
    const [principal, [waiter, ...rest]] = next;
    this.#waiting.delete(principal);
    // Behind all others now.
    if (rest.length > 0) this.#waiting.set(principal, rest);
    waiter!.admit();
    this.#tellPositions();
  }

  /** Tells those who wait that the engine works. */
  alive(): void {
    for (const waiter of this.#line()) waiter.alive();
  }

  close(reason: AppError): void {
    this.#closed = reason;
    const line = this.#line();
    this.#waiting.clear();
    for (const waiter of line) waiter.refuse(reason);
  }

  #remove(principal: string, waiter: Waiter): void {
    const rest = (this.#waiting.get(principal) ?? []).filter((other) => other !== waiter);
    if (rest.length > 0) this.#waiting.set(principal, rest);
    else this.#waiting.delete(principal);
    this.#tellPositions();
  }

  /** All who wait, in the order in which they will be admitted. */
  #line(): Waiter[] {
    const line: Waiter[] = [];
    let queues = [...this.#waiting.values()];
    for (let round = 0; queues.length > 0; round++) {
      line.push(...queues.map((queue) => queue[round]!));
      queues = queues.filter((queue) => queue.length > round + 1);
    }
    return line;
  }

  #tellPositions(): void {
    for (const [index, waiter] of this.#line().entries()) {
      if (waiter.position === index + 1) continue;
      waiter.position = index + 1;
      waiter.moved(waiter.position);
    }
  }
}

interface Waiter {
  position: number;
  admit(): void;
  refuse(error: AppError): void;
  alive(): void;
  moved(position: number): void;
}
