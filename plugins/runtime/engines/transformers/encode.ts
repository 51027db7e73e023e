// Texts to tokens, by the model's tokenizer.json: one text, or a pair of them, cut to what the model takes.

import { Tokenizer } from "@huggingface/tokenizers";
import { AppError } from "../../contract/error.ts";

/** One row of a batch. */
export interface Encoded {
  ids: readonly number[];
  /** Which of the two texts each token is of. */
  types: readonly number[];
  truncated: boolean;
}

export interface TextTokenizer {
  /** `pair`: the second text, for models that read two. */
  encode(text: string, pair?: string): Encoded;
}

export function createTextTokenizer(
  { tokenizer, tokenizerConfig, maxTokens }: {
    tokenizer: object;
    tokenizerConfig: object;
    maxTokens: number;
  },
): TextTokenizer {
  const inner = createTokenizer(tokenizer, tokenizerConfig);
  const idOf = createLookup(inner);
  // Tokens are shorter than that on the whole; so a book does not cost more than its first pages.
  const maxChars = maxTokens * charsPerToken;
  const split = (text: string) => {
    const isLong = text.length > maxChars;
    const tokens = inner.tokenize(isLong ? text.slice(0, maxChars) : text, {
      add_special_tokens: false,
    });
    return { tokens, isLong };
  };
  const finish = (first: string[], second: string[] | null) => {
    const { tokens, token_type_ids } = inner.post_processor?.(first, second, true) ??
      { tokens: [...first, ...second ?? []], token_type_ids: undefined };
    return { tokens, types: token_type_ids ?? tokens.map(() => 0) };
  };
  const specialOfOne = finish([], null).tokens.length;
  const specialOfTwo = finish([], []).tokens.length;

  return {
    encode(text, pair) {
      const first = split(text.toWellFormed());
      const second = pair === undefined ? undefined : split(pair.toWellFormed());
      const room = Math.max(maxTokens - (second === undefined ? specialOfOne : specialOfTwo), 0);
      const [kept, keptPair] = shareRoom(first.tokens.length, second?.tokens.length ?? 0, room);
      const truncated = first.isLong || (second?.isLong ?? false) ||
        kept < first.tokens.length || keptPair < (second?.tokens.length ?? 0);
      const { tokens, types } = finish(
        first.tokens.slice(0, kept),
        second?.tokens.slice(0, keptPair) ?? null,
      );
      return { ids: tokens.map(idOf), types, truncated };
    },
  };
}

/** The longer one is cut first, as Hugging Face's "longest_first" does. */
export function shareRoom(first: number, second: number, room: number): [number, number] {
  if (first + second <= room) return [first, second];
  const half = Math.floor(room / 2);
  if (first <= half) return [first, room - first];
  if (second <= room - half) return [room - second, second];
  return [half, room - half];
}

const charsPerToken = 32;

function createTokenizer(tokenizer: object, config: object): Tokenizer {
  try {
    const whole = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
    return new Tokenizer({ ...whole, ...tokenizer }, config);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError("INVALID_MODEL", `tokenizer.json is not valid: ${reason.slice(0, 300)}`, {
      cause,
    });
  }
}

/** Added tokens are found by their normalised text too. */
function createLookup(tokenizer: Tokenizer): (token: string) => number {
  const added = new Map<string, number>();
  for (const [id, { content, normalized }] of tokenizer.get_added_tokens_decoder()) {
    if (normalized && tokenizer.normalizer !== null) added.set(tokenizer.normalizer(content), id);
    added.set(content, id);
  }
  const unknown = tokenizer.model?.unk_token_id;
  return (token) => {
    const id = added.get(token) ?? tokenizer.token_to_id(token) ?? unknown;
    if (id === undefined) {
      throw new AppError("INVALID_MODEL", "The tokenizer has no token for what is unknown");
    }
    return id;
  };
}
