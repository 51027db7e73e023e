// One streamed completion as OpenAI's client has it, with its times. Callers: streams.ts, tokens.ts, native.ts.

import OpenAI from "openai";
import type { ServerProcess } from "../server/testing/server_process.ts";

export interface Answered {
  /** Milliseconds from the request to the first text, and to the end. */
  firstMs: number;
  ms: number;
}

const clients = new Map<string, OpenAI>();

/** One for each server, as a program has it. */
function clientOf(url: string, token: string): OpenAI {
  const known = clients.get(url);
  if (known !== undefined) return known;
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: token, maxRetries: 0 });
  clients.set(url, client);
  return client;
}

/** Greedy; throws where another count of tokens came than was asked for. */
export async function answerStreamed(
  { url, token }: Pick<ServerProcess, "url" | "token">,
  { model, prompt, maxTokens }: { model: string; prompt: string; maxTokens: number },
): Promise<Answered> {
  const client = clientOf(url, token);
  const started = performance.now();
  let firstMs = NaN;
  let tokens = 0;
  const stream = await client.completions.create({
    ...{ model, prompt, temperature: 0, max_tokens: maxTokens, stream: true as const },
    stream_options: { include_usage: true },
  });
  for await (const chunk of stream) {
    if (Number.isNaN(firstMs) && chunk.choices[0]?.text) firstMs = performance.now() - started;
    tokens = chunk.usage?.completion_tokens ?? tokens;
  }
  if (tokens !== maxTokens) throw new Error(`${tokens} tokens came, not ${maxTokens}`);
  return { firstMs, ms: performance.now() - started };
}
