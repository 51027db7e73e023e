// llm.embed: texts to vectors, cut to the wanted dimensions, as numbers or as base64.

import { PluginError } from "@bkg/plugin";
import type { Embedder } from "./embedder.ts";
import { readTexts } from "./texts.ts";

export interface EmbedInput {
  model: string;
  input: string | string[];
  dimensions?: number;
  promptName?: string;
  encoding?: "float" | "base64";
}

/** The result of `llm.embed`, in the order of the texts. */
export interface EmbedResult {
  /** Its own id, however it was asked for. */
  model: string;
  /** Numbers, or base64 of them as little-endian float32. */
  embeddings: (number[] | string)[];
  dimensions: number;
  usage: { promptTokens: number };
  /** Texts that were longer than the model takes: of these the beginning counts. */
  truncated: number;
  backend: string;
  threads: number;
}

export async function embed(
  embedder: Embedder,
  { model, input, dimensions, promptName, encoding = "float" }: EmbedInput,
  options: { signal: AbortSignal; progress: () => void },
): Promise<EmbedResult> {
  const texts = readTexts(input, "input");
  const { backend, threads, normalizes, ...info } = embedder.info();
  const refuse = (width: number) => {
    const wanted = dimensions ?? width;
    if (wanted > width) throw tooWide(wanted, width);
    refuseLarge(texts.length * wanted, encoding);
  };
  // Known now or not: nobody waits for what cannot be sent.
  if (info.dimensions !== undefined) refuse(info.dimensions);
  const prompt = promptName === undefined ? {} : { promptName };
  const { vectors, promptTokens, truncated } = await embedder.embed(texts, {
    ...options,
    ...prompt,
  });
  const width = vectors[0]?.length ?? 0;
  refuse(width);
  const cut = vectors.map((vector) => shorten(vector, dimensions ?? width, normalizes));
  return {
    model,
    embeddings: cut.map((vector) => encoding === "base64" ? toBase64(vector) : [...vector]),
    dimensions: dimensions ?? width,
    usage: { promptTokens },
    truncated,
    backend,
    threads,
  };
}

/** The first numbers, brought back to the length 1: what Matryoshka models are trained for. */
export function shorten(vector: Float32Array, width: number, normalizes: boolean): Float32Array {
  if (width === vector.length) return vector;
  const cut = vector.slice(0, width);
  const length = normalizes ? Math.sqrt(cut.reduce((sum, value) => sum + value * value, 0)) : 1;
  return length > 0 ? cut.map((value) => value / length) : cut;
}

function toBase64(vector: Float32Array): string {
  const bytes = new Uint8Array(vector.length * 4);
  const view = new DataView(bytes.buffer);
  vector.forEach((value, at) => view.setFloat32(at * 4, value, true));
  return bytes.toBase64();
}

function tooWide(wanted: number, width: number): PluginError {
  return new PluginError("INVALID_INPUT", `The model's vectors have ${width} dimensions`, {
    details: { field: "dimensions", dimensions: wanted, maxDimensions: width },
  });
}

/** A host takes so much in one answer. */
function refuseLarge(count: number, encoding: "float" | "base64"): void {
  const limit = maxNumbers[encoding];
  if (count <= limit) return;
  const advice = encoding === "float"
    ? 'ask for fewer texts at once, or for "base64"'
    : "ask for fewer texts at once";
  throw new PluginError(
    "PAYLOAD_TOO_LARGE",
    `The answer would be ${count} numbers, and ${limit} go into one: ${advice}`,
    { details: { field: "input", numbers: count, maxNumbers: limit } },
  );
}

const maxNumbers = { float: 250_000, base64: 1_500_000 };
