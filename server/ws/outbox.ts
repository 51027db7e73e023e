// What waits to be sent on one socket. Order is kept, memory is bounded, and who reads too slowly is given up.
//
// The trap (Deno 2.9): nothing ends the connection of a peer that stops reading. `close()` queues behind what is
// stuck, so do pings, so `idleTimeout` never fires; what `send` took stays until the peer's TCP ends or it sends
// something. So Deno is handed little, the rest waits here, and is let go of when the socket is given up.

export interface OutboxOptions {
  /** Most characters that may wait here, beyond what Deno holds. */
  maxQueuedChars: number;
  /** Called once, when more than that waits or nothing went out for a while. */
  tooSlow: () => void;
}

export class Outbox {
  readonly #socket: WebSocket;
  readonly #options: OutboxOptions;
  #queue: string[] = [];
  /** Index of the first waiting text: shifting a long array copies it. */
  #head = 0;
  #queuedChars = 0;
  #sentChars = 0;
  /** What Deno holds at most: asking it for each event and socket costs as much as sending. */
  #heldAtMost = 0;
  #seenProgress = 0;
  #poll: ReturnType<typeof setInterval> | undefined;
  #waiting: (() => void)[] = [];
  #ended = false;

  constructor(socket: WebSocket, options: OutboxOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  send(text: string): void {
    if (this.#ended) return;
    if (!this.isFull) return this.#handOver(text);
    this.#queue.push(text);
    this.#queuedChars += text.length;
    if (this.#queuedChars > this.#options.maxQueuedChars) this.#giveUp();
    else this.#watch();
  }

  /** Whether streams and replays should wait. */
  get isFull(): boolean {
    return !this.#ended && (this.#head < this.#queue.length || !this.#hasRoom());
  }

  /** Settles when there is room, or the socket has ended. */
  drained(): Promise<void> {
    if (!this.isFull) return Promise.resolve();
    this.#watch();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Gives up when something waits and nothing went out since the last call. */
  checkProgress(): void {
    if (this.#ended) return;
    const held = this.#socket.bufferedAmount;
    const progress = this.#sentChars - held;
    if (held > 0 && progress === this.#seenProgress) this.#giveUp();
    else this.#seenProgress = progress;
  }

  /** Nothing is sent from now on; what waits is let go of. */
  end(): void {
    this.#ended = true;
    this.#queue = [];
    this.#head = 0;
    this.#queuedChars = 0;
    this.#wake();
  }

  #handOver(text: string): void {
    this.#sentChars += text.length;
    // UTF-8 has three bytes at most for a character of a string.
    this.#heldAtMost += text.length * 3;
    this.#socket.send(text);
  }

  #hasRoom(): boolean {
    if (this.#heldAtMost >= handoverBytes) this.#heldAtMost = this.#socket.bufferedAmount;
    return this.#heldAtMost < handoverBytes;
  }

  #giveUp(): void {
    this.end();
    this.#options.tooSlow();
  }

  /** A WebSocket does not tell when it has sent: it must be asked. */
  #watch(): void {
    this.#poll ??= setInterval(() => this.#advance(), pollMs);
  }

  #advance(): void {
    while (this.#head < this.#queue.length && this.#hasRoom()) {
      const text = this.#queue[this.#head++] as string;
      this.#queuedChars -= text.length;
      this.#handOver(text);
    }
    if (this.#head === this.#queue.length || this.#head > maxSpent) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    if (!this.isFull) this.#wake();
  }

  #wake(): void {
    clearInterval(this.#poll);
    this.#poll = undefined;
    for (const resume of this.#waiting.splice(0)) resume();
  }
}

/** How much Deno may hold, but for one message more. It is what a stuck connection costs until its peer is gone. */
const handoverBytes = 256 * 1024;
const pollMs = 5;
const maxSpent = 1000;
