// OpenAI's embeddings on `llm.embed`: the request turned into its input, its result into OpenAI's answer.

import { Buffer } from "node:buffer";
import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { parse, unsupported } from "./request.ts";

export interface EmbedInput {
  model: string;
  input: string | string[];
  dimensions?: number;
  promptName?: string;
  /** The plugin always answers so: numbers are four times as many bytes on the way. */
  encoding: "base64";
}

export type EncodingFormat = "float" | "base64";

export const embeddingsRequest = z.looseObject({
  model: z.string().min(1),
  input: z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(2048)]),
  dimensions: z.int().min(1).max(65_536).nullish(),
  encoding_format: z.enum(["float", "base64"]).nullish(),
  /** Which of the model's own prompts goes before each text. */
  prompt_name: z.string().min(1).nullish(),
});

export const embeddingsAnswer = z.looseObject({
  object: z.literal("list"),
  data: z.array(z.object({
    object: z.literal("embedding"),
    index: z.int(),
    embedding: z.union([z.array(z.number()), z.string()]),
  })),
});

/** Throws UNSUPPORTED_FEATURE for texts that come as tokens: whose tokens they are is not said. */
export function parseEmbeddingsRequest(
  value: unknown,
): { input: EmbedInput; format: EncodingFormat } {
  const given = (value as { input?: unknown } | null)?.input;
  if (
    Array.isArray(given) && given.some((item) => typeof item === "number" || Array.isArray(item))
  ) {
    throw unsupported("input", "send texts, not tokens");
  }
  const request = parse(embeddingsRequest, value);
  return {
    input: {
      model: request.model,
      input: request.input,
      ...(request.dimensions == null ? {} : { dimensions: request.dimensions }),
      ...(request.prompt_name == null ? {} : { promptName: request.prompt_name }),
      encoding: "base64",
    },
    format: request.encoding_format ?? "float",
  };
}

/** `value`: what the plugin returned; INVALID_OUTPUT where that is no vectors. */
export function embeddings(
  value: unknown,
  { model, format }: { model: string; format: EncodingFormat },
): unknown {
  const result = embedResult.safeParse(value).data ?? refuse();
  return {
    object: "list",
    data: result.embeddings.map((text, index) => {
      const vector = readVector(text, result.dimensions);
      const embedding = format === "base64" ? text : Array.from(vector);
      return { object: "embedding", index, embedding };
    }),
    model,
    usage: {
      prompt_tokens: result.usage.promptTokens,
      total_tokens: result.usage.promptTokens,
    },
    truncated: result.truncated,
  };
}

/** Little-endian float32, each of them a number. */
function readVector(text: string, dimensions: number): Float32Array {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== dimensions * 4) refuse();
  const vector = Float32Array.from(
    { length: dimensions },
    (_, at) => bytes.readFloatLE(at * 4),
  );
  return vector.every(Number.isFinite) ? vector : refuse();
}

const count = z.int().min(0);
const embedResult = z.object({
  embeddings: z.array(z.string()),
  dimensions: z.int().min(1),
  usage: z.object({ promptTokens: count }),
  truncated: count.default(0),
});

function refuse(): never {
  throw new AppError("INVALID_OUTPUT", "The embedding plugin returned no usable result");
}
