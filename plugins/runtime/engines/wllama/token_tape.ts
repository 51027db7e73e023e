// Gives what is known of tokens out with the text that they made, also where a stop string holds that text back.

/** Tokens in order, each from the character on that it began with. */
export class TokenTape<Token> {
  readonly #tokens: { from: number; token: Token }[] = [];
  #made = 0;
  #shown = 0;

  /** `tokens` made `text`. Of tokens that made no text nothing is kept. */
  add(text: string, tokens: readonly Token[]): void {
    if (text === "") return;
    for (const token of tokens) this.#tokens.push({ from: this.#made, token });
    this.#made += text.length;
  }

  /** Those of whose text something is shown now: the next so many characters. */
  take(characters: number): Token[] {
    this.#shown += characters;
    const later = this.#tokens.findIndex(({ from }) => from >= this.#shown);
    const shown = this.#tokens.splice(0, later < 0 ? this.#tokens.length : later);
    return shown.map(({ token }) => token);
  }
}
