// One text to its vector: a request of its own, because llama.cpp's server answers the first of several alone.

import { AppError } from "../../contract/error.ts";
import type { Embedding, EmbedOptions } from "./interface.ts";
import type { EngineLink } from "./link.ts";
import { parseError } from "./request.ts";
import type { Slots } from "./slots.ts";

/** Waits for a slot; a text of more than `maxTokens` is cut until the engine takes it. */
export async function embedText(
  { link, slots }: { link: EngineLink; slots: Slots },
  text: string,
  { maxTokens, signal, progress }: EmbedOptions & { maxTokens: number },
): Promise<Embedding> {
  const turn = { principal: "", signal, alive: () => progress?.() };
  await slots.take(turn).catch((error) => {
    throw signal?.aborted ? cancelled() : error;
  });
  try {
    const maxChars = maxTokens * charsPerToken;
    let rest = text.length > maxChars ? text.slice(0, maxChars) : text;
    for (let cuts = 0;; cuts++) {
      if (signal?.aborted) throw cancelled();
      const answer = await ask(link, rest.toWellFormed(), () => {
        slots.alive();
        progress?.();
      });
      if (signal?.aborted) throw cancelled();
      if (answer.kind === "vector") {
        return { ...answer.embedding, truncated: rest.length < text.length };
      }
      if (cuts === maxCuts) throw answer.error;
      // Its tokens are as long as those of what is left, about.
      rest = rest.slice(0, Math.floor(rest.length * maxTokens / answer.tokens * 0.97));
    }
  } finally {
    slots.release();
  }
}

type Answer =
  | { kind: "vector"; embedding: { vector: Float32Array; promptTokens: number } }
  | { kind: "too long"; tokens: number; error: AppError };

async function ask(link: EngineLink, text: string, alive: () => void): Promise<Answer> {
  const id = await link.submitEmbedding(text);
  while (true) {
    const result = await link.poll(id);
    alive();
    if (result.isError) {
      const tokens = tooLong(result.json);
      const error = parseError(result.json);
      if (tokens === undefined) throw error;
      return { kind: "too long", tokens, error };
    }
    if (result.json !== "" && result.json !== "null") {
      return { kind: "vector", embedding: read(result.json) };
    }
    if (!result.hasMore) throw new AppError("INTERNAL", "The engine answered no embedding");
  }
}

function read(json: string): { vector: Float32Array; promptTokens: number } {
  const { data, usage } = JSON.parse(json) as Response;
  const vector = normalize(data?.[0]?.embedding ?? []);
  // What is no number is null in its JSON, and 0 here.
  const isWhole = vector.every(Number.isFinite) && vector.some((value) => value !== 0);
  if (!isWhole) throw new AppError("INVALID_OUTPUT", "The model answered what is no vector");
  return { vector, promptTokens: usage?.prompt_tokens ?? 0 };
}

/** An encoder that names no pooling answers each token: their mean is as long as it should be. */
function normalize(answer: number[] | number[][]): Float32Array {
  const rows = answer.map((row) => typeof row === "number" ? [] : row);
  const width = rows[0]?.length ?? 0;
  const vector = width === 0
    ? Float32Array.from(answer as number[])
    : Float32Array.from({ length: width }, (_, at) =>
      rows.reduce((sum, row) => sum + (row[at] ?? NaN), 0));
  const length = Math.hypot(...vector);
  return length > 0 ? vector.map((value) => value / length) : vector;
}

interface Response {
  data?: { embedding?: number[] | number[][] }[];
  usage?: { prompt_tokens?: number };
}

/** How many tokens the engine counted in a text that it does not take whole. */
function tooLong(json: string): number | undefined {
  const { message = "", n_prompt_tokens } = JSON.parse(json) as {
    message?: string;
    n_prompt_tokens?: number;
  };
  const counted = n_prompt_tokens ?? Number(/input \((\d+) tokens\) is too/.exec(message)?.[1]);
  return Number.isFinite(counted) ? counted : undefined;
}

function cancelled(): AppError {
  return new AppError("CANCELLED", "The call was cancelled");
}

const maxCuts = 8;
/** Tokens are shorter than that on the whole; so a book does not cost more than its first pages. */
const charsPerToken = 32;
