// How the next token is chosen: what the call says, else what the settings say.

import type { GenerateOptions, Settings } from "./settings.ts";

/** The fields that `llm.chat` and `llm.complete` share; ranges are in plugin.json, checked by the host. */
export type SamplingInput = Omit<GenerateOptions, "principal" | "signal" | "progress">;

/** Of the answer `index`: those of one call differ by their seeds. */
export function chooseSampling(
  input: SamplingInput,
  settings: Settings,
  index = 0,
): Omit<GenerateOptions, "principal"> {
  return {
    ...(input.grammar === undefined ? {} : { grammar: input.grammar }),
    maxTokens: input.maxTokens ?? settings.maxTokens,
    temperature: input.temperature ?? settings.temperature,
    topP: input.topP ?? settings.topP,
    topK: input.topK ?? settings.topK,
    minP: input.minP ?? settings.minP,
    repeatPenalty: input.repeatPenalty ?? settings.repeatPenalty,
    frequencyPenalty: input.frequencyPenalty ?? 0,
    presencePenalty: input.presencePenalty ?? 0,
    stop: input.stop ?? [],
    overflow: input.overflow ?? settings.overflow,
    ...(input.topLogprobs === undefined ? {} : { topLogprobs: input.topLogprobs }),
    ...(input.seed === undefined ? {} : { seed: input.seed + index }),
  };
}
