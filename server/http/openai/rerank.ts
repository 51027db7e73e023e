// Re-ranking as Jina and Cohere ask for it, on `llm.rerank`.

import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { parse } from "./request.ts";

export interface RerankInput {
  model: string;
  query: string;
  documents: string[];
  topN?: number;
}

const text = z.string().min(1);

export const rerankRequest = z.looseObject({
  model: z.string().min(1),
  query: text,
  documents: z.array(z.union([text, z.looseObject({ text })])).min(1).max(2048),
  top_n: z.int().min(1).nullish(),
  return_documents: z.boolean().nullish(),
});

export const rerankAnswer = z.looseObject({
  results: z.array(z.looseObject({
    index: z.int(),
    relevance_score: z.number(),
    document: z.object({ text: z.string() }).optional(),
  })),
});

export function parseRerankRequest(
  value: unknown,
): { input: RerankInput; returnDocuments: boolean } {
  const request = parse(rerankRequest, value);
  const documents = request.documents.map((item) => typeof item === "string" ? item : item.text);
  const topN = request.top_n ?? undefined;
  return {
    input: {
      model: request.model,
      query: request.query,
      documents,
      ...(topN === undefined ? {} : { topN: Math.min(topN, documents.length) }),
    },
    returnDocuments: request.return_documents ?? false,
  };
}

/** `value`: what the plugin returned; the texts are the caller's own, so they need not come back from it. */
export function ranking(
  value: unknown,
  { model, documents, returnDocuments }: {
    model: string;
    documents: readonly string[];
    returnDocuments: boolean;
  },
): unknown {
  const result = rerankResult.safeParse(value).data;
  if (result === undefined || result.results.some(({ index }) => index >= documents.length)) {
    throw new AppError("INVALID_OUTPUT", "The re-ranking plugin returned no usable result");
  }
  return {
    model,
    results: result.results.map(({ index, relevanceScore }) => ({
      index,
      relevance_score: relevanceScore,
      ...(returnDocuments ? { document: { text: documents[index] } } : {}),
    })),
    usage: {
      prompt_tokens: result.usage.promptTokens,
      total_tokens: result.usage.promptTokens,
    },
    truncated: result.truncated,
  };
}

const count = z.int().min(0);
const rerankResult = z.object({
  results: z.array(z.object({ index: count, relevanceScore: z.number() })),
  usage: z.object({ promptTokens: count }),
  truncated: count.default(0),
});
