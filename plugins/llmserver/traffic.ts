// What goes on at each model that writes: answers that wait for it, and how fast its last one was.

export class Traffic {
  /** By model, then by call. */
  readonly #waiting = new Map<string, Map<symbol, number>>();
  readonly #speeds = new Map<string, number>();

  /** So many answers of a call wait now. */
  waits(model: string, call: symbol, count: number): void {
    const calls = this.#waiting.get(model) ?? new Map<symbol, number>();
    if (count > 0) calls.set(call, count);
    else calls.delete(call);
    if (calls.size > 0) this.#waiting.set(model, calls);
    else this.#waiting.delete(model);
  }

  answered(model: string, tokensPerSecond: number): void {
    if (tokensPerSecond > 0) this.#speeds.set(model, tokensPerSecond);
  }

  waitingFor(model: string): number {
    return sum(this.#waiting.get(model)?.values() ?? []);
  }

  get waiting(): number {
    return sum([...this.#waiting.keys()].map((model) => this.waitingFor(model)));
  }

  /** Of its last answer; undefined before the first. */
  tokensPerSecond(model: string): number | undefined {
    return this.#speeds.get(model);
  }
}

function sum(counts: Iterable<number>): number {
  return [...counts].reduce((total, count) => total + count, 0);
}
