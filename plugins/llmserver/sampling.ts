// How the next token is chosen: what the call says, else what the settings say.

import type { GenerateOptions, Settings } from "./settings.ts";

/** The fields that `llm.chat` and `llm.complete` share; ranges are in plugin.json, checked by the host. */
export interface SamplingInput {
  maxTokens?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
  minP?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  repeatPenalty?: number;
  seed?: number;
  stop?: string[];
}

export function chooseSampling(
  input: SamplingInput,
  settings: Settings,
): Omit<GenerateOptions, "principal"> {
  return {
    maxTokens: input.maxTokens ?? settings.maxTokens,
    temperature: input.temperature ?? settings.temperature,
    topP: input.topP ?? settings.topP,
    topK: input.topK ?? settings.topK,
    minP: input.minP ?? settings.minP,
    repeatPenalty: input.repeatPenalty ?? settings.repeatPenalty,
    frequencyPenalty: input.frequencyPenalty ?? 0,
    presencePenalty: input.presencePenalty ?? 0,
    stop: input.stop ?? [],
    ...(input.seed === undefined ? {} : { seed: input.seed }),
  };
}
