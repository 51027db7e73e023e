// llm.rerank: documents by how well they answer a query, as a cross-encoder reads both together.

import { PluginError } from "@bkg/plugin";
import type { TextEncoderModel } from "./settings.ts";
import { readTexts } from "./texts.ts";

export interface RerankInput {
  model: string;
  query: string;
  documents: string[];
  topN?: number;
  returnDocuments?: boolean;
}

/** The result of `llm.rerank`, the best first. */
export interface RerankResult {
  /** Its own id, however it was asked for. */
  model: string;
  /** `relevanceScore`: from 0 to 1. */
  results: { index: number; relevanceScore: number; document?: string }[];
  usage: { promptTokens: number };
  /** Documents that were longer than the model takes together with the query. */
  truncated: number;
  backend: string;
  threads: number;
}

export async function rerank(
  scorer: TextEncoderModel,
  { model, query, documents, topN, returnDocuments = false }: RerankInput,
  options: { signal: AbortSignal; progress: () => void },
): Promise<RerankResult> {
  readTexts(query, "query");
  const texts = readTexts(documents, "documents");
  const { logits, promptTokens, truncated } = await scorer.score(query, texts, options);
  const results = texts.map((document, index) => ({
    index,
    relevanceScore: sigmoid(logits[index] ?? NaN),
    ...(returnDocuments ? { document } : {}),
  }));
  // Equal ones stay in the order in which they came.
  results.sort((a, b) => b.relevanceScore - a.relevanceScore);
  const { backend, threads } = scorer.info();
  const best = results.slice(0, topN ?? results.length);
  const bytes = best.reduce((sum, { document = "" }) => sum + document.length, 0);
  if (bytes > maxAnswerChars) throw tooLong(bytes);
  return { model, results: best, usage: { promptTokens }, truncated, backend, threads };
}

function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}

function tooLong(chars: number): PluginError {
  return new PluginError(
    "PAYLOAD_TOO_LARGE",
    `The documents to return have ${chars} characters, and ${maxAnswerChars} go into one answer`,
    { details: { field: "returnDocuments" } },
  );
}

/** A host takes so much in one answer. */
const maxAnswerChars = 2_000_000;
