// Whole answers of a model, for tests of its engine on any backend.

import type { Completion, GenerateOptions, Piece, TokenLogprob, WllamaModel } from "./interface.ts";

export const greedy = { principal: "alice", temperature: 0 };
export const story = "Once upon a time";

export interface Answer extends Completion {
  text: string;
  pieces: string[];
  /** Of all pieces. */
  logprobs: TokenLogprob[];
}

export async function collect(stream: AsyncGenerator<Piece, Completion>): Promise<Answer> {
  const pieces: string[] = [];
  const logprobs: TokenLogprob[] = [];
  while (true) {
    const { done, value } = await stream.next();
    if (done) return { ...value, pieces, logprobs, text: pieces.join("") };
    pieces.push(value.text);
    logprobs.push(...value.logprobs ?? []);
  }
}

export function complete(
  model: WllamaModel,
  options: Partial<GenerateOptions> = {},
  prompt = story,
) {
  return collect(model.complete(prompt, { ...greedy, ...options }));
}
