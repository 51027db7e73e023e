// Finds stop strings in a stream of pieces, also across their borders.

/** Cuts a stream of text before the first stop string; text that may begin one is held back until it is clear. */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== "");
  }

  /** What may be shown now, and whether a stop string was met. */
  push(text: string): { text: string; stopped: boolean } {
    const all = this.#held + text;
    let found = -1;
    for (const stop of this.#stops) {
      const at = all.indexOf(stop);
      if (at >= 0 && (found < 0 || at < found)) found = at;
    }
    if (found >= 0) {
      this.#held = "";
      return { text: all.slice(0, found), stopped: true };
    }
    const keep = this.#longestBeginning(all);
    this.#held = all.slice(all.length - keep);
    return { text: all.slice(0, all.length - keep), stopped: false };
  }

  /** The rest, when the answer ended without a stop string. */
  flush(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }

  /** Characters at the end of `text` that may be the beginning of a stop string. */
  #longestBeginning(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let size = Math.min(stop.length - 1, text.length); size > longest; size--) {
        if (text.endsWith(stop.slice(0, size))) {
          longest = size;
          break;
        }
      }
    }
    return longest;
  }
}
