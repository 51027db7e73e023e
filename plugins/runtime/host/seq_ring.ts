// The newest entries of one kind. It knows what it dropped: a reader learns whether it missed something.
// Callers: the event journal. Invariant: `seq` only grows.

export class SeqRing<Entry extends { readonly seq: number }> {
  readonly #capacity: number;
  readonly #entries: Entry[] = [];
  #added = 0;
  #droppedSeq = -1;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(entry: Entry): void {
    const slot = this.#added++ % this.#capacity;
    this.#droppedSeq = this.#entries[slot]?.seq ?? this.#droppedSeq;
    this.#entries[slot] = entry;
  }

  /** Notes that an entry with this `seq`, or one before it, was lost before it came here. */
  lost(seq: number): void {
    this.#droppedSeq = Math.max(this.#droppedSeq, seq);
  }

  /** The newest `count` entries, oldest first. */
  newest(count: number): Entry[] {
    const { length } = this.#entries;
    const wanted = Math.max(0, Math.min(Math.floor(count) || 0, length));
    return Array.from({ length: wanted }, (_, index) => this.#at(wanted - 1 - index));
  }

  /** The entries after `seq`, oldest first; `gap`: others after it have been dropped. */
  after(seq: number): { entries: Entry[]; gap: boolean } {
    let count = 0;
    while (count < this.#entries.length && this.#at(count).seq > seq) count++;
    return { entries: this.newest(count), gap: this.#droppedSeq > seq };
  }

  /** 0 is the newest. */
  #at(age: number): Entry {
    return this.#entries[(this.#added - 1 - age) % this.#capacity] as Entry;
  }
}
