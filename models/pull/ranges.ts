// Which bytes of a file are there: half-open ranges, sorted, apart from each other. Callers: range_fetch.ts, journal.ts.

/** From `start` up to, and without, `end`. */
export type Range = readonly [start: number, end: number];

/** Mutable: ranges are added as they arrive. */
export class RangeSet {
  #ranges: Range[] = [];

  constructor(ranges: Iterable<Range> = []) {
    for (const range of ranges) this.add(range);
  }

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  get bytes(): number {
    return this.#ranges.reduce((sum, [start, end]) => sum + end - start, 0);
  }

  /** How far the file is there from its beginning. */
  get prefix(): number {
    const [first] = this.#ranges;
    return first !== undefined && first[0] === 0 ? first[1] : 0;
  }

  add([start, end]: Range): void {
    if (start >= end) return;
    const before = this.#ranges.filter((range) => range[1] < start);
    const after = this.#ranges.filter((range) => range[0] > end);
    const touched = this.#ranges.slice(before.length, this.#ranges.length - after.length);
    const merged: Range = [
      Math.min(start, touched[0]?.[0] ?? start),
      Math.max(end, touched.at(-1)?.[1] ?? end),
    ];
    this.#ranges = [...before, merged, ...after];
  }

  /** What is not there of a file of `size` bytes, in pieces of at most `pieceBytes`. */
  missing(size: number, pieceBytes: number): Range[] {
    const pieces: Range[] = [];
    let position = 0;
    for (const [start, end] of [...this.#ranges, [size, size] as const]) {
      for (; position < start; position = Math.min(position + pieceBytes, start)) {
        pieces.push([position, Math.min(position + pieceBytes, start)]);
      }
      position = Math.max(position, end);
    }
    return pieces;
  }
}

/** `bytes 0-99/1000`; `total` is undefined for "*". Undefined when it is none, or says what cannot be. */
export function parseContentRange(
  value: string | null,
): { start: number; end: number; total: number | undefined } | undefined {
  const found = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(value ?? "");
  if (found === null) return undefined;
  const [start, last] = [Number(found[1]), Number(found[2])];
  const total = found[3] === "*" ? undefined : Number(found[3]);
  if (last < start || (total !== undefined && last >= total)) return undefined;
  return { start, end: last + 1, total };
}
