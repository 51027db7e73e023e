// Tells a caller his place in the line, not more often than he can read, and only as long as he waits for it.

export class QueueNews {
  readonly #positions: (number | undefined)[];
  readonly #changed: (waiting: number) => void;
  #tell: (position: number) => void = () => {};
  #told: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #answered = false;

  /** Of so many answers; `changed` is told whenever more or fewer of them wait. */
  constructor(count: number, changed: (waiting: number) => void) {
    this.#positions = Array(count).fill(undefined);
    this.#changed = changed;
  }

  listen(tell: (position: number) => void): void {
    this.#tell = tell;
  }

  /** The answer `index` waits as the `position`th; undefined: it waits no more. */
  moved(index: number, position: number | undefined): void {
    const before = this.#waiting;
    this.#positions[index] = position;
    if (this.#waiting !== before) this.#changed(this.#waiting);
    if (position === undefined || this.#answered) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const first = Math.min(...this.#positions.map((place) => place ?? Infinity));
      if (this.#answered || first === this.#told || !Number.isFinite(first)) return;
      this.#told = first;
      this.#tell(first);
    }, intervalMs);
  }

  /** Something of the answer `index` is here: it waits no more, and no place is told any more. */
  answered(index: number): void {
    this.#fallSilent();
    this.moved(index, undefined);
  }

  /** Nobody waits any more. */
  end(): void {
    this.#fallSilent();
    const before = this.#waiting;
    this.#positions.fill(undefined);
    if (before > 0) this.#changed(0);
  }

  #fallSilent(): void {
    this.#answered = true;
    clearTimeout(this.#timer);
  }

  get #waiting(): number {
    return this.#positions.filter((position) => position !== undefined).length;
  }
}

const intervalMs = 500;
